"""A run is gone on with elsewhere, on something else, for longer; and what is missing is reported."""

from __future__ import annotations

import functools
import json
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hosts import SETTINGS, Stop, content

from asl_core import api
from asl_core.checkpoints.format import load_tensors
from asl_core.cli import main
from asl_core.errors import AslError, CheckpointError, UsageError

#: no epoch is better than the first
STALE = {**SETTINGS, "train.learning-rate": 1e-12, "train.ema": 0, "train.select": "top1"}


class Says(Stop):
    """Keeps what a run says at its start."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done = -1

    def on_start(self, config: object, summary: Any) -> None:
        self.notes, self.done = list(summary["notes"]), summary["done"]

    def on_epoch(self, report: object) -> None: ...


@functools.cache
def original(epochs: int = 3) -> tuple[Path, Path]:
    """A folder with pickles, and a run on them that was cut off after its first epoch."""
    place = Path(tempfile.mkdtemp())
    demo = api.configure({"dataset.glosses": 3, "dataset.train": 3, "dataset.val": 1}, environ={}).dataset.build()
    (place / "data").mkdir()
    for split in ("train", "val"):
        clips = {c.id: {"features": c.features, "gloss": c.glosses[0]} for c in demo.clips(split)}
        (place / "data" / f"features_{split}_demo.pkl").write_bytes(pickle.dumps(clips))
    values = {k: v for k, v in SETTINGS.items() if not k.startswith("dataset")}
    values |= {"dataset": "wlasl", "dataset.root": str(place / "data"), "train.epochs": epochs}
    values |= {"run.out": str(place), "run.name": "run"}
    with pytest.raises(KeyboardInterrupt):
        api.run(api.configure(values, environ={}), [Stop()])
    whole = shutil.copytree(place / "run", place / "whole")
    api.resume(whole)
    return place / "data", place / "run"


def copied(place: Path, name: str = "run") -> Path:
    """The run that was cut off, or that to its end, in a folder of its own."""
    run = original()[1]
    return shutil.copytree(run.parent / name, place / name)


@functools.cache
def whole() -> dict[str, bytes]:
    return content(original()[1].parent / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["values", "the command line", "ASL_DATA"])
def test_the_data_are_elsewhere(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = original()
    run, says = copied(tmp_path), Says()
    moved = tmp_path / "moved"
    data.rename(moved)
    try:
        with pytest.raises(AslError, match="data"):
            api.resume(run)
        if how == "the command line":
            with pytest.raises(SystemExit) as ended:
                main(["run", "--resume", str(run), "--dataset.root", str(moved), "--quiet"])
            assert ended.value.code == 0
        elif how == "values":
            api.resume(run, [says], values={"dataset.root": moved})
        else:
            monkeypatch.setenv("ASL_DATA", str(moved))
            api.resume(run, [says])
            assert any(f"dataset.root is {moved} (environment variable ASL_DATA)" in note for note in says.notes)
        assert content(run) == whole()
        assert api.evaluate_run(run, device="cpu")[0]["clips"] == 3, "the weights know where the data are"
    finally:
        moved.rename(data)


def test_a_variable_does_not_lead_a_run_away_from_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASL_DATA", str(tmp_path))
    run = copied(tmp_path)
    api.resume(run)
    assert content(run) == whole()


def test_other_data_are_refused(tmp_path: Path) -> None:
    data, _ = original()
    run = copied(tmp_path)
    other = shutil.copytree(data, tmp_path / "other")
    clips = pickle.loads((other / "features_train_demo.pkl").read_bytes())
    next(iter(clips.values()))["features"] += 0.5
    (other / "features_train_demo.pkl").write_bytes(pickle.dumps(clips))
    with pytest.raises(CheckpointError, match="trained on other clips"):
        api.resume(run, values={"dataset.root": other})


def test_other_settings_are_refused_all_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = copied(tmp_path)
    with pytest.raises(UsageError, match=r"and run\.seed, encoder\.hidden-size, loss\.ctc-weight would change them"):
        api.resume(run, values={"run.seed": 1, "encoder.hidden-size": 4, "loss.ctc-weight": 0.5, "run.threads": 1})
    with pytest.raises(SystemExit) as ended:
        main(["run", "x.toml", "--resume", str(run), "--seed", "1", "--run.device", "cpu", "--name", "b",
              "--set", "train.ema=0", "--hidden", "3"])  # fmt: skip
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    for name in ("x.toml", "--seed", "--name", "--set train.ema=0", "--hidden"):
        assert name in said.partition("would change")[0], name
    assert "--run.device, " not in said.partition("would change")[0]
    assert "--dataset.root" in said


@pytest.mark.slow
def test_another_number_of_threads_and_another_torch_are_said_and_kept(tmp_path: Path) -> None:
    run, says = copied(tmp_path), Says()
    environment = run / "environment.json"
    kept = json.loads(environment.read_text(encoding="utf-8"))
    kept["packages"]["torch"] = "1.0"
    kept["plugins"]["stranger:thing"] = "3"
    environment.write_text(json.dumps(kept))
    api.resume(run, [says], values={"run.threads": 2})
    (note,) = [n for n in says.notes if "in other circumstances" in n]
    assert "threads was 1 and is 2" in note
    assert f"torch was 1.0 and is {torch.__version__}" in note
    assert "stranger" not in note
    assert "may differ in bits" in note
    assert note in (run / "log.txt").read_text(encoding="utf-8")
    (entry,) = json.loads(environment.read_text(encoding="utf-8"))["resumed"]
    assert entry == {"after_epoch": 1, "now": {"threads": 2, "torch": torch.__version__}}


def test_nothing_is_said_where_all_is_as_it_was(tmp_path: Path) -> None:
    run, says = copied(tmp_path), Says()
    before = (run / "environment.json").read_bytes()
    api.resume(run, [says])
    assert not [n for n in says.notes if "was" in n]
    assert (run / "environment.json").read_bytes() == before


def test_a_state_that_was_removed_is_missed(tmp_path: Path) -> None:
    run = copied(tmp_path)
    shutil.rmtree(run / "last")
    before = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(CheckpointError, match=r"has finished epochs \(1 in metrics\.jsonl\).*is missing.*--init run:"):
        api.resume(run)
    assert (run / "metrics.jsonl").read_bytes() == before
    finished = copied(tmp_path, "whole")
    shutil.rmtree(finished / "last")
    with pytest.raises(CheckpointError, match="is missing"):
        api.resume(finished)


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_the_best_weights_are_gone(damage: str, tmp_path: Path) -> None:
    run, says = copied(tmp_path), Says()
    best = run / "best.safetensors"
    written = best.read_bytes()
    if damage == "missing":
        best.unlink()
    else:
        best.write_bytes(written[:-1])

    class First(Says):
        def on_start(self, config: object, summary: Any) -> None:
            super().on_start(config, summary)
            assert best.read_bytes() == written, "the last epoch was the best: its weights are there"
            raise KeyboardInterrupt

    first = First()
    with pytest.raises(KeyboardInterrupt):
        api.resume(run, [first])
    assert any("best.safetensors is missing or damaged: written again" in note for note in first.notes)
    finished = copied(tmp_path, "whole")
    state = load_tensors(finished / "last" / "state.safetensors")
    assert state.meta["progress"]["best_epoch"] == 3, "or this test is of no other epoch"
    api.resume(run, [says])
    assert content(run) == whole()


def test_best_weights_of_an_earlier_epoch_are_missed(tmp_path: Path) -> None:
    found = api.run(api.configure({**STALE, "train.epochs": 2, "run.out": str(tmp_path)}, environ={}))
    assert found.best_epoch == 1
    (found.path / "best.safetensors").unlink()
    says = Says()
    api.resume(found.path, [says])
    assert any("epoch 1 cannot be made again" in note for note in says.notes)


def test_more_epochs_make_a_new_run(tmp_path: Path) -> None:
    first = copied(tmp_path, "whole")
    before = {p: p.read_bytes() for p in first.rglob("*") if p.is_file()}
    says = Says()
    found = api.resume(first, [says], values={"train.epochs": 5})
    assert found.path == tmp_path / "whole-to-5"
    assert says.done == 3
    assert any(f"began with the state of {first} after epoch 3" in note for note in says.notes)
    lines = [json.loads(x) for x in (found.path / "metrics.jsonl").read_text().splitlines()]
    assert [x["epoch"] for x in lines] == [1, 2, 3, 4, 5]
    assert lines[:3] == [json.loads(x) for x in (first / "metrics.jsonl").read_text().splitlines()]
    assert {p: p.read_bytes() for p in first.rglob("*") if p.is_file()} == before, "the first is not touched"
    assert json.loads((found.path / "continues.json").read_text()) == {"run": str(first), "epoch": 3, "epochs": 3}
    assert "epochs = 5" in (found.path / "config.toml").read_text()
    assert api.evaluate_run(found.path, device="cpu")[0]["clips"] == 3
    with pytest.raises(UsageError, match=r"whole-to-5 exists.*--resume"):
        api.resume(first, values={"train.epochs": 5})


@pytest.mark.slow
def test_the_new_run_may_be_cut_off_as_any_other(tmp_path: Path) -> None:
    first = copied(tmp_path, "whole")
    one = api.resume(first, values={"train.epochs": 5, "run.name": "one", "run.out": str(tmp_path / "out")}).path
    assert one == tmp_path / "out" / "one"
    with pytest.raises(KeyboardInterrupt):
        api.resume(first, [Stop()], values={"train.epochs": 5, "run.name": "two"})
    assert content(api.resume(tmp_path / "two").path) == content(one)
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".part")]


def test_more_epochs_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = copied(tmp_path, "whole")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--resume", str(first), "--epochs", "4"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "whole-to-4" in said
    assert f"began with the state of {first} after epoch 3" in said


def test_as_many_epochs_as_it_has_is_a_resume(tmp_path: Path) -> None:
    run = copied(tmp_path)
    assert api.resume(run, values={"train.epochs": 3}).path == run
    assert content(run) == whole()
    with pytest.raises(UsageError, match=r"run\.name would change"):
        api.resume(run, values={"train.epochs": 3, "run.name": "other"})


def test_fewer_epochs_and_no_patience_left_are_refused(tmp_path: Path) -> None:
    first = copied(tmp_path, "whole")
    with pytest.raises(UsageError, match="has trained 3 epochs, and --epochs 2 asks for no more"):
        api.resume(first, values={"train.epochs": 2})
    values = {**STALE, "train.epochs": 5, "train.patience": 1, "run.out": str(tmp_path), "run.name": "tired"}
    tired = api.run(api.configure(values, environ={})).path
    with pytest.raises(UsageError, match=r"none of the last 1 was better.*--patience"):
        api.resume(tired, values={"train.epochs": 6})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tired", "whole"]


def test_a_mean_of_the_last_epochs_is_of_the_new_last_ones(tmp_path: Path) -> None:
    values = {**SETTINGS, "train.epochs": 2, "train.ema": 0, "train.swa-epochs": 2, "run.out": str(tmp_path)}
    first = api.run(api.configure(values | {"run.name": "a"}, environ={})).path
    found = api.resume(first, values={"train.epochs": 4}).path
    state = load_tensors(found / "last" / "state.safetensors").tensors
    assert int(state["ema.n_averaged"]) == 2
