"""Every operation by which a run reaches the disk, counted, so that any one of them can be the last.

The operations are those of the run's folder alone: making folders, taking the lock, opening files for writing, writing,
flushing, renaming, linking. Reading is none of them, nor is removing, which a full disk allows.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

import attrs

__all__ = ["KILL", "Trap", "operations"]

#: to be ended without a word; Windows has another name for it
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


@attrs.frozen
class Trap:
    """Lets the ``number``-th operation on files under ``folder`` (from 1; 0: none) be cut off.

    Args:
        folder: of the runs.
        record: a file outside of it, to which a line is written before each operation: what, and which file.
        number: of the operation.
        end: "full", the disk is full from there on; "kill", the process ends without a word.
        half: let half of the text be written first, where the operation is a write.
    """

    folder: str
    record: str
    number: int = 0
    end: Literal["full", "kill"] = "full"
    half: bool = False

    def set(self) -> None:
        """Put this in the place of the process's operations on files, for the rest of its life."""
        _Patched(self).apply()


def operations(record: Path) -> list[tuple[str, str]]:
    """What and which file, of each operation that was reached."""
    if not record.is_file():
        return []
    lines = record.read_text(encoding="utf-8").splitlines()
    return [(what, name) for what, _, name in (line.partition(" ") for line in lines)]


class _Patched:
    def __init__(self, trap: Trap):
        self.trap = trap
        self.folder = Path(trap.folder).absolute()
        self.count = 0
        self.record = Path(trap.record).open("w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
        self.fds: dict[int, str] = {}

    def within(self, path: Any) -> bool:
        return self.folder in Path(path).absolute().parents

    def reach(self, what: str, path: Any, part: Callable[[], object] | None = None) -> None:
        """Before an operation: count it, and fail or end if it is its turn. ``part`` writes half of a text."""
        self.count += 1
        self.record.write(f"{what} {Path(path).absolute().relative_to(self.folder).as_posix()}\n")
        self.record.flush()
        if not self.trap.number or self.count < self.trap.number:
            return
        if part is not None and self.trap.half and self.count == self.trap.number:
            part()
        if self.trap.end == "kill":
            os.kill(os.getpid(), KILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def apply(self) -> None:  # noqa: C901 - one function for each call of the system
        path_open, replace, mkdir = Path.open, Path.replace, Path.mkdir
        os_open, fsync, link, copyfile = os.open, os.fsync, os.link, shutil.copyfile

        def opened(path: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
            if not set(mode) & set("wax+") or not self.within(path):
                return path_open(path, mode, *args, **more)
            self.reach("open", path)
            return _File(path_open(path, mode, *args, **more), path, self)

        def replaced(path: Path, target: Any) -> Any:
            if self.within(target):
                self.reach("rename", target)
            return replace(path, target)

        def made(path: Path, *args: Any, **more: Any) -> None:
            if self.within(path) and not path.exists():
                self.reach("mkdir", path)
            mkdir(path, *args, **more)

        def lock_opened(path: Any, flags: int, *args: Any, **more: Any) -> int:
            if flags & os.O_CREAT and self.within(path) and not Path(path).exists():
                self.reach("lock", path)
            return os_open(path, flags, *args, **more)

        def flushed(fd: int) -> None:
            if fd in self.fds:
                self.reach("flush", self.fds[fd])
            fsync(fd)

        def linked(source: Any, target: Any, **more: Any) -> None:
            if self.within(target):
                self.reach("link", target)
            link(source, target, **more)

        def copied(source: Any, target: Any, **more: Any) -> Any:
            if self.within(target):
                self.reach("copy", target)
            return copyfile(source, target, **more)

        changes = [(Path, "open", opened), (Path, "replace", replaced), (Path, "mkdir", made)]
        changes += [(os, "open", lock_opened), (os, "fsync", flushed), (os, "link", linked)]  # type: ignore[list-item]
        changes += [(shutil, "copyfile", copied)]  # type: ignore[list-item]
        for owner, name, function in changes:
            setattr(owner, name, function)


class _File:
    """A file open for writing, whose writes are counted."""

    def __init__(self, file: Any, path: Path, patched: _Patched):
        self.file, self.path, self.patched = file, path, patched
        patched.fds[file.fileno()] = str(path)

    def write(self, content: Any) -> int:
        def half() -> None:
            self.file.write(content[: len(content) // 2])
            self.file.flush()

        self.patched.reach("write", self.path, half)
        return int(self.file.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.patched.fds.pop(self.file.fileno(), None)
        self.file.close()
