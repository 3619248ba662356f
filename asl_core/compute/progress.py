"""What is being done right now, and how far it is: reported by whoever works, shown by whoever listens.

Long work is wrapped in :func:`track` (over items) or :func:`phase` (steps of any kind). Where nobody listens that
costs a comparison a step. Where somebody does, reports come when a phase begins and ends, and in between at most ten
times a second, however short its steps are: an observer with a method ``on_progress(report)`` is given each of them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import ContextVar
from typing import TypeVar

import attrs

__all__ = ["INTERVAL", "Listener", "Phase", "ProgressReport", "listening", "phase", "track"]

INTERVAL = 0.1  #: seconds between two reports of a phase

Item = TypeVar("Item")


@attrs.frozen
class ProgressReport:
    """How far one piece of work is."""

    phase: str  #: what is being done, such as "reading train" or "epoch 3"
    done: int  #: steps
    total: int | None  #: steps there are, where that is known
    seconds: float  #: since the phase began
    ended: bool = False  #: whether this is the last report of the phase


Listener = Callable[[ProgressReport], None]

_LISTENERS: ContextVar[tuple[Listener, ...]] = ContextVar("asl_progress_listeners", default=())
clock = time.monotonic  #: replaced in tests


@contextlib.contextmanager
def listening(*listeners: Listener) -> Iterator[None]:
    """Within this block reports go to ``listeners`` too."""
    token = _LISTENERS.set((*_LISTENERS.get(), *listeners))
    try:
        yield
    finally:
        _LISTENERS.reset(token)


class Phase:
    """A piece of work that is under way, told to those who listen when it begins."""

    def __init__(self, name: str, total: int | None = None):
        self.name, self.total, self.done = name, total, 0
        self._listeners = _LISTENERS.get()
        if self._listeners:
            self._began = self._reported = clock()
            self._report()

    def advance(self, steps: int = 1) -> None:
        """Some more steps are done."""
        self.reach(self.done + steps)

    def reach(self, done: int) -> None:
        """So many steps are done in all."""
        self.done = done
        if self._listeners and (now := clock()) - self._reported >= INTERVAL:
            self._reported = now
            self._report()

    def end(self) -> None:
        """Nothing comes after this."""
        if self._listeners:
            self._report(ended=True)

    def _report(self, *, ended: bool = False) -> None:
        report = ProgressReport(self.name, self.done, self.total, clock() - self._began, ended)
        for listener in self._listeners:
            listener(report)


@contextlib.contextmanager
def phase(name: str, total: int | None = None) -> Iterator[Phase]:
    """Work of ``total`` steps, or of an unknown number of them: call :meth:`Phase.advance` after each."""
    work = Phase(name, total)
    try:
        yield work
    finally:
        work.end()


def track(items: Iterable[Item], name: str, total: int | None = None) -> Iterator[Item]:
    """The items, one step each.

    Args:
        items: to go through.
        name: what is being done with them.
        total: how many there are (default: the length of ``items``, where it has one).
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with phase(name, total) as work:
        for item in items:
            yield item
            work.advance()
