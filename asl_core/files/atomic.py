"""Writing files so that a kill or a full disk leaves the previous one whole."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from asl_core.errors import RunError

__all__ = ["keep_as", "move", "sync_folder", "write_bytes", "write_text"]


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary name beside ``path``, flush to the disk, rename over it.

    Raises:
        RunError: it cannot be written (disk full, folder read-only, …); what stood at ``path`` is untouched.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        with _new(temporary) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as fault:
        with contextlib.suppress(OSError):  # the error that matters is the first
            temporary.unlink()
        raise RunError(
            f"{path} cannot be written ({fault.strerror or fault}); the file that was there is untouched. Make room "
            f"or choose another folder; a run that was begun goes on with --resume."
        ) from fault


def write_text(path: Path, content: str) -> None:
    """:func:`write_bytes` in UTF-8 with Unix line ends on every system.

    Bytes of a file's name that are not UTF-8 are written as escapes, which JSON reads as what they were.
    """
    write_bytes(path, content.encode("utf-8", errors="backslashreplace"))


def _new(path: Path) -> BinaryIO:
    """A new file to write, never one that is there: a link in somebody else's folder would lead to another file."""
    path.unlink(missing_ok=True)  # what a kill left, or a link, which goes and leaves what it leads to alone
    return path.open("xb")


def keep_as(path: Path, other: Path) -> None:
    """Let ``other`` be what ``path`` is now, whatever is written to ``path`` later; at no moment is either missing.

    A second name for the same bytes where the file system has such, else a copy.

    Raises:
        RunError: it cannot be written; both are as they were.
    """
    temporary = other.with_name(f"{other.name}.part")
    try:
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError:  # no second names here
            with path.open("rb") as source, _new(temporary) as file:
                shutil.copyfileobj(source, file)
                file.flush()
                os.fsync(file.fileno())
        # Two names of one file: rename(2) would leave both where ``other`` is that file already.
        if other.exists() and other.samefile(temporary):
            temporary.unlink()
        else:
            temporary.replace(other)
            sync_folder(other.parent)
    except OSError as fault:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise RunError(
            f"{other} cannot be written ({fault.strerror or fault}); {path.name} beside it is untouched. Make room, "
            f"then go on with --resume."
        ) from fault


def move(path: Path, other: Path) -> None:
    """Rename over ``other``, and let the disk have it.

    Raises:
        RunError: it cannot be done; both are as they were.
    """
    try:
        path.replace(other)
        sync_folder(other.parent)
    except OSError as fault:
        raise RunError(
            f"{path} cannot be renamed to {other.name} ({fault.strerror or fault}); make room, or put the folder back, "
            f"then go on with --resume."
        ) from fault


def sync_folder(folder: Path) -> None:
    """Let the disk have the names of a folder's files: after a loss of power a rename without it may not have been.

    Windows, and some file systems of networks, have no such call; there the names follow in their own time.
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
