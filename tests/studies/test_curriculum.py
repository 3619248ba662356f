"""Stages in order: done ones skipped, cut ones resumed to the same bits, changes refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from asl_core.cli import main
from asl_core.config.sources import flag_layer
from asl_core.errors import ConfigError, UsageError
from asl_core.studies.curriculum import load_curriculum, run_curriculum

TWO = """
name = "two"

[common.dataset]
name = "demo"
glosses = 6
train = 6
val = 2

[common.encoder]
name = "gru"
hidden-size = 8
front-size = 8

[common.train]
epochs = 3
batch-size = 8

[common.run]
device = "cpu"
threads = 1

[[stage]]
name = "one"

[[stage]]
name = "two"
init = "one"
[stage.train]
epochs = 2
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.toml"
    path.write_text(TWO)
    return path


def outcome(folder: Path) -> dict[str, bytes]:
    names = ("metrics.jsonl", "best.safetensors", "predictions-val.csv")
    return {f"{stage}/{n}": (folder / stage / n).read_bytes() for stage in ("one", "two") for n in names}


@pytest.mark.slow
def test_stages_run_in_order_and_are_skipped_when_done(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run_curriculum(load_curriculum(file))
    assert [r.done_before for r in first] == [False, False]
    assert [r.summary["epochs"] for r in first] == [3, 2]
    before = outcome(Path("runs/two"))
    assert [r.done_before for r in run_curriculum(load_curriculum(file))] == [True, True]
    assert outcome(Path("runs/two")) == before


@pytest.mark.slow
def test_second_stage_starts_from_the_first(file: Path) -> None:
    """With a learning rate of almost nothing the encoder of stage two is that of stage one."""
    import torch

    from asl_core import api

    file.write_text(
        TWO.replace("[stage.train]\nepochs = 2", "[stage.train]\nepochs = 1\nlearning-rate = 1e-12\nema = 0")
    )
    one, two = (api.load(r.path).model.encoder.state_dict() for r in run_curriculum(load_curriculum(file)))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_command_line_ends_with_one_table(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["run", str(file), "--quiet", "--seed", "3"])
    said = capsys.readouterr()
    assert stop.value.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[-3].split()[:3] == ["stage", "from", "encoder"]
    assert lines[-2].startswith("one")
    assert lines[-1].split()[:2] == ["two", "one"]
    assert "seed = 3" in Path("runs/two/two/config.toml").read_text()


KILLED = """
import os, signal, sys
from asl_core.cli import main
from asl_core.files.rundir import RunDir

whole = RunDir.write_history
def until_second(run, history):
    whole(run, history)
    if run.path.name == sys.argv[1] and len(history) == 2:
        os.kill(os.getpid(), signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
RunDir.write_history = until_second
main(sys.argv[2:])
"""


@pytest.mark.slow
def test_killed_and_started_again_ends_with_the_same_bytes(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in either stage; the same command finishes it."""
    file.write_text(TWO.replace("epochs = 3", "epochs = 4").replace("epochs = 2\n", "epochs = 4\n"))
    run_curriculum(load_curriculum(file))
    whole = outcome(Path("runs/two"))
    words = ["run", str(file), "--quiet"]
    for stage in ("one", "two"):
        elsewhere = tmp_path / f"killed in {stage}"  # the same relative paths, which stand in the files
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        killed = subprocess.run([sys.executable, "-c", KILLED, stage, *words], capture_output=True, check=False)
        assert killed.returncode not in (0, 1, 2), killed.stderr
        assert (Path("runs/two") / stage / "metrics.jsonl").read_text().count("\n") == 2
        assert not (Path("runs/two") / stage / "summary.json").exists(), "it was done before it was killed"
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert not stop.value.code
        assert outcome(Path("runs/two")) == whole


@pytest.mark.slow
def test_a_changed_curriculum_is_refused_and_nothing_is_lost(file: Path) -> None:
    run_curriculum(load_curriculum(file))
    before = outcome(Path("runs/two"))
    file.write_text(TWO.replace("epochs = 2", "epochs = 4"))
    with pytest.raises(UsageError, match=r"stage 'two' was begun with other settings: train.epochs was 2 and is 4"):
        run_curriculum(load_curriculum(file))
    assert outcome(Path("runs/two")) == before


@pytest.mark.slow
def test_a_later_stage_may_be_added(file: Path) -> None:
    run_curriculum(load_curriculum(file))
    file.write_text(TWO + '\n[[stage]]\nname = "three"\ninit = "two"\n[stage.train]\nepochs = 1\n')
    assert [r.done_before for r in run_curriculum(load_curriculum(file))] == [True, True, False]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('init = "one"', 'init = "two"', "names the stage itself"),
        ('name = "one"', 'name = "one"\ninit = "two"', "comes later"),
        ('init = "one"', 'init = "onne"', "did you mean 'one'"),
        ('name = "two"\ninit', 'name = "one"\ninit', "more than once"),
        ('name = "two"\ninit', 'name = "../two"\ninit', "can be a folder"),
        ("[common.train]", "[commmon.train]", "did you mean 'common'"),
        ("epochs = 2", "epochs = 0", "stage 'two'"),
        ("[stage.train]", "[stage.trian]", "stage 'two'"),
    ],
)
def test_faults_are_found_before_anything_runs(file: Path, old: str, new: str, text: str) -> None:
    assert old in TWO
    file.write_text(TWO.replace(old, new))
    with pytest.raises(ConfigError, match=text):
        load_curriculum(file)
    assert not Path("runs").exists()


def test_a_flag_of_one_stage(file: Path) -> None:
    """It beats the file and the flags of all stages; a stage that there is not is named with those there are."""
    flags = flag_layer({"train.epochs": "5", "stage.one.train.epochs": "4", "stage.two.encoder.hidden-size": "8"})
    one, two = (stage.config for stage in load_curriculum(file, flags).stages)
    assert (one.train.epochs, two.train.epochs) == (4, 5)
    assert str(two.origins["encoder.hidden-size"]) == "flag --stage.two.encoder.hidden-size"
    with pytest.raises(ConfigError, match=r"stage.three.train.epochs: expected stage.NAME.KEY, NAME one of one, two"):
        load_curriculum(file, flag_layer({"stage.three.train.epochs": "4"}))
    with pytest.raises(ConfigError, match=r"expected stage.NAME.KEY"):
        load_curriculum(file, flag_layer({"stage.one": "4"}))


def test_faults_of_all_stages_at_once(file: Path) -> None:
    file.write_text(TWO.replace("epochs = 2", "epochs = 0").replace("hidden-size = 8", "hidden-size = 0"))
    with pytest.raises(ConfigError) as refused:
        load_curriculum(file)
    assert len(refused.value.problems) == 3


@pytest.mark.slow
def test_plan_is_kept(file: Path) -> None:
    run_curriculum(load_curriculum(file))
    plan = json.loads(Path("runs/two/curriculum.json").read_text())
    assert plan["one"]["train.epochs"] == 3
