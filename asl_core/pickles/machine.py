"""The stack machine that a pickle is a program for, written out so that nothing in a file is ever run.

Python's own unpickler can be told which names to give, but it allocates a memo of any size the file asks for,
hashes tuples that take 2^n steps, and calls methods of whatever lies on the stack. Here each instruction is one
short function that does what plain data needs and refuses the rest, and pays for what it makes from one
:class:`~asl_core.pickles.budget.PickleBudget`, so that reading costs time and memory in proportion to the file's bytes.
This module is the machine; ``instructions`` is what it can do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asl_core.pickles.budget import PickleRefused
from asl_core.pickles.stand_ins import PicklePending, PickleStandIns
from asl_core.progress import phase

__all__ = ["Instruction", "PickleMachine"]

MAX_LINE = 256  #: bytes of a number or a name in protocol 0
_SELDOM = (1 << 12) - 1  #: a power of two of instructions, less one, after which progress is reported
MEMO = 100  #: bytes of an entry of the memo


class PickleMachine:
    """The state of the stack machine: where it reads, its stack, the stacks below each mark, and its memo.

    Args:
        data: the pickle.
        stand_ins: what its globals mean; it holds the budget.
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

    def run(self) -> object:
        """Carry out the file's instructions and return what is left on the stack.

        Raises:
            PickleRefused: the file asks for more than plain data, or costs more than its budget.
            Exception: of many kinds, where the file is damaged.
        """
        from asl_core.pickles.instructions import COSTS, INSTRUCTIONS  # which are functions of a machine

        data, budget = self.data, self.budget
        with phase("reading a pickle", len(data)) as work:
            while not self.done:
                code = data[self.at]
                self.at += 1
                budget.steps -= 1
                budget.memory -= COSTS[code]
                if budget.steps < 0 or budget.memory < 0:
                    budget.work(0)
                    budget.spend(0)
                if not budget.steps & _SELDOM:
                    work.reach(self.at)
                INSTRUCTIONS[code](self)
        if self.at != len(data):
            raise PickleRefused(f"{len(data) - self.at} bytes more after the end of its pickle")
        return self.stack.pop()

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
        """Keep what is on top of the stack in the memo."""
        top = self.stack[-1]
        if place not in self.memo:
            self.budget.spend(MEMO)
        self.memo[place] = top
        if type(top) is PicklePending:
            top.place = place


Instruction = Callable[[PickleMachine], None]
