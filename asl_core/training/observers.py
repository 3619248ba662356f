"""Everybody who watches a run: told of its events, and left out, after a report, when one of them raises."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asl_core.compute.progress import Listener, ProgressReport
from asl_core.compute.signals import Terminated
from asl_core.config.run_config import RunConfig
from asl_core.contracts import EpochReport, Observer
from asl_core.errors import RunError, printable

__all__ = ["Audience", "progress_listeners"]

_log = logging.getLogger("asl")


class Audience:
    """The observers of a run as one.

    A plotting server that is gone must not end the training that it shows. An exception that is none of a program's
    faults (``KeyboardInterrupt``, ``SystemExit``) goes through: it is how an observer ends a run.
    """

    def __init__(self, observers: Sequence[Observer], note: Callable[[str], object]):
        """Args: the observers, and what writes a line into the run's log."""
        self._observers = list(observers)
        self._note = note
        self._started = False

    def on_start(self, config: RunConfig, summary: Mapping[str, Any]) -> None:
        """Before the first epoch."""
        self._started = True
        self._tell("on_start", config, summary)

    def on_epoch(self, report: EpochReport) -> None:
        """After each epoch."""
        self._tell("on_epoch", report)

    def on_end(self, summary: Mapping[str, Any]) -> None:
        """After the last."""
        self._tell("on_end", summary)
        self._started = False

    def on_stop(self, fault: BaseException) -> None:
        """The run ends before its last epoch; whoever has ``on_stop(reason)`` is given the reason in words."""
        if self._started:
            self._started = False
            self._tell("on_stop", _reason(fault))

    def _tell(self, event: str, *values: Any) -> None:
        for observer in list(self._observers):
            method = getattr(observer, event, None)
            if method is None and event == "on_stop":
                continue  # those of version 0.1 have none
            try:
                getattr(observer, event)(*values)
            except Exception as fault:
                self._observers.remove(observer)
                self._report(observer, event, fault)

    def _report(self, observer: Observer, event: str, fault: Exception) -> None:
        text = _left_out(observer, event, fault)
        try:
            self._note(text)
        except RunError as full:
            _log.warning("%s", full)


def progress_listeners(observers: Sequence[Observer]) -> list[Listener]:
    """Those who want to know how far the work is, by ``on_progress(report)``; one that raises is told no more."""
    return [
        _guarded(observer, method)
        for observer in observers
        if callable(method := getattr(observer, "on_progress", None))
    ]


def _guarded(observer: Observer, method: Callable[[ProgressReport], object]) -> Listener:
    heard = True

    def listen(report: ProgressReport) -> None:
        nonlocal heard
        if heard:
            try:
                method(report)
            except Exception as fault:
                heard = False
                _left_out(observer, "on_progress", fault)

    return listen


def _left_out(observer: Observer, event: str, fault: Exception) -> str:
    """Say so on the log; the text."""
    text = printable(
        f"warning: observer {type(observer).__name__} raised {type(fault).__name__} in {event} ({fault}); it is "
        f"left out from here on, and the run goes on"
    )
    # Its last resort is standard error, unless a program has set up something else.
    _log.warning("%s", text)
    _log.debug("where it was raised", exc_info=fault)
    return text


def _reason(fault: BaseException) -> str:
    if isinstance(fault, Terminated):
        return "told to end (SIGTERM)"
    return "interrupted" if isinstance(fault, KeyboardInterrupt) else f"{type(fault).__name__}: {fault}"
