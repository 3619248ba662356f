"""The machine that reads pickles: its position, stack and memo, and its table of instructions with their costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asl_core.files.pickles.stand_ins import PicklePending, PickleStandIns

__all__ = [
    "BYTES", "COSTS", "DICT", "INSTRUCTIONS", "LIST", "MARK", "MAX_LINE", "MEMO", "NUMBER", "PLACE", "TUPLE",
    "WIDE_NUMBER", "Instruction", "PickleStack", "on", "popped", "pushes",
]  # fmt: skip

MAX_LINE = 256  #: bytes of a number or a name in protocol 0
MEMO = 100  #: bytes of an entry of the memo


class PickleStack:
    """The state that instructions change.

    Args:
        data: the pickle.
        stand_ins: replacements of its globals, with the budget.
    """

    def __init__(self, data: bytes, stand_ins: PickleStandIns):
        self.data = data
        self.view = memoryview(data)
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.stand_ins = stand_ins
        self.budget = stand_ins.budget
        self.done = False

    def take(self, count: int) -> memoryview:
        """The next ``count`` bytes."""
        end = self.at + count
        if not 0 <= count <= len(self.data) - self.at:
            raise EOFError(f"{count} bytes were announced, {len(self.data) - self.at} are left")
        taken = self.view[self.at : end]
        self.at = end
        return taken

    def number(self, size: int) -> int:
        """The next unsigned little-endian number."""
        return int.from_bytes(self.take(size), "little")

    def line(self, limit: int | None = MAX_LINE) -> bytes:
        """Up to the next newline, which is left out."""
        end = self.data.find(b"\n", self.at, None if limit is None else self.at + limit)
        if end < 0:
            raise EOFError("a line does not end")
        line = self.data[self.at : end]
        self.at = end + 1
        return line

    def marked(self) -> list[Any]:
        """Everything above the last mark, taken off with it."""
        items = self.stack
        self.stack = self.below.pop()
        return items

    def remember(self, place: int) -> None:
        """Put the topmost item of the stack into the memo."""
        top = self.stack[-1]
        if place not in self.memo:
            self.budget.spend(MEMO)
        self.memo[place] = top
        if type(top) is PicklePending:
            top.place = place


Instruction = Callable[[PickleStack], object]


# Bytes that CPython takes at most for each kind of object, in 3.11 and later; sys.getsizeof leaves out the places.
PLACE = 24  #: on the stack, and then in what it becomes a part of; lists grow ahead of their items
NUMBER = PLACE + 40
WIDE_NUMBER = PLACE + 64
BYTES = PLACE + 208  #: a memoryview
DICT = PLACE + 80
LIST = PLACE + 72
TUPLE = PLACE + 80
MARK = 136


def _unknown(machine: PickleStack) -> None:
    machine.at -= 1
    raise ValueError(f"byte {machine.data[machine.at]:#04x} is no pickle instruction")


INSTRUCTIONS: list[Instruction] = [_unknown] * 256
COSTS = [0] * 256  #: bytes that each instruction takes, whatever its argument


def popped(machine: PickleStack, count: int) -> list[Any]:
    """The topmost items, taken off, the last pushed last."""
    if len(machine.stack) < count:
        raise IndexError("the stack is too short")
    items = machine.stack[-count:]
    del machine.stack[-count:]
    return items


def on(*codes: bytes, cost: int = 0) -> Callable[[Instruction], Instruction]:
    """Register a function as the instruction of ``codes``, which takes ``cost`` bytes."""

    def register(instruction: Instruction) -> Instruction:
        for code in codes:
            INSTRUCTIONS[code[0]] = instruction
            COSTS[code[0]] = cost
        return instruction

    return register


def pushes(code: bytes, make: Callable[[PickleStack], object], cost: int = PLACE) -> None:
    """Define the instruction ``code`` as one that pushes what ``make`` reads."""

    def instruction(machine: PickleStack) -> None:
        made = make(machine)  # first, since it may take the stack down to a mark
        machine.stack.append(made)

    on(code, cost=cost)(instruction)
