"""What the shell's Tab key offers, by click's own completion in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from asl_core.cli import cli, main


def offered(line: str) -> list[str]:
    """Values for the last word of a command line."""
    *words, last = line.split(" ")
    return [item.value for item in ShellComplete(cli, {}, "asl", "_ASL_COMPLETE").get_completions(words[1:], last)]


def runs(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "config.toml").touch()


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("asl ", {"run", "eval", "help"}),
        ("asl ev", {"eval"}),
        ("asl run --encoder ", {"gru", "transformer", "convformer", "lstm"}),
        ("asl run --seed 1 --encoder g", {"gru"}),
        ("asl run --dataset ", {"demo", "wlasl", "packed"}),
        ("asl run --augment speed,ma", {"speed,mask"}),
        ("asl run --recipe ", {"hands", "hands-stage1", "numbers36"}),
        ("asl run --encoder transformer --encoder.d", {"--encoder.dropout", "--encoder.downsample"}),
        ("asl run --recipe hands --encoder.sto", {"--encoder.stochastic-depth"}),
        ("asl run --loss ctc-isolated --loss.consistency-of ", {"clips", "frames"}),
        ("asl run --freeze ", {"true", "false"}),
        ("asl run --no-such 3 --encoder l", {"lstm"}),
        ("asl show enc", {"encoder"}),
        ("asl show encoder g", {"gru"}),
        ("asl show recipe h", {"hands"}),
        ("asl ls re", {"recipe"}),
        ("asl help gu", {"guide"}),
        ("asl eval gr", {"gru-1", "gru-2"}),
        ("asl predict ", {"gru-1", "gru-2"}),
        ("asl eval gru-1 --ensemble gru-2", {"gru-2"}),
        ("asl eval gru-1 --with gru-2", {"gru-2"}),
        ("asl run --resume gru-", {"gru-1", "gru-2"}),
        ("asl eval gru-1 --weights ", {"final", "best"}),
    ],
)
def test_values_are_offered(line: str, some: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs(tmp_path, "gru-1", "gru-2")
    found = offered(line)
    assert some <= set(found)
    assert all(value.startswith(line.rpartition(" ")[2]) for value in found)


@pytest.mark.parametrize("line", ["asl run --recipe no-such --encoder x", "asl show x y", "asl help x"])
def test_what_is_not_there_offers_nothing(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert offered(line) == []


def test_after_a_wrong_verb_the_verbs_are_offered() -> None:
    assert "run" in offered("asl no-verb ")


def test_without_a_run_of_that_name_a_path_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert offered("asl eval els") == ["els"]
    (tmp_path / "asl.toml").write_text("not TOML", encoding="utf-8")
    assert offered("asl eval els") == ["els"]


def test_the_command_answers_the_shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_ASL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "asl run --encoder tr")
    monkeypatch.setenv("COMP_CWORD", "3")
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 0
    said = capsys.readouterr()
    assert said.out == "plain,transformer\n"
    assert not said.err
