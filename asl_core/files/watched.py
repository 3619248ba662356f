"""Files that a run reads while it trains, checked for changes.

Reading a memory-mapped file that was truncated kills the process by SIGBUS, which Python cannot catch. So frames of
batches are read by ordinary calls, and only what is read once at the start is mapped.
"""

from __future__ import annotations

import io
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from asl_core.errors import RunError

__all__ = ["Watched"]


class Watched:
    """An open file with a known digest of its content."""

    def __init__(self, path: Path, file: BinaryIO, digest: str, digest_of: Callable[[BinaryIO], str]):
        self.path = path
        self._digest, self._digest_of = digest, digest_of
        descriptor = os.dup(file.fileno())  # the caller closes its file once the clips are listed
        weakref.finalize(self, os.close, descriptor)
        self._file = io.FileIO(descriptor, closefd=False)
        self._lock = threading.Lock()
        self._stamp = self._now()

    def _now(self) -> tuple[int, int, int]:
        state = os.fstat(self._file.fileno())
        return state.st_size, state.st_mtime_ns, state.st_ctime_ns

    def check(self) -> None:
        """Compare the file's size and times with those at the start, and its content where they differ.

        Raises:
            RunError: it was changed.
        """
        now = self._now()
        if now != self._stamp:
            if now[0] != self._stamp[0]:
                raise self._changed(f"it had {self._stamp[0]:,} bytes and has {now[0]:,}")
            self.verify()
            self._stamp = now

    def verify(self, *, trained: bool = False) -> None:
        """Read the whole file again and compare its checksum.

        Args:
            trained: whether data read since the last check have been used.

        Raises:
            RunError: it was changed.
        """
        with self._lock, io.FileIO(self._file.fileno(), closefd=False) as again:
            try:
                same = self._digest_of(again) == self._digest
            except OSError as fault:
                raise self._unread(fault) from fault
            if not same:
                raise self._changed("its content differs", trained=trained)

    def read_into(self, rows: np.ndarray, offset: int) -> None:
        """Fill a contiguous array with the bytes from ``offset`` on.

        Raises:
            RunError: they cannot be read, or the file is too short.
        """
        rest = rows.data.cast("B")
        try:
            with self._lock:
                self._file.seek(offset)
                while rest:
                    count = self._file.readinto(rest)
                    if not count:
                        raise self._changed("it was truncated")
                    rest = rest[count:]
        except OSError as fault:
            raise self._unread(fault) from fault

    def _unread(self, fault: OSError) -> RunError:
        return RunError(
            f"{self.path} cannot be read ({fault.strerror or fault}); finished epochs are kept. When the disk is back, "
            f"continue with --resume."
        )

    def _changed(self, how: str, *, trained: bool = False) -> RunError:
        remedy = (
            "some epochs may have been trained on the changed clips. Restore the file, or pack the clips again with "
            "`asl pack`, then start a new run."
            if trained
            else "finished epochs are kept. Restore the file, or pack the clips again with `asl pack`, then continue "
            "with --resume."
        )
        return RunError(
            f"{self.path} was changed while a run reads it ({how}), so its clips are not those that the run "
            f"began with; {remedy}"
        )
