"""What reading costs: processor time, and the most memory that the process had, measured as it happens on Linux."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

__all__ = ["Cost", "allowance", "seconds_for"]

_RESET = Path("/proc/self/clear_refs")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def allowance(size: int, times: int = 10) -> int:
    """Bytes that reading a file of ``size`` bytes may take beyond interpreter and libraries."""
    return (64 << 20) + times * size


def seconds_for(size: int) -> float:
    """Processor time that reading may take: 5 s for 10 MB, and not as much for a smaller file."""
    return min(5.0, 2.5 + 0.25 * size / 2**20)


class Cost:
    """From where it is made to :meth:`stop`. Memory is that of the whole process, so what it reuses is not seen."""

    def __init__(self) -> None:
        self.memory = 0
        self._linux = sys.platform.startswith("linux")
        if self._linux:
            try:
                _RESET.write_bytes(b"5")  # the highest mark so far is forgotten
            except OSError:
                self._linux = False  # a container may forbid it
        self._before = self._pages() * _PAGE if self._linux else 0
        self._begun = time.process_time()
        self.seconds = 0.0

    @staticmethod
    def _pages() -> int:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a hundred thousand times
            return int(file.read().split()[1])

    def stop(self) -> Cost:
        """Seconds of the processor and bytes of memory since; no bytes are known elsewhere than on Linux."""
        self.seconds = time.process_time() - self._begun
        if self._linux:
            with open("/proc/self/status", "rb") as file:  # noqa: PTH123
                line = next(line for line in file if line.startswith(b"VmHWM"))
            self.memory = max(0, int(line.split()[1]) * 1024 - self._before)
        return self
