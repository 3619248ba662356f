"""Everything that changes while a run trains comes back, and nothing else is taken for it."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from small import small

from asl_core import CheckpointError, api
from asl_core.checkpoints.format import load_tensors
from asl_core.compute.device import Precision
from asl_core.compute.distributed import Processes
from asl_core.data.splits import load_data
from asl_core.files.rundir import RunDir
from asl_core.model.objectives import build_objectives
from asl_core.model.recogniser import build_model
from asl_core.training.loop import Progress, Trainer, train_epoch

CPU = torch.device("cpu")


def made(tmp_path: Path, device: Any = CPU, **more: Any) -> Trainer:
    config = api.configure(small(tmp_path, dataset__glosses=2, dataset__train=3, **more), environ={})
    data = load_data(config)
    torch.manual_seed(0)
    model = build_model(config, data.train.width, len(data.vocabulary))
    model.standardiser.fit(data.train.features)
    objectives = build_objectives(config)
    for objective in objectives:
        objective.loss.prepare(data.train)
    return Trainer.new(config, data, model, objectives, device)


def run_dir(tmp_path: Path) -> RunDir:
    folder = tmp_path / "run"
    folder.mkdir(parents=True)
    return RunDir(folder)


def changed(trainer: Trainer) -> None:
    """One epoch, and a value of its own for all that an epoch leaves alone."""
    train_epoch(trainer, 1)
    trainer.average_epoch(1)
    trainer.progress.epoch, trainer.progress.best_epoch, trainer.progress.best_value = 1, 1, 0.25
    trainer.progress.history = [{"epoch": 1, "train": {"loss": 1.0}, "val": {"top1": 0.25}}]


@pytest.mark.parametrize(
    "more",
    [{}, {"train__ema": 0.0}, {"train__ema": 0.0, "train__swa_epochs": 2}, {"loss__label_prior": 0.3}],
    ids=["ema", "plain", "mean of epochs", "a loss that keeps something"],
)
def test_every_tensor_comes_back(tmp_path: Path, more: dict[str, object]) -> None:
    before, run = made(tmp_path, **more), run_dir(tmp_path)
    fresh = {name: value.clone() for name, value in before.state().items()}
    changed(before)
    before.save(run)
    after = made(tmp_path, **more)
    assert after.restore(run) is None
    assert after.progress == before.progress
    state, expected = after.state(), before.state()
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(state[name], value), name
    parts = {name.partition(".")[0] for name, value in expected.items()
             if name not in fresh or not torch.equal(fresh[name], value)}  # fmt: skip
    assert parts >= {"model", "optimizer"}, "or the test shows nothing"
    assert "objectives" in parts or "loss__label_prior" not in more


def test_the_loss_scaler_comes_back(tmp_path: Path) -> None:
    """Its scale decides which steps are taken; a fresh one starts at 65536."""
    before, run = made(tmp_path), run_dir(tmp_path)
    before.precision = Precision(CPU, torch.float16)
    scaler = before.precision.scaler
    assert scaler is not None
    scaler.load_state_dict(scaler.state_dict() | {"scale": 1024.0, "_growth_tracker": 7})
    before.save(run)
    after = made(tmp_path)
    after.precision = Precision(CPU, torch.float16)
    after.restore(run)
    assert after.precision.scaler is not None
    assert after.precision.scaler.get_scale() == 1024.0
    assert after.precision.scaler.state_dict() == scaler.state_dict()


def test_a_state_of_other_clips_is_refused(tmp_path: Path) -> None:
    before, run = made(tmp_path), run_dir(tmp_path)
    before.save(run)
    with pytest.raises(CheckpointError, match="trained on other clips than the data set holds now"):
        made(tmp_path, dataset__noise=0.5).restore(run)


@pytest.mark.parametrize("broken", [1, 2])
def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path, broken: int) -> None:
    before, run = made(tmp_path), run_dir(tmp_path)
    before.save(run)
    changed(before)
    before.save(run)
    for file in [run.last, run.previous][:broken]:
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    after = made(tmp_path)
    if broken == 2:
        with pytest.raises(CheckpointError, match="is damaged"):
            after.restore(run)
        return
    told = after.restore(run)
    assert told is not None
    assert "after epoch 0" in told
    assert after.progress.epoch == 0
    after.mend(run)
    assert run.last.read_bytes() == run.previous.read_bytes()
    assert not run.last.samefile(run.previous), "two names of one file would be damaged together"
    assert made(tmp_path).restore(run) is None


class Killed(BaseException):
    """As a kill: nothing holds it."""


@pytest.mark.slow
def test_whenever_a_kill_comes_there_are_two_states_of_bytes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third state is written, and the kill hits each call by which that reaches the disk, before and after it."""
    trainer, after = made(tmp_path), made(tmp_path)
    names = [(os, "fsync"), (os, "link"), (Path, "replace"), (Path, "unlink")]
    for number in itertools.count(1):
        run = run_dir(tmp_path / str(number))
        trainer.save(run)
        changed(trainer)
        trainer.save(run)
        changed(trainer)
        calls = itertools.count(1)

        def killing(real: Callable[..., Any], calls: Iterator[int], number: int) -> Callable[..., Any]:
            def call(*args: Any, **more: Any) -> Any:
                if next(calls) == number:
                    raise Killed
                return real(*args, **more)

            return call

        with monkeypatch.context() as patched:
            for owner, name in names:
                patched.setattr(owner, name, killing(getattr(owner, name), calls, number))
            try:
                trainer.save(run)
                over = True
            except Killed:
                over = False
        good = {}
        for file in (run.next, run.last, run.previous):
            with contextlib.suppress(CheckpointError):
                load_tensors(file)
                good[file.stat().st_ino] = file
        assert len(good) >= 2, f"killed at call {number}"
        run.settle()
        content = bytearray(run.last.read_bytes())
        content[-1] ^= 1
        with run.last.open("r+b") as damaged:  # one flipped bit, in the very bytes that are there
            damaged.write(content)
        assert after.restore(run) is not None, "the other one serves"
        if over:
            assert number > 5
            return


def test_weights_are_averaged_over_the_last_epochs_only(tmp_path: Path) -> None:
    trainer = made(tmp_path, train__ema=0.0, train__swa_epochs=2, train__epochs=3)
    assert trainer.evaluated is trainer.model, "there is no mean yet"
    trainer.average_epoch(1)
    assert trainer.evaluated is trainer.model
    taken = []
    for epoch in (2, 3):
        train_epoch(trainer, epoch)
        trainer.average_epoch(epoch)
        taken.append([p.detach().clone() for p in trainer.model.parameters()])
    assert trainer.evaluated is not trainer.model
    for mean, one, two in zip(trainer.evaluated.parameters(), *taken, strict=True):
        torch.testing.assert_close(mean.detach(), (one + two) / 2)


def test_everything_is_moved_to_the_device(tmp_path: Path) -> None:
    """A loss keeps tensors too; the meta device is one that every machine has beside the CPU."""
    trainer = made(tmp_path, torch.device("meta"), loss__label_prior=0.3)
    assert {t.device.type for t in trainer.model.state_dict().values()} == {"meta"}
    kept = [b for objective in trainer.objectives for b in objective.buffers()]
    assert {b.device.type for b in kept} == {"meta"}
    assert {p.device.type for p in trainer.parameters} == {"meta"}


@attrs.frozen(eq=False)
class Two(Processes):
    """One of two processes; what it takes from the first, and what it holds against it."""

    taken: list[torch.Tensor] = attrs.field(factory=list)
    held: list[str] = attrs.field(factory=list)

    def take_from_first(self, tensors: Iterable[torch.Tensor]) -> None:
        self.taken.extend(tensors)

    def check_same(self, what: str, value: Any) -> None:
        assert "model" in {name.partition(".")[0] for name in value}
        self.held.append(what)


@pytest.mark.parametrize("buffers_only", [True, False])
def test_several_processes_go_on_from_the_same_bits(tmp_path: Path, buffers_only: bool) -> None:
    trainer = made(tmp_path, loss__label_prior=0.3)
    trainer.processes = Two(1, 2)
    trainer.hold_together("now", buffers_only=buffers_only)
    assert trainer.average is not None
    modules = [trainer.model, *trainer.objectives, trainer.average]
    wanted = [b for m in modules for b in m.buffers()]
    if not buffers_only:
        wanted += [p for m in modules for p in m.parameters()]
    assert {id(t) for t in trainer.processes.taken} == {id(t) for t in wanted}
    assert trainer.processes.held == ["the state now"]


def test_one_process_holds_nothing_together(tmp_path: Path) -> None:
    trainer = made(tmp_path)
    trainer.processes = Two(0, 1)
    trainer.hold_together("now", buffers_only=False)
    assert trainer.processes.taken == trainer.processes.held == []


def test_a_state_goes_on_in_another_folder_and_not_with_other_settings(tmp_path: Path) -> None:
    before, run = made(tmp_path), run_dir(tmp_path)
    before.save(run)
    assert made(tmp_path / "elsewhere").restore(run) is None
    with pytest.raises(CheckpointError, match="clip-norm"):
        made(tmp_path, train__clip_norm=0.5).restore(run)


def test_what_was_transferred_learns_at_a_rate_of_its_own(tmp_path: Path) -> None:
    plain = made(tmp_path)
    config = attrs.evolve(plain.config, init=attrs.evolve(plain.config.init, path="x", learning_rate_scale=0.25))
    names = [name for name, _ in plain.model.encoder.named_parameters()]
    trainer = Trainer.new(config, plain.data, plain.model, plain.objectives, CPU, transferred=names[1:])
    own = dict(trainer.model.encoder.named_parameters())
    slow = {id(p) for group in trainer.optimizer.param_groups if group["scale"] == 0.25 for p in group["params"]}
    assert slow == {id(own[name]) for name in names[1:]}
    assert {group["scale"] for group in plain.optimizer.param_groups} == {1.0}


def test_nothing_is_best_before_the_first_epoch() -> None:
    assert Progress.kept({}) == Progress(epoch=0, best_epoch=0, best_value=-math.inf, history=[])
