"""Progress of long work: reported where the work is done, shown by listeners.

Work is wrapped in :func:`track` (over items) or :func:`phase` (any steps). Without listeners that costs one comparison
per step. With listeners, reports come when a phase begins and ends, and in between at most ten times a second; an
observer receives them by a method ``on_progress(report)``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import ContextVar
from typing import TypeVar

import attrs

__all__ = ["INTERVAL", "Listener", "Phase", "ProgressReport", "listening", "phase", "track"]

INTERVAL = 0.1  #: least seconds between two reports of a phase

Item = TypeVar("Item")


@attrs.frozen
class ProgressReport:
    """The progress of one phase."""

    phase: str  #: such as "reading train" or "epoch 3"
    done: int  #: steps
    total: int | None  #: steps in all, where known
    seconds: float  #: since the phase began
    ended: bool = False  #: whether this is the last report of the phase


Listener = Callable[[ProgressReport], None]

_LISTENERS: ContextVar[tuple[Listener, ...]] = ContextVar("asl_progress_listeners", default=())
clock = time.monotonic  #: replaced in tests


@contextlib.contextmanager
def listening(*listeners: Listener) -> Iterator[None]:
    """Send reports within this block to ``listeners`` as well."""
    token = _LISTENERS.set((*_LISTENERS.get(), *listeners))
    try:
        yield
    finally:
        _LISTENERS.reset(token)


class Phase:
    """Work in progress; reports its beginning."""

    def __init__(self, name: str, total: int | None = None):
        self.name, self.total, self.done = name, total, 0
        self._listeners = _LISTENERS.get()
        if self._listeners:
            self._began = self._reported = clock()
            self._report()

    def advance(self, steps: int = 1) -> None:
        """Count further steps."""
        self.reach(self.done + steps)

    def reach(self, done: int) -> None:
        """Set the number of finished steps."""
        self.done = done
        if self._listeners and (now := clock()) - self._reported >= INTERVAL:
            self._reported = now
            self._report()

    def end(self) -> None:
        """Report the end."""
        if self._listeners:
            self._report(ended=True)

    def _report(self, *, ended: bool = False) -> None:
        report = ProgressReport(self.name, self.done, self.total, clock() - self._began, ended)
        for listener in self._listeners:
            listener(report)


@contextlib.contextmanager
def phase(name: str, total: int | None = None) -> Iterator[Phase]:
    """Work of ``total`` steps (None: unknown); call :meth:`Phase.advance` after each."""
    work = Phase(name, total)
    try:
        yield work
    finally:
        work.end()


def track(items: Iterable[Item], name: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over items, one step each.

    Args:
        items: any iterable.
        name: of the phase.
        total: number of items (default: ``len(items)``, where it has one).
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with phase(name, total) as work:
        for item in items:
            yield item
            work.advance()
