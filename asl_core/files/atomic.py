"""Atomic writes: a kill or a full disk leaves the previous file whole."""

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
    """Write to a temporary name beside ``path``, flush to the disk, and rename.

    Raises:
        RunError: it cannot be written (disk full, folder read-only, …); ``path`` is unchanged.
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
            f"{path} cannot be written ({fault.strerror or fault}); the previous file is unchanged. Make room or "
            f"choose another folder; an interrupted run continues with --resume."
        ) from fault


def write_text(path: Path, content: str) -> None:
    """:func:`write_bytes` in UTF-8 with Unix line ends on every system.

    Bytes of file names that are not UTF-8 are written as escapes, which JSON reads back.
    """
    write_bytes(path, content.encode("utf-8", errors="backslashreplace"))


def _new(path: Path) -> BinaryIO:
    """A new file to write; never an existing one, since a link in a shared folder would lead to another file."""
    path.unlink(missing_ok=True)  # left by a kill, or a link, whose target stays
    return path.open("xb")


def keep_as(path: Path, other: Path) -> None:
    """Keep the current content of ``path`` as ``other``; at no moment is either missing.

    A hard link where the file system has them, else a copy.

    Raises:
        RunError: it cannot be written; both are unchanged.
    """
    temporary = other.with_name(f"{other.name}.part")
    try:
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError:  # no hard links here
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
            f"{other} cannot be written ({fault.strerror or fault}); {path.name} beside it is unchanged. Make room, "
            f"then continue with --resume."
        ) from fault


def move(path: Path, other: Path) -> None:
    """Rename to ``other``, replacing it, and flush.

    Raises:
        RunError: it cannot be done; both are unchanged.
    """
    try:
        path.replace(other)
        sync_folder(other.parent)
    except OSError as fault:
        raise RunError(
            f"{path} cannot be renamed to {other.name} ({fault.strerror or fault}); make room, or put the folder back, "
            f"then continue with --resume."
        ) from fault


def sync_folder(folder: Path) -> None:
    """Flush the names of a folder's files: without it a rename may be lost in a power failure.

    Windows and some network file systems have no such call.
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
