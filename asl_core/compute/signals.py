"""SIGINT and SIGTERM during training: files are finished, then the run ends by an exception."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import attrs

__all__ = ["Terminated", "stoppable", "unbroken"]


class Terminated(KeyboardInterrupt):
    """SIGTERM (SIGBREAK on Windows), handled like Ctrl-C."""


@attrs.define
class _State:
    writing: bool = False
    pending: KeyboardInterrupt | None = None


_state = _State()  # of the main thread, which receives signals


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let the first signal raise once files are written; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set handlers
        return
    # On Windows other processes can send SIGBREAK, not SIGTERM.
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {}

    def stop(number: int, _: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
        fault = KeyboardInterrupt() if number == signal.SIGINT else Terminated()
        if not _state.writing:
            raise fault
        _state.pending = fault

    for number in numbers:
        # An ignored signal (nohup, a background job of a shell) stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # ignored meanwhile, so that a report is finished
                signal.signal(number, handler)


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Defer signals to the end of this block, which writes the result of an epoch."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.writing = True
    try:
        yield
    finally:
        _state.writing = False
        fault, _state.pending = _state.pending, None
    if fault is not None:
        raise fault
