"""The stack machine that a pickle is a program for, written out so that nothing in a file is ever run.

Python's own unpickler can be told which names to give, but it allocates a memo of any size the file asks for,
hashes tuples that take 2^n steps, and calls methods of whatever lies on the stack. Here each instruction is one
short function that does what plain data needs and refuses the rest, so that reading costs time and memory in
proportion to the file's bytes. This module is the machine; ``instructions`` is what it can do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asl_wlasl.stand_ins import ArrayToBe, Refused, StandIns

__all__ = ["Instruction", "Machine"]

MAX_LINE = 256  #: bytes of a number or a name in protocol 0


class Machine:
    """The state of the stack machine: where it reads, its stack, the stacks below each mark, and its memo."""

    def __init__(self, data: bytes, *, opaque: bool = False):
        self.data = data
        self.view = memoryview(data)
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.stand_ins = StandIns(len(data), opaque=opaque)
        self.done = False

    def run(self, instructions: Sequence[Instruction]) -> object:
        """Carry out the file's instructions and return what is left on the stack.

        Args:
            instructions: 256 functions, by the byte that calls for them.

        Raises:
            Refused: the file asks for more than plain data.
            Exception: of many kinds, where the file is damaged.
        """
        data = self.data
        # Clips take 20 to 80 bytes an instruction; millions of 1-byte ones would make 100 bytes out of each.
        for _ in range(1_000_000 + len(data) // 16):
            instruction = instructions[data[self.at]]
            self.at += 1
            instruction(self)
            if self.done:
                break
        else:
            raise Refused("far more instructions than data, as a file does that is made to fill the memory")
        if self.at != len(data):
            raise Refused(f"{len(data) - self.at} bytes more after the end of its pickle")
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
        self.memo[place] = top
        if type(top) is ArrayToBe:
            top.place = place


Instruction = Callable[[Machine], None]
