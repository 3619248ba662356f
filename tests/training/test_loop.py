"""The loop: same seed, same bits; resumed, same bits; faults named; every setting does something."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from small import StopAfter, flags, small

from asl_core import api
from asl_core.errors import CheckpointError, ConfigError, RunError
from asl_core.files.rundir import RunDir
from asl_core.training.loop import Progress, Trainer


def run(out: Path, **more) -> api.RunResult:
    return api.run(api.configure(small(out, **more), environ={}))


def files(path: Path) -> dict[str, bytes]:
    """Everything of a run that must not depend on when or how often it was stopped."""
    names = ("metrics.jsonl", "best.safetensors", "final.safetensors", "predictions-val.csv", "last/state.safetensors")
    return {name: (path / name).read_bytes() for name in names}


@pytest.mark.slow
def test_same_seed_same_bytes(tmp_path: Path) -> None:
    one, two = run(tmp_path, run__name="a"), run(tmp_path, run__name="b")
    assert files(one.path) == files(two.path)


@pytest.mark.slow
def test_other_seed_other_bytes(tmp_path: Path) -> None:
    one, two = run(tmp_path, run__name="a"), run(tmp_path, run__name="b", run__seed=1)
    assert files(one.path)["metrics.jsonl"] != files(two.path)["metrics.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"train__ema": 0.0, "train__accumulate": 3}, {"encoder": "transformer"}])
def test_resumed_ends_with_the_same_bytes(tmp_path: Path, settings: dict) -> None:
    if "encoder" in settings:
        settings = {"encoder": "transformer", "encoder__layers": 1}
    whole = api.run(_config(tmp_path, "whole", settings))
    with pytest.raises(KeyboardInterrupt):
        api.run(_config(tmp_path, "cut", settings), [StopAfter(1)])
    resumed = api.resume(tmp_path / "cut")
    assert files(resumed.path) == files(whole.path)
    assert resumed.last == whole.last


def _config(out: Path, name: str, settings: dict):
    values = small(out, run__name=name, **settings)
    if values["encoder"] == "transformer":
        del values["encoder.front-size"]
    return api.configure(values, environ={})


@pytest.mark.slow
def test_killed_process_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL between two epochs, wherever it lands."""
    whole = run(tmp_path, run__name="whole", train__epochs=30)
    values = small(tmp_path, run__name="cut", train__epochs=30)
    command = [sys.executable, "-m", "asl_core", "run", "--quiet", *flags(values)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": ""})
    metrics = tmp_path / "cut" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (metrics.is_file() and metrics.read_text().count("\n") >= 3):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait()
    assert not (tmp_path / "cut" / "final.safetensors").exists(), "the process ended before it was killed"
    resumed = api.resume(tmp_path / "cut")
    assert files(resumed.path) == files(whole.path)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_state_is_told_and_the_one_before_it_used(tmp_path: Path, damage: str) -> None:
    whole = run(tmp_path, run__name="whole")
    with pytest.raises(KeyboardInterrupt):
        api.run(_config(tmp_path, "cut", {}), [StopAfter(2)])
    state = tmp_path / "cut" / "last" / "state.safetensors"
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(content[:1000] if damage == "cut" else content)
    said = Said()
    resumed = api.resume(tmp_path / "cut", [said])
    assert said.done == 1
    assert any("is damaged" in note and "after epoch 1" in note for note in said.notes)
    assert files(resumed.path) == files(whole.path)
    names = ["previous.safetensors", "state.safetensors"]
    assert sorted(p.name for p in (resumed.path / "last").iterdir()) == names
    assert (resumed.path / "last" / names[0]).read_bytes() == (whole.path / "last" / names[0]).read_bytes()


class Said(StopAfter):
    """Keeps what a run says at its start."""

    def __init__(self) -> None:
        super().__init__(-1)

    def on_start(self, config, summary) -> None:
        self.notes, self.done = summary["notes"], summary["done"]


def test_damaged_with_nothing_before_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        api.run(_config(tmp_path, "cut", {}), [StopAfter(1)])
    (tmp_path / "cut" / "last" / "state.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no state before it"):
        api.resume(tmp_path / "cut")


@pytest.mark.slow
def test_resume_of_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, run__name="a")
    before = files(done.path)
    api.resume(done.path)
    assert files(done.path) == before


def test_resume_refuses_other_data(tmp_path: Path) -> None:
    done = run(tmp_path, run__name="a")
    config = done.path / "config.toml"
    config.write_text(config.read_text().replace("train = 6", "train = 5"))
    with pytest.raises(CheckpointError, match="other clips"):
        api.resume(done.path)


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    done = run(tmp_path, dataset__train=16, dataset__val=6, encoder__hidden_size=32, train__epochs=20)
    assert done.report["chance"] == 1 / 6
    assert done.last["top1"] >= 0.6


@pytest.mark.slow
def test_best_is_the_earliest_of_equals_and_both_are_kept(tmp_path: Path) -> None:
    done = run(tmp_path, train__epochs=6, train__learning_rate=1e-2)
    history = [json.loads(line)["val"]["top1"] for line in (done.path / "metrics.jsonl").read_text().splitlines()]
    assert done.best_epoch == 1 + history.index(max(history))
    assert api.load(done.path, weights="best").epoch == done.best_epoch
    assert api.load(done.path).epoch == 6


def test_early_stopping(tmp_path: Path) -> None:
    done = run(tmp_path, train__epochs=50, train__patience=2, train__learning_rate=1e-9, train__ema=0.0)
    assert len((done.path / "metrics.jsonl").read_text().splitlines()) == done.best_epoch + 2 < 50


@pytest.mark.slow
def test_selection_by_another_metric(tmp_path: Path) -> None:
    done = run(tmp_path, train__select="loss", train__epochs=4)
    history = [json.loads(line)["val"]["loss"] for line in (done.path / "metrics.jsonl").read_text().splitlines()]
    assert done.best_epoch == 1 + history.index(min(history))


def test_selection_by_an_unknown_metric_names_those_there_are(tmp_path: Path) -> None:
    for wanted in ("accuracy", "blank"):
        with pytest.raises(ConfigError, match=r"choose among .*top1"):
            run(tmp_path, train__select=wanted)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", ["ctc-ce", "mmi"])
def test_selection_by_an_objective_takes_the_smallest(tmp_path: Path, part: str) -> None:
    """Also by the name that its part had in 0.1."""
    done = run(tmp_path, train__select=f"ctc-isolated/{part}", train__epochs=4)
    history = [json.loads(line)["val"] for line in (done.path / "metrics.jsonl").read_text().splitlines()]
    values = [entry["ctc-isolated/ctc-ce"] for entry in history]
    assert done.best_epoch == 1 + values.index(min(values)) > 1


@pytest.mark.slow
def test_killed_before_the_last_line_of_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of the last epoch is saved, its line is not: a resume brings it back."""
    whole = run(tmp_path, run__name="whole")
    write = RunDir.write_history

    def killed(self: RunDir, history: list) -> None:
        if len(history) == 3:
            raise KeyboardInterrupt
        write(self, history)

    with monkeypatch.context() as patched:
        patched.setattr(RunDir, "write_history", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, run__name="cut")
    assert files(api.resume(tmp_path / "cut").path) == files(whole.path)


def test_resume_refuses_other_settings(tmp_path: Path) -> None:
    done = run(tmp_path, run__name="a")
    config = done.path / "config.toml"
    config.write_text(config.read_text().replace("epochs = 3", "epochs = 8"))
    with pytest.raises(CheckpointError, match=r"train\.epochs"):
        api.resume(done.path)


def test_resume_refuses_a_state_that_is_not_its_own(tmp_path: Path) -> None:
    done = run(tmp_path, run__name="a")
    (done.path / "last" / "state.safetensors").write_bytes((done.path / "best.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="does not hold the state of this run"):
        api.resume(done.path)


def test_two_heads_are_both_measured(tmp_path: Path) -> None:
    values = {
        **small(tmp_path), "heads.first.name": "ctc", "heads.first.losses.main.name": "ctc-isolated",
        "heads.second.name": "mean", "heads.second.losses.main.name": "cross-entropy",
    }  # fmt: skip
    done = api.run(api.configure(values, environ={}))
    assert {"top1", "top5", "second.top1", "second.top5"} <= set(done.last)


def test_a_val_sentence_too_short_for_its_label_is_wrong_and_no_end(tmp_path: Path, monkeypatch) -> None:
    import attrs

    from asl_demo.dataset import DemoDataset

    clips = DemoDataset.clips

    def cut(self: DemoDataset, split: str):
        for clip in clips(self, split):
            yield attrs.evolve(clip, features=clip.features[:1]) if split == "val" else clip

    monkeypatch.setattr(DemoDataset, "clips", cut)
    done = run(tmp_path, dataset__sentence_length=3, loss="ctc", train__epochs=1)
    assert done.last["wer"] > 0


def test_loss_that_is_not_finite_names_the_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asl_ctc.ctc_head import CtcHead

    forward = CtcHead.forward
    monkeypatch.setattr(CtcHead, "forward", lambda *a: _spoiled(forward(*a)))
    with pytest.raises(RunError, match=r"loss is nan .* in epoch 1 on the clips "):
        run(tmp_path)


def _spoiled(output):
    import attrs

    return attrs.evolve(output, values=output.values * math.nan)


@pytest.mark.parametrize("fault", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_out_of_memory_names_the_batch_size_to_try(tmp_path: Path, monkeypatch, fault: BaseException) -> None:
    def full(*_):
        raise fault

    monkeypatch.setattr("asl_encoders.gru.GruEncoder.forward", full)
    with pytest.raises(RunError, match="--batch-size 4 --accumulate 2"):
        run(tmp_path)


def test_accumulation_takes_the_steps_of_the_larger_batch(tmp_path: Path) -> None:
    """Two halves of a batch accumulated give the gradient of the whole, where nothing depends on the batch."""
    grads = []
    for size, accumulate in ((8, 1), (4, 2)):
        config = api.configure(
            small(tmp_path, train__batch_size=size, train__accumulate=accumulate, encoder__dropout=0.0,
                  encoder__front_dropout=0.0, train__ema=0.0), environ={}
        )  # fmt: skip
        trainer = _trainer(config)
        index = torch.arange(8)
        from asl_core.training.loop import backward

        trainer.model.train()
        for part in index.split(size):
            backward(trainer, part, 1, share=len(part) / 8)
        grads.append([p.grad.clone() for p in trainer.model.parameters()])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def _trainer(config) -> Trainer:
    from asl_core.data.splits import load_data
    from asl_core.model.objectives import build_objectives
    from asl_core.model.recogniser import build_model

    data = load_data(config)
    torch.manual_seed(0)
    model = build_model(config, data.train.width, len(data.vocabulary))
    model.standardiser.fit(data.train.features)
    return Trainer.new(config, data, model, build_objectives(config), torch.device("cpu"))


def test_averaged_weights_are_those_evaluated_and_kept(tmp_path: Path) -> None:
    trainer = _trainer(api.configure(small(tmp_path), environ={}))
    assert trainer.evaluated is not trainer.model
    without = _trainer(api.configure(small(tmp_path, train__ema=0.0), environ={}))
    assert without.evaluated is without.model


def test_bf16_trains_on_a_cpu(tmp_path: Path) -> None:
    assert math.isfinite(run(tmp_path, train__precision="bf16", train__epochs=1).last["loss"])


@pytest.mark.slow
def test_a_run_leaves_what_the_readme_lists(tmp_path: Path) -> None:
    done = run(tmp_path)
    there = {p.name for p in done.path.iterdir()}
    assert there >= {
        "config.toml", "audit.json", "metrics.jsonl", "timings.jsonl", "best.safetensors", "final.safetensors",
        "last", "predictions-val.csv", "environment.json", "log.txt", "summary.json",
    }  # fmt: skip
    assert not [p for p in there if p.endswith(".part")]
    again = api.run(api.configure(file=done.path / "config.toml", environ={}))
    assert again.path != done.path
    assert files(again.path) == files(done.path)


def test_lock_refuses_a_second_process(tmp_path: Path) -> None:
    from asl_core.errors import UsageError

    done = run(tmp_path)
    holder = RunDir(done.path)
    holder.lock()
    try:
        with pytest.raises(UsageError, match="another process"):
            api.resume(done.path)
    finally:
        holder.release()


def test_sentences_give_a_word_error_rate(tmp_path: Path) -> None:
    done = run(tmp_path, dataset__sentence_length=3, loss="ctc", train__epochs=2)
    with (done.path / "predictions-val.csv").open(newline="") as text:
        rows = [(row["glosses"].split(), row["decoded"].split(), row["correct"]) for row in csv.DictReader(text)]
    edits = sum(_edits(true, read) for true, read, _ in rows)
    assert done.last["wer"] == pytest.approx(edits / sum(len(true) for true, _, _ in rows))
    assert [int(true == read) for true, read, _ in rows] == [int(correct) for _, _, correct in rows]
    assert "top1" not in done.last


def _edits(one: list[str], other: list[str]) -> int:
    """Fewest glosses to substitute, insert and delete, by the definition."""
    if not one or not other:
        return len(one) + len(other)
    changed = _edits(one[1:], other[1:]) + (one[0] != other[0])
    return min(changed, 1 + _edits(one[1:], other), 1 + _edits(one, other[1:]))


def test_fold_and_share(tmp_path: Path) -> None:
    values = small(tmp_path, split__fold="1/3", split__train_share=0.5)
    config = api.configure(values, environ={})
    audit = api.audit_data(config)
    assert audit.splits["val"].clips == 12
    assert audit.splits["train"].clips == 12


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epoch": {}}, "progress is not that of a run"),
        ({"epoch": True}, "progress is not that of a run"),
        ({"best_value": "x"}, "progress is not that of a run"),
        ({"history": {"a": 1}}, "progress is not that of a run"),
        ({"epoch": 2}, "history has 1 epochs and not 2"),
        ({"best_epoch": 2}, "history has 1 epochs and not 1"),
    ],
)
def test_progress_that_no_run_keeps(change: dict[str, Any], said: str) -> None:
    kept = {"epoch": 1, "best_epoch": 1, "best_value": 0.5, "history": [{"epoch": 1}]}
    assert Progress.kept(kept) == Progress(1, 1, 0.5, [{"epoch": 1}])
    assert Progress.kept(kept | {"best_epoch": 0, "best_value": None}).best_value == -math.inf
    with pytest.raises(ValueError, match=said):
        Progress.kept(kept | change)
