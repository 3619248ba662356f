"""The table of a pickle's instructions, and the memory that each takes."""

from __future__ import annotations

from collections.abc import Callable

from asl_core.files.pickles.stack import Instruction, PickleStack

__all__ = [
    "BYTES", "COSTS", "DICT", "INSTRUCTIONS", "LIST", "MARK", "NUMBER", "PLACE", "TUPLE", "WIDE_NUMBER", "on", "pushes",
]  # fmt: skip

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
