"""What a process holds: its memory and its open files, as the operating system counts them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["memory", "open_files", "own_memory"]

_STATUS = Path("/proc/self/status")
_FILES = (Path("/proc/self/fd"), Path("/dev/fd"))
MIB = 2**20


def _of_status(key: str) -> int | None:
    if not _STATUS.is_file():
        return None
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


def memory() -> int | None:
    """Bytes in memory now, mapped files included; where Linux does not tell, the most there ever were.

    That most grows whenever memory grows beyond what was there before, so it shows a leak as well. None on Windows,
    whose count the standard library does not reach.
    """
    if (now := _of_status("VmRSS")) is not None:
        return now
    try:
        import resource
    except ImportError:
        return None
    most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def own_memory() -> int | None:
    """Bytes in memory that are this process's own: pages of mapped files, which the system takes back when it needs
    them, are left out. None where only Linux could tell."""
    return _of_status("RssAnon")


def open_files() -> int | None:
    """Open file descriptors, or None where the system does not list them."""
    for folder in _FILES:
        if folder.is_dir():
            return len(os.listdir(folder)) - 1  # noqa: PTH208 - the one that lists is open too, and Path keeps it no longer
    return None
