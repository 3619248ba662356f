"""Former names of verbs, flags and arguments: they still work, and one line on standard error names the new form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import asl_core as asl
from asl_core.cli import cli, main
from asl_core.cli.former import FLAGS, VERBS, renamed
from asl_core.evaluation.former_names import former_arguments


@pytest.mark.parametrize(
    ("typed", "meant", "notices"),
    [
        ("data features", "audit features", ["`asl data` is now `asl audit`"]),
        ("audit features", "audit features", []),
        ("eval r --with s --with=t --why", "eval r --ensemble s --ensemble=t --errors",
         ["`--with` is now `--ensemble`", "`--why` is now `--errors`"]),
        ("predict r f --average-views mirror", "predict r f --tta mirror", ["`--average-views` is now `--tta`"]),
        ("run --average-views mirror", "run --average-views mirror", []),
        ("predict r -- --with", "predict r -- --with", []),
        ("", "", []),
    ],
)  # fmt: skip
def test_former_names_are_replaced(
    typed: str, meant: str, notices: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert renamed(typed.split()) == meant.split()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(notices)
    assert all(notice in line for notice, line in zip(notices, lines, strict=True))
    assert renamed(typed.split(), quiet=True) == meant.split()
    assert capsys.readouterr().err == ""


def test_a_former_verb_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["data", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr()
    assert "asl audit" in shown.out
    assert "`asl data` is now `asl audit`" in shown.err


def test_the_new_names_exist_and_the_former_are_not_shown() -> None:
    with cli.make_context("asl", [], resilient_parsing=True) as context:
        assert set(VERBS.values()) <= set(cli.list_commands(context))
        assert not set(VERBS) & set(cli.list_commands(context))
        for verb, flags in FLAGS.items():
            command = cli.get_command(context, verb)
            assert command is not None
            known = {flag for parameter in command.params for flag in parameter.opts}
            assert set(flags.values()) <= known
            assert not set(flags) & known


def test_former_arguments_of_functions() -> None:
    @former_arguments(before="after")
    def function(*, after: int = 0) -> int:
        return after

    former: dict[str, Any] = {"before": 3}
    assert function(after=2) == 2
    with pytest.deprecated_call(match="function: the argument before is now called after"):
        assert function(**former) == 3
    with pytest.deprecated_call(), pytest.raises(TypeError, match="give one of them"):
        function(after=1, **former)


@pytest.mark.parametrize("function", [asl.load, asl.evaluate_run, asl.explain_run, asl.predict_file])
def test_functions_that_take_views_by_the_former_name(function: Any, tmp_path: Path) -> None:
    files = (tmp_path / "x.npy",) if function is asl.predict_file else ()
    with pytest.deprecated_call(match="average_views is now called tta"), pytest.raises(asl.CheckpointError):
        function(tmp_path / "none", *files, average_views=())
