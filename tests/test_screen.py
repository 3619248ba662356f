"""A screen that cannot be written stops no command."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hosts import SETTINGS
from small import flags

from asl_core.cli import main
from asl_core.cli.screen import lasting_screen


def closed_pipe() -> io.TextIOWrapper:
    """What a command writes to when ``head`` has gone away."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w", encoding="utf-8")


def full_device() -> io.TextIOWrapper:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    return open("/dev/full", "w", encoding="utf-8")  # noqa: PTH123


SCREENS = {"full": full_device, "closed": closed_pipe}


def code(screen: str, *arguments: str) -> int:
    """The exit code of a command on such a screen."""
    stream = SCREENS[screen]()
    with mock.patch.object(sys, "stdout", stream), pytest.raises(SystemExit) as ended:
        main(arguments)
    stream.close()  # nothing is left in it: closing writes what is
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("how", ["", "--json", "--quiet"])
def test_a_run_goes_on(screen: str, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = SETTINGS | {"run.out": str(tmp_path), "run.name": "a"}
    assert code(screen, "run", *flags(values), *filter(None, [how])) == 0
    assert (tmp_path / "a" / "summary.json").is_file()
    said = capsys.readouterr().err
    assert said.count("training continues") == 1, said
    assert "raised" not in said, "no observer was left out"


@pytest.mark.parametrize("screen", SCREENS)
def test_another_verb(screen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(screen, "ls", "encoder") == (1 if screen == "full" else 0)
    said = capsys.readouterr().err
    assert ("error: the output cannot be written" in said) == (screen == "full")
    assert "fault of asl" not in said


@pytest.mark.parametrize("screen", SCREENS)
def test_the_fault_of_a_command_is_told_all_the_same(screen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(screen, "eval", "nowhere") == 2
    assert "error: nowhere" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_an_encoding_that_lacks_characters(encoding: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding=encoding, errors="strict") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with lasting_screen(lambda fault: pytest.fail(str(fault))):
            sys.stdout.write("手 \udcff\n")
    written = (tmp_path / "out").read_bytes()
    assert written == ("手" if encoding == "utf-8" else "\\u624b").encode() + b" \\udcff" + os.linesep.encode()


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_what_is_no_file_is_left_as_it_is(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    with lasting_screen(lambda fault: pytest.fail(str(fault))):
        assert sys.stdout is stream
    assert sys.stdout is stream


def test_a_full_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = full_device()
    monkeypatch.setattr(sys, "stderr", stream)
    assert code("full", "eval", "nowhere") == 2
    stream.close()
