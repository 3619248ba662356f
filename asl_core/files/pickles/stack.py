"""The state of the machine that reads pickles: where it reads, its stack, the stacks below each mark, its memo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asl_core.files.pickles.stand_ins import PicklePending, PickleStandIns

__all__ = ["MAX_LINE", "MEMO", "Instruction", "PickleStack"]

MAX_LINE = 256  #: bytes of a number or a name in protocol 0
MEMO = 100  #: bytes of an entry of the memo


class PickleStack:
    """What instructions work on, and pay for from the budget of the stand-ins.

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

    def remember(self, index: int) -> None:
        """Keep what is on top of the stack in the memo."""
        top = self.stack[-1]
        if index not in self.memo:
            self.budget.spend(MEMO)
        self.memo[index] = top
        if type(top) is PicklePending:
            top.place = index


Instruction = Callable[[PickleStack], None]
