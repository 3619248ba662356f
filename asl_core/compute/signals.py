"""SIGINT and SIGTERM while a run trains: files are finished first, then the run ends by an exception."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import attrs

__all__ = ["Terminated", "stoppable", "unbroken"]


class Terminated(KeyboardInterrupt):
    """SIGTERM came (SIGBREAK on Windows): whoever asked wants this process to end, as Ctrl-C does."""


@attrs.define
class _State:
    writing: bool = False
    pending: KeyboardInterrupt | None = None


_state = _State()  # of the main thread, to which signals come


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let the first signal raise, after the files being written are; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers can be set by the main thread alone
        return
    # Windows has no SIGTERM that another process could send, but SIGBREAK.
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
        # One that is ignored (nohup, a shell's background job) stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # ignored since: whoever tells of a fault finishes it
                signal.signal(number, handler)


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Put a signal off to the end of this block, which writes what an epoch came to."""
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
