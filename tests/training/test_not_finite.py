"""Losses and gradients that are not finite: who is blamed, what a step left out leaves unchanged, when a run ends.

As a program, it is one of two processes of a run with such steps.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
import torch.distributed as dist
from toy_components import ClassLoss, LinearEncoder, make_clips, offer, registry

from asl_core import Batch, ClipRandom, Component, LossResult, Sample, api, option
from asl_core.checkpoints.format import load_tensors
from asl_core.compute.device import Precision
from asl_core.config.tables import TrainOptions
from asl_core.errors import CheckpointError, RunError
from asl_core.training.events import EpochReport
from asl_core.training.skipped import LONGEST, NotFinite, NotFiniteError, Skipped


@attrs.frozen
class SpoilOptions:
    clips: tuple[str, ...] = option((), help="ids; none for all")
    chance: float = option(1.0, help="of a clip to be spoiled in an epoch")


class Twelve:
    """Twelve clips of two glosses."""

    def __init__(self, options: Any): ...

    def splits(self):
        return ("train", "val")

    def clips(self, split: str):
        return make_clips([5, 3, 4, 6] * 3, ["a", "b"] * 6, prefix=split)

    def findings(self):
        return ()


class Spoil:
    """An augmentation that puts a NaN into some clips, after standardising."""

    def __init__(self, options: SpoilOptions):
        self.options = options

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        chosen = torch.tensor([not self.options.clips or i in self.options.clips for i in batch.ids])
        chosen &= random.chance(self.options.chance)
        features = batch.features.clone()
        features[chosen, 0, 0] = math.nan
        return batch.with_features(features)


class SpoilRaw(Spoil):
    """The same before it."""

    raw = True


class Steady(Spoil):
    """Changes nothing."""

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        return batch


class Logarithm:
    """A transform of batches that takes the logarithm of what may be negative."""

    batchwise = True

    def __init__(self, options: Any): ...

    def output_width(self, width: int) -> int:
        return width

    def __call__(self, batch: Batch) -> Batch:
        return batch.with_features(batch.features.log())


class SpoilOne(Logarithm):
    """Spoils one clip, and with it the statistics that all are standardised by."""

    def __call__(self, batch: Batch) -> Batch:
        chosen = torch.tensor([i == "train-7" for i in batch.ids])
        return batch.with_features(batch.features.masked_fill(chosen[:, None, None], math.inf))


class NormEncoder(LinearEncoder):
    """With a batch norm, whose running averages a NaN would stay in for ever."""

    def __init__(self, options: Any, input_size: int):
        super().__init__(options, input_size)
        self.norm = torch.nn.BatchNorm1d(input_size)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return super().forward(self.norm(features.transpose(1, 2)).transpose(1, 2), lengths)


class RootLoss(ClassLoss):
    """A root of 0 that is masked: the loss is finite, its gradient is not."""

    def forward(self, sample: Sample) -> LossResult:
        nothing = sample.output.values.sum() * 0
        return LossResult(super().forward(sample).total + torch.where(nothing > 0, nothing.sqrt(), nothing))


class EndlessLoss(ClassLoss):
    def forward(self, sample: Sample) -> LossResult:
        return LossResult(super().forward(sample).total * (math.inf if self.training else 1))


class SpoilingLoss(ClassLoss):
    corrupts = True

    def corrupt(self, batch: Batch, random: ClipRandom) -> Batch:
        return batch.with_features(batch.features * math.nan) if self.training else batch


def toys():
    def made(slot: str, name: str, target: type, options: type | None = None):
        chosen: dict[str, Any] = {} if options is None else {"options": options}
        factory = f"test_not_finite:{target.__name__}"
        return offer(slot, Component(name=name, factory=factory, summary="a toy", **chosen))

    return registry(
        made("dataset", "twelve", Twelve),
        made("augment", "spoil", Spoil, SpoilOptions),
        made("augment", "spoil-raw", SpoilRaw, SpoilOptions),
        made("augment", "steady", Steady),
        made("transform", "logarithm", Logarithm),
        made("transform", "spoil-one", SpoilOne),
        made("encoder", "norm", NormEncoder, type(_small_options())),
        made("loss", "root", RootLoss),
        made("loss", "endless", EndlessLoss),
        made("loss", "spoiling", SpoilingLoss),
    )


def _small_options():
    from toy_components import SmallOptions

    return SmallOptions()


def configured(out: Path, **more: Any):
    values = {
        "dataset": "twelve", "encoder": "gru", "loss": "plain", "augment": "none", "train.epochs": 3,
        "train.batch-size": 2, "train.learning-rate": 1e-2, "run.device": "cpu", "run.threads": 1, "run.out": str(out),
    }  # fmt: skip
    values |= {k.replace("__", ".").replace("_", "-"): v for k, v in more.items()}
    return api.configure({k: v for k, v in values.items() if v is not None}, environ={}, registry=toys())


class Heard:
    """Keeps warnings, and stops a run after an epoch."""

    def __init__(self, until: int = 0):
        self.until = until
        self.warnings: list[tuple[str, ...]] = []

    def on_start(self, config, summary) -> None: ...

    def on_epoch(self, report: EpochReport) -> None:
        self.warnings.append(report.warnings)
        if report.epoch == self.until:
            raise KeyboardInterrupt

    def on_end(self, summary) -> None: ...


def run(out: Path, *observers: Heard, **more: Any) -> Path:
    return api.run(configured(out, **more), observers, registry=toys()).path


def history(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


#: some steps of every epoch, and never all
SOME = {"augment": "spoil", "augment__spoil__chance": 0.2, "train__on_nan": "skip"}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"augment": "steady,spoil", "augment__spoil__clips": ("train-3",)},
            r"loss is nan \(plain nan\) in epoch 1 on the clips .*train-3.*augmentation spoil is the first to give "
            r"them, for clip train-3\. Leave it out with --augment",
        ),
        ({"augment": "spoil,spoil-raw"}, "augmentation spoil-raw is the first to give them, for the clips "),
        ({"transform": "logarithm"}, "transform logarithm is the first to give them"),
        ({"transform": "spoil-one"}, r"transform spoil-one is the first to give them, for clip train-7\."),
        ({"loss": "spoiling"}, "loss spoiling is the first to give them"),
        ({"loss": "endless", "augment": "steady"}, r"loss is inf .* finite: lower --learning-rate \(0\.01 now\)"),
        ({"loss": "root"}, r"its gradient is not \(in encoder\.layer\.weight, .*a root or a logarithm of 0"),
        ({"loss": "root", "train__clip_norm": 0.0}, "its gradient is not"),
    ],
)
def test_a_run_stops_and_says_who_it_was(tmp_path: Path, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(NotFiniteError, match=text):
        run(tmp_path, **settings)


def test_features_that_are_not_finite_as_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit refuses them; a file that is changed under the run has them all the same."""
    from asl_core.clips.store import ClipStore

    whole = ClipStore.batch

    def spoiled(self: ClipStore, index: torch.Tensor) -> Batch:
        batch = whole(self, index)
        return batch.with_features(batch.features / 0) if torch.is_grad_enabled() else batch

    monkeypatch.setattr(ClipStore, "batch", spoiled)
    with pytest.raises(NotFiniteError, match="not finite as they are stored"):
        run(tmp_path)


def test_skipped_steps_are_counted_told_and_out_of_the_mean(tmp_path: Path) -> None:
    heard = Heard()
    path = run(tmp_path, heard, **SOME)
    counts = [entry.get("skipped", 0) for entry in history(path)]
    assert any(counts)
    assert all(count < 6 for count in counts)
    log = (path / "log.txt").read_text()
    for epoch, (entry, count, warnings) in enumerate(zip(history(path), counts, heard.warnings, strict=True), 1):
        assert math.isfinite(entry["train"]["loss"])
        assert 0.2 < entry["train"]["loss"] < 2, "the mean is over the clips taken"
        told = [w for w in warnings if "left out" in w]
        assert len(told) == (count > 0)
        if count:
            assert told[0].startswith(f"{count} of 6 steps of epoch {epoch} left out: first, the loss is nan")
            assert "augmentation spoil is the first" in told[0]
            assert told[0] in log


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"train__accumulate": 2, "encoder": "norm"}])
def test_skipping_resumes_to_the_same_bits(tmp_path: Path, more: dict[str, Any]) -> None:
    settings = {**SOME, **more}
    whole = run(tmp_path, run__name="whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Heard(1), run__name="cut", **settings)
    api.resume(tmp_path / "cut", registry=toys())
    for name in ("metrics.jsonl", "final.safetensors", "last/state.safetensors"):
        assert (whole / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    assert any(entry.get("skipped") for entry in history(whole))
    state = load_tensors(whole / "last/state.safetensors").tensors
    assert all(bool(v.isfinite().all()) for v in state.values() if v.is_floating_point()), "running averages too"


def test_skipping_changes_nothing_where_all_is_finite(tmp_path: Path) -> None:
    stop, skip = (run(tmp_path, encoder="norm", train__on_nan=what) for what in ("stop", "skip"))
    assert (stop / "metrics.jsonl").read_bytes() == (skip / "metrics.jsonl").read_bytes()
    one, two = (load_tensors(path / "last/state.safetensors").tensors for path in (stop, skip))
    assert all(one[name].equal(two[name]) for name in one)


def test_a_step_left_out_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asl_core.training import loop as train

    whole, states = train.train_step, []

    def noted(trainer: train.Trainer, *rest: Any):
        before = {name: value.clone() for name, value in trainer.state().items()}
        sums = whole(trainer, *rest)
        states.append((bool(sums), before, {name: value.clone() for name, value in trainer.state().items()}))
        return sums

    monkeypatch.setattr(train, "train_step", noted)
    run(tmp_path, encoder="norm", train__epochs=1, **SOME)
    assert {taken for taken, _, _ in states} == {True, False}
    for taken, before, after in states:
        # the optimiser has no state before its first step; the rate is set before every one
        same = all(after[n].equal(v) for n, v in before.items() if not n.endswith(".lr"))
        assert same != taken


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"augment": "spoil"},
            "all 6 steps of epoch 1 were left out, of the first the loss is nan .*augmentation spoil",
        ),
        ({"loss": "root"}, "all 6 steps of epoch 1 were left out, of the first the loss is finite, and its gradient"),
    ],
)
def test_an_epoch_without_a_good_step_ends_the_run(tmp_path: Path, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(NotFiniteError, match=text):
        run(tmp_path, train__on_nan="skip", **settings)


def test_too_many_in_a_row_end_the_run() -> None:
    fault = NotFinite("the loss is nan", 2, ("a",), "", "Lower the rate.")
    skipped = Skipped(2, 100)
    for _ in range(LONGEST - 1):
        skipped.note(fault, 4)
    skipped.note_taken(scaled_out=False)
    assert (skipped.steps, skipped.clips, skipped.in_a_row) == (LONGEST - 1, 4 * (LONGEST - 1), 0)
    for _ in range(LONGEST - 1):
        skipped.note(fault, 4)
    with pytest.raises(NotFiniteError, match=rf"{LONGEST} steps in a row were left out, of the last the loss is nan"):
        skipped.note(fault, 4)


def test_the_scaler_is_counted_and_not_warned_of() -> None:
    skipped = Skipped(1, 100)
    for _ in range(LONGEST - 1):
        skipped.note_taken(scaled_out=True)
    assert skipped.warnings() == []
    assert skipped.log_lines()[0].startswith(f"{LONGEST - 1} of 100 steps of epoch 1 left out by the loss scaler")
    with pytest.raises(RunError, match="bf16"):
        skipped.note_taken(scaled_out=True)


def test_a_gradient_is_clipped_as_torch_does() -> None:
    for norm in (0.0, 0.5, 1e9):
        weights: list[Any] = [torch.nn.Parameter(torch.linspace(-1, 1, n)) for n in (3, 50)]
        for weight in weights:
            weight.grad = weight.detach() * 3
        expected: list[Any] = [torch.nn.Parameter(w.detach().clone()) for w in weights]
        for weight in expected:
            weight.grad = weight.detach() * 3
        optimizer = torch.optim.SGD(weights, lr=1.0)
        assert Precision(torch.device("cpu"), None).clip(optimizer, norm)
        if norm:
            torch.nn.utils.clip_grad_norm_(expected, norm)
        assert all(a.grad.equal(b.grad) for a, b in zip(weights, expected, strict=True))
        weights[0].grad[0] = math.inf
        assert not Precision(torch.device("cpu"), None).clip(optimizer, norm)


def test_a_run_of_before_the_option_goes_on(tmp_path: Path) -> None:
    """Neither its config.toml nor its state knows the option, which then has its default."""
    whole = run(tmp_path, run__name="whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Heard(1), run__name="old")
    _forget(tmp_path / "old")
    api.resume(tmp_path / "old", registry=toys())
    assert (tmp_path / "old/metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    one, two = (load_tensors(p / "last/state.safetensors").tensors for p in (whole, tmp_path / "old"))
    assert all(one[name].equal(two[name]) for name in one)


def test_a_run_of_before_the_option_is_not_given_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Heard(1), run__name="old")
    _forget(tmp_path / "old")
    config = tmp_path / "old/config.toml"
    config.write_text(config.read_text().replace("[train]\n", '[train]\non-nan = "skip"\n'))
    with pytest.raises(CheckpointError, match=r"train\.on-nan"):
        api.resume(tmp_path / "old", registry=toys())


def _forget(path: Path) -> None:
    """Take the option out of a run, as if it had been made before there was one."""
    from asl_core.checkpoints.format import save_tensors

    config = path / "config.toml"
    lines = config.read_text().splitlines(keepends=True)
    assert sum(line.startswith("on-nan") for line in lines) == 1
    config.write_text("".join(line for line in lines if not line.startswith("on-nan")))
    state = path / "last/state.safetensors"
    saved = load_tensors(state)
    del saved.meta["config"]["train.on-nan"]
    save_tensors(state, saved.tensors, saved.meta)


def test_a_changed_setting_is_named_and_a_new_one_only_where_it_is_set(tmp_path: Path) -> None:
    config = configured(tmp_path)
    before = json.loads(json.dumps(config.values()))
    assert config.changed(before) == []
    assert config.changed({**before, "train.epochs": 4, "gone.option": 1}) == ["gone.option", "train.epochs"]
    del before["train.on-nan"], before["train.epochs"]
    assert config.changed(before) == ["train.epochs"]  # set above, while on-nan has its default
    assert TrainOptions().on_nan == "stop"


@pytest.mark.slow
@pytest.mark.skipif(not dist.is_available() or sys.platform == "win32", reason="needs gloo")
def test_two_processes_leave_out_the_same_steps(tmp_path: Path) -> None:
    """What one of them cannot take, neither takes; the figures are those of one process."""
    from processes import torchrun

    one = run(tmp_path, run__name="one", **SOME)
    done = torchrun(__file__, str(tmp_path), "two")
    assert done.returncode == 0, done.stderr
    assert any(entry.get("skipped") for entry in history(one))
    for a, b in zip(history(one), history(tmp_path / "two"), strict=True):
        assert a.get("skipped") == b.get("skipped")
        assert a["train"] == pytest.approx(b["train"], rel=1e-4)
        assert a["val"] == pytest.approx(b["val"], rel=1e-4)


if __name__ == "__main__":
    run(Path(sys.argv[1]), run__name=sys.argv[2], **SOME)
    # gloo once aborted while it was taken down, when all was written; this is about what is written.
    os._exit(0)
