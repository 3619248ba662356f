"""Observers of a run: each gets every event; one that raises is reported and left out, and the run goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from asl_core.compute.progress import Listener, ProgressReport
from asl_core.compute.signals import Terminated
from asl_core.errors import RunError, printable
from asl_core.training.events import AnyObserver, EpochReport, RunStarted, RunStopped

__all__ = ["Audience", "progress_listeners"]

_log = logging.getLogger("asl")


class Audience:
    """The observers of a run.

    A plotting server that is gone must not end the training that it shows. ``KeyboardInterrupt`` and ``SystemExit`` go
    through: by them an observer ends a run.
    """

    def __init__(self, observers: Sequence[AnyObserver], note: Callable[[str], object]):
        """Args: the observers, and what writes a line into the run's log."""
        self._observers = list(observers)
        self._note = note
        self._started = False

    def tell(self, event: RunStarted | EpochReport | RunStopped) -> None:
        """Hand an event to all observers."""
        self._started = self._started or isinstance(event, RunStarted)
        for observer in list(self._observers):
            name, arguments = _call(observer, event)
            try:
                if name:
                    getattr(observer, name)(*arguments)
            except Exception as fault:
                self._observers.remove(observer)
                self._report(observer, name, fault)
        self._started = self._started and not isinstance(event, RunStopped)

    def stop(self, fault: BaseException) -> None:
        """The run ends by an exception; whoever heard of its start hears of its end."""
        if self._started:
            self._started = False
            self.tell(_stopped(fault))

    def _report(self, observer: AnyObserver, event: str, fault: Exception) -> None:
        text = _left_out(observer, event, fault)
        try:
            self._note(text)
        except RunError as full:
            _log.warning("%s", full)


def _call(observer: AnyObserver, event: RunStarted | EpochReport | RunStopped) -> tuple[str, tuple[Any, ...]]:
    """The observer's method for an event, and its arguments; no name where it has none."""
    if hasattr(observer, "on_event"):
        return "on_event", (event,)
    if isinstance(event, RunStarted):
        return "on_start", (event.config, event.summary)
    if isinstance(event, EpochReport):
        return "on_epoch", (event,)
    if event.reason == "finished":
        return "on_end", (event.summary,)
    return "on_stop" if hasattr(observer, "on_stop") else "", (event.message,)


def _stopped(fault: BaseException) -> RunStopped:
    if isinstance(fault, Terminated):
        return RunStopped("terminated", "told to end (SIGTERM)")
    if isinstance(fault, KeyboardInterrupt):
        return RunStopped("interrupted", "interrupted")
    return RunStopped("failed", f"{type(fault).__name__}: {fault}")


def progress_listeners(observers: Sequence[AnyObserver]) -> list[Listener]:
    """The ``on_progress`` methods of observers that have one; one that raises is not called again."""
    return [
        _guarded(observer, method)
        for observer in observers
        if callable(method := getattr(observer, "on_progress", None))
    ]


def _guarded(observer: AnyObserver, method: Callable[[ProgressReport], object]) -> Listener:
    working = True

    def listen(report: ProgressReport) -> None:
        nonlocal working
        if working:
            try:
                method(report)
            except Exception as fault:
                working = False
                _left_out(observer, "on_progress", fault)

    return listen


def _left_out(observer: AnyObserver, event: str, fault: Exception) -> str:
    """Log that an observer is left out; the text."""
    text = printable(
        f"warning: observer {type(observer).__name__} raised {type(fault).__name__} in {event} ({fault}); it is "
        f"left out from here on, and the run goes on"
    )
    # Its last resort is standard error, unless a program has set up something else.
    _log.warning("%s", text)
    _log.debug("where it was raised", exc_info=fault)
    return text
