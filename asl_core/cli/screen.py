"""Standard output and error that never stop a command, even when closed, full, or of an encoding that lacks characters.

A run trains for hours, and ``asl run | head`` must not end it. What a stream does not accept is dropped; the first
failure is reported, and decides the exit code of commands that only print.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Screen", "lasting_screen"]


class Screen:
    """The state of standard output."""

    lost: OSError | None = None  #: why writing failed

    @property
    def closed(self) -> bool:
        """Whether the reader closed the pipe, as ``head`` does."""
        return self.lost is not None and self.lost.errno in (errno.EPIPE, errno.EINVAL if os.name == "nt" else -1)


class _Lasting(io.RawIOBase):
    """A file that accepts everything, and drops what cannot be written."""

    def __init__(self, raw: Any, report: Callable[[OSError], None]):
        self._raw, self._report = raw, report
        self._lost = False

    def write(self, data: Any) -> int:
        """Reports all bytes as written."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and not self._lost:
            try:
                rest = rest[self._raw.write(rest) or 0 :]
            except OSError as fault:
                self._lost = True
                self._report(fault)
        return size

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        descriptor: int = self._raw.fileno()
        return descriptor

    def isatty(self) -> bool:
        return bool(self._raw.isatty())


@contextlib.contextmanager
def lasting_screen(report: Callable[[OSError], None]) -> Iterator[Screen]:
    """Replace the standard streams of the process within this block.

    Args:
        report: called once, when standard output fails.
    """
    screen = Screen()

    def lost(fault: OSError) -> None:
        screen.lost = fault
        report(fault)

    before = sys.stdout, sys.stderr
    try:
        sys.stdout = _lasting(sys.stdout, lost)
        sys.stderr = _lasting(sys.stderr, lambda _: None)  # nowhere left to report it
        yield screen
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        sys.stdout, sys.stderr = before


def _lasting(stream: Any, report: Callable[[OSError], None]) -> Any:
    """A lasting stream over the same file; the stream itself where it is not a standard one."""
    raw = getattr(getattr(stream, "buffer", None), "raw", getattr(stream, "buffer", None))
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.RawIOBase):
        return stream
    if stream.isatty():  # Windows has its own way to write to a terminal
        stream.reconfigure(errors="backslashreplace")
        return stream
    with contextlib.suppress(OSError):  # reported at the next write
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Lasting(raw, report)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering or stream.write_through,
    )
