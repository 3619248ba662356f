"""A file is the one before or the one after, never half of one."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asl_core import RunError
from asl_core.files.atomic import keep_as, move, sync_folder, write_bytes, write_text


def test_new_and_over_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    write_bytes(path, b"one\r\n")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]


def test_text_is_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "手\n")
    assert (tmp_path / "x").read_bytes() == "手".encode() + b"\n"


@pytest.mark.parametrize("where", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    path = tmp_path / "x"
    write_bytes(path, b"old")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(where, full)
    with pytest.raises(RunError, match=r"cannot be written \(No space left on device\).*unchanged") as raised:
        write_bytes(path, b"new and longer")
    assert raised.value.exit_code == 1
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"], "the half-written one takes no room"


def test_the_disk_has_it_before_the_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    seen: list[tuple[str, bool]] = []
    real = os.fsync

    def flushed(descriptor: int) -> None:
        real(descriptor)
        seen.append(("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file", path.exists()))

    monkeypatch.setattr(os, "fsync", flushed)
    write_bytes(path, b"content")
    keep_as(path, tmp_path / "y")
    move(path, tmp_path / "z")
    renames = [("folder", True), ("folder", False)] if os.name != "nt" else []
    assert seen == [("file", False), *renames[:1], *renames]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["y", "z"]


@pytest.mark.skipif(os.name == "nt", reason="folders are not flushed there")
def test_a_file_system_that_flushes_no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuses)
    code = errno.EINVAL
    sync_folder(tmp_path)
    code = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync_folder(tmp_path)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        write_text(tmp_path / "gone" / "x", "")


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill is TerminateProcess there, and SIGKILL has no name")
def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    script = (
        "import os, signal, sys, pathlib\n"
        "from asl_core.files import atomic\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "atomic.write_bytes(pathlib.Path(sys.argv[1]), b'new' * 1000)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_bytes() == b"old"
    write_bytes(path, b"next")  # what the kill left behind is in nobody's way
    assert path.read_bytes() == b"next"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
