"""The run directory: one writer, nothing overwritten, every file whole."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import filelock

from asl_core.errors import CheckpointError, RunError, UsageError, as_word
from asl_core.files.atomic import keep_as, move, sync_folder, write_text
from asl_core.files.bounded import plain, read_json
from asl_core.files.paths import TRAINED_ON, is_folder_name, of_curriculum, refuse_links
from asl_core.text import json_text, one_line

__all__ = ["RunDir"]

#: files of a run directory before config.toml is written
_UNBEGUN = (".lock", "config.toml.part")


class RunDir:
    """Paths of a run's files, and its lock, which the operating system releases when the process dies."""

    def __init__(self, path: Path):
        self.path = path
        self.config = path / "config.toml"
        self.audit = path / "audit.json"
        self.transfer = path / "transfer.json"
        self.trained_on = path / TRAINED_ON
        self.metrics = path / "metrics.jsonl"
        self.timings = path / "timings.jsonl"
        self.best = path / "best.safetensors"
        self.final = path / "final.safetensors"
        self.last = path / "last" / "state.safetensors"
        self.previous = path / "last" / "previous.safetensors"
        self.continues = path / "continues.json"  # path of the run that it extends
        self.next = path / "last" / "next.safetensors"
        self.summary = path / "summary.json"
        self.environment = path / "environment.json"
        self.log = path / "log.txt"
        self._lock = filelock.FileLock(path / ".lock", timeout=0)

    @classmethod
    def create(cls, out: Path, name: str | None, stem: str) -> RunDir:
        """A new directory: ``out/name``, or ``out/stem-1``, ``-2``, … where no name is given.

        Raises:
            UsageError: it exists, or cannot be made.
        """
        if name is not None and not is_folder_name(name):
            raise UsageError(f"run name {name!r} is not a folder name; give a plain --name, and the folder with --out.")
        try:
            out.mkdir(parents=True, exist_ok=True)
            for number in itertools.count(1):
                run = cls(out / (name or f"{stem}-{number}"))
                with contextlib.suppress(FileExistsError):
                    run.path.mkdir()
                    sync_folder(out)
                    return run
                if name is not None:
                    # A kill before the first file leaves an empty directory, whose name stays usable.
                    if run.path.is_dir() and all(p.name in _UNBEGUN for p in run.path.iterdir()):
                        refuse_links(run.path)  # or the lock would be made where a link leads
                        return run
                    raise run.taken()
        except OSError as fault:
            raise UsageError(
                f"run directories cannot be made in {out} ({fault.strerror or fault}); choose a folder you can write "
                f"to with --out."
            ) from fault
        raise AssertionError("unreachable: there is a number for every run")

    def taken(self) -> UsageError:
        """The error where a new run would overwrite this one."""
        if not self.config.is_file():
            if self.path.is_symlink() and not self.path.exists():
                return UsageError(f"{self.path} is a broken link; remove it, or choose another --name.")
            return UsageError(f"{self.path} exists and is not a run, and is left as it is; choose another --name.")
        return UsageError(
            f"run directory {self.path} exists, and a run is never overwritten; continue it with `asl run --resume "
            f"{as_word(self.path)}`, or choose another --name."
        )

    @staticmethod
    def clear_if_unbegun(path: Path) -> None:
        """Remove a run directory in which a kill or a full disk left only the lock."""
        if path.is_dir() and all(p.name in _UNBEGUN for p in path.iterdir()):
            for left in path.iterdir():
                left.unlink()
            path.rmdir()

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """An existing run.

        Raises:
            UsageError: there is none at ``path``.
        """
        run = cls(path)
        refuse_links(path)
        if (path / "curriculum.json").is_file():
            advice = of_curriculum(path, "asl run --resume {}")
            raise UsageError(f"{advice} `asl run FILE.toml` of its file continues all of them.")
        if not run.config.is_file():
            raise UsageError(
                f"{path} is not a run directory (it has no config.toml); expected one that `asl run` made."
            )
        return run

    def lock(self) -> None:
        """Lock the run for this process until :meth:`release` or its end.

        Raises:
            UsageError: another process holds the lock.
        """
        try:
            self._lock.acquire()
        except filelock.Timeout as fault:
            raise UsageError(
                f"run {self.path} is being written by another process; wait for it, or stop it first.{self._holder()}"
            ) from fault
        except (OSError, NotImplementedError) as fault:  # the latter where a file system has no locks
            raise UsageError(
                f"run {self.path} cannot be locked ({fault}); choose a folder on a local disk that you can write to."
            ) from fault

    def _holder(self) -> str:
        """What to do on a file system without locks, where the file names its holder and survives a lost machine.

        Locks of the operating system leave the file empty.
        """
        try:
            with Path(self._lock.lock_file).open(encoding="utf-8", errors="replace") as file:
                holder = file.read(1000).split("\n")
        except OSError:
            return ""
        if len(holder) < 2:
            return ""
        return (
            f" The file system has no locks; {self._lock.lock_file} replaces one, and machine {holder[1]!r} holds it. "
            f"If that machine is gone, as after a notebook's disconnect, remove the file and resume."
        )

    @property
    def has_state(self) -> bool:
        """Whether there is a state to resume from."""
        return any(file.is_file() for file in (self.next, self.last, self.previous))

    def settle(self) -> None:
        """Make the new state the last one, and the last one the previous.

        The new state is complete under a third name before the oldest is replaced, so that two whole states exist
        whenever a kill comes. A resume completes an interrupted change.
        """
        if self.next.is_file():
            if self.last.is_file():
                keep_as(self.last, self.previous)
            move(self.next, self.last)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def write_history(self, history: Iterable[Mapping[str, Any]]) -> None:
        """Write ``metrics.jsonl``; it has no times, so that equal runs have equal files."""
        write_text(
            self.metrics, "".join(json.dumps(plain(entry), sort_keys=True, allow_nan=False) + "\n" for entry in history)
        )

    def write_json(self, path: Path, value: Any) -> None:
        """Write an indented JSON file."""
        write_text(path, json_text(plain(value), indent=2, sort_keys=True, default=str) + "\n")

    def note(self, *lines: str) -> None:
        """Append to ``log.txt``."""
        self._append(self.log, "".join(f"{one_line(line)}\n" for line in lines))

    def note_processes(self, size: int) -> list[str]:
        """Record the number of processes of a run; returns a note where it changed.

        Checkpoints do not depend on it. But gradients are summed in another order, and each process draws dropout for
        its own clips, so that after a change the bits differ from those of an unchanged run.
        """
        if self.summary.is_file():
            return []  # it is done
        environment = read_json(self.environment, "Restore the file, or start a new run from its config.toml.")
        numbers: list[int] = environment.get("processes", [1])
        if not isinstance(numbers, list) or not numbers or not all(type(n) is int for n in numbers):
            raise CheckpointError(
                f"{self.environment} says of the run's processes {str(numbers)[:80]}; expected a list of their "
                f"numbers, such as [1]. Restore the file, or start a new run from its config.toml."
            )
        if numbers[-1] != size:
            numbers = [*numbers, size] if self.has_state else [size]
        if numbers != environment.get("processes", [1]):
            self.write_json(self.environment, environment | {"processes": numbers})
        if len(numbers) == 1:
            return []
        note = (
            f"{', then '.join(map(str, numbers))} processes train this run: its result is as good as with a constant "
            f"number, but not equal to the bit"
        )
        self.note(note)
        return [note]

    def note_timing(self, entry: Mapping[str, Any]) -> None:
        """Append to ``timings.jsonl``."""
        self._append(self.timings, json.dumps(entry) + "\n")

    @staticmethod
    def _append(path: Path, text: str) -> None:
        size = None
        try:
            content = path.read_bytes() if path.is_file() else b""
            size = content.rfind(b"\n") + 1
            if size < len(content):  # a kill left half a line
                os.truncate(path, size)
            with path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(text)
        except OSError as fault:
            if size is not None:
                with contextlib.suppress(OSError):  # half a line would be read as a whole one
                    os.truncate(path, size)
            raise RunError(
                f"{path} cannot be written ({fault.strerror or fault}); make room, then continue with --resume."
            ) from fault
