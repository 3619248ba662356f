"""The training loop: :func:`train` is the whole of it, over small functions that each do one step."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from asl_core.batching import epoch_batches
from asl_core.checkpoint import Saved, flatten_optimizer, load_tensors, restore_optimizer, save_tensors
from asl_core.config import RunConfig
from asl_core.contracts import Augment, EpochReport, Observer
from asl_core.device import Precision, told_out_of_memory
from asl_core.errors import CheckpointError, RunError
from asl_core.evaluate import metrics, predict
from asl_core.model import Recognizer
from asl_core.objectives import Objective, compute
from asl_core.optim import averaged, learning_rate, make_optimizer, set_learning_rate
from asl_core.random import ClipRandom, mix_seed
from asl_core.rundir import RunDir
from asl_core.selection import selection_value
from asl_core.splits import RunData

__all__ = ["Progress", "Trainer", "train"]


@attrs.define
class Progress:
    """How far a run has come; with the weights, all that a resume needs."""

    epoch: int = 0  #: finished epochs
    best_epoch: int = 0
    best_value: float = -math.inf  #: of the selection metric, larger is better
    history: list[dict[str, Any]] = attrs.field(factory=list)  #: the lines of metrics.jsonl


@attrs.define(eq=False)
class Trainer:
    """All that changes while a run trains."""

    config: RunConfig
    data: RunData
    model: Recognizer
    objectives: Sequence[Objective]
    augments: Sequence[Augment]
    device: torch.device
    precision: Precision
    optimizer: torch.optim.Optimizer
    ema: AveragedModel | None
    progress: Progress = attrs.field(factory=Progress)

    @classmethod
    def new(
        cls,
        config: RunConfig,
        data: RunData,
        model: Recognizer,
        objectives: Sequence[Objective],
        device: torch.device,
        transferred: Collection[str] = (),
    ) -> Trainer:
        """Move the model to its device and give it an optimiser and an average.

        Those of the encoder's parameters that are ``transferred`` learn at a rate of their own.
        """
        model.to(device)
        modules: list[nn.Module] = [model, *objectives]
        for objective in objectives:
            objective.to(device)
        scaled = [p for name, p in model.encoder.named_parameters() if name in transferred]
        scale = config.init.learning_rate_scale
        return cls(
            config=config,
            data=data,
            model=model,
            objectives=objectives,
            augments=[a.build() for a in config.augments],
            device=device,
            precision=Precision.of(config.train.precision, device),
            optimizer=make_optimizer(modules, config.train, device, scaled, scale),
            ema=averaged(model, config.train.ema) if config.train.ema else None,
        )

    @property
    def evaluated(self) -> Recognizer:
        """The weights that are evaluated and kept: the average where there is one."""
        return self.model if self.ema is None else self.ema.module  # type: ignore[return-value]  # a copy of model

    @property
    def loss_names(self) -> set[str]:
        """Names of the objectives, as they stand among the figures."""
        return {o.name for o in self.objectives}

    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor a resume needs."""
        parts: dict[str, dict[str, torch.Tensor]] = {
            "model": self.model.state_dict(),
            "objectives": nn.ModuleList(self.objectives).state_dict(),
            "optimizer": flatten_optimizer(self.optimizer),
            "precision": self.precision.state(),
        }
        if self.ema is not None:
            parts["ema"] = self.ema.state_dict()
        return {f"{part}.{name}": value for part, tensors in parts.items() for name, value in tensors.items()}

    def save(self, run: RunDir) -> None:
        """The state from which a resume goes on, in one file, so that it is whole or the one before."""
        run.last.parent.mkdir(exist_ok=True)
        meta = {
            "progress": attrs.asdict(self.progress) | {"best_value": _finite(self.progress.best_value)},
            "config": self.config.values(),
            "data": fingerprints(self.data),
        }
        save_tensors(run.last, self.state(), meta)

    def restore(self, run: RunDir) -> None:
        """Go on from what :meth:`save` wrote.

        Raises:
            CheckpointError: the state is damaged, or of other data or settings than those at hand.
        """
        saved = load_tensors(run.last)
        try:
            self._restore(saved, run)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as fault:
            reason = str(fault).partition("\n")[0]
            raise CheckpointError(
                f"{run.last} does not hold the state of this run ({type(fault).__name__}: {reason}); it was damaged or "
                f"replaced. Put it back, or start a new run with `asl run {run.config}`."
            ) from fault

    def _restore(self, saved: Saved, run: RunDir) -> None:
        if saved.meta["data"] != fingerprints(self.data):
            raise CheckpointError(
                f"run {run.path} was trained on other clips than the data set holds now (fingerprints differ); put "
                f"the files back as they were, or start a new run."
            )
        now = json.loads(json.dumps(self.config.values()))
        changed = sorted(k for k in {*now, *saved.meta["config"]} if now.get(k) != saved.meta["config"].get(k))
        if changed := [k for k in changed if k not in _FREE_TO_CHANGE]:
            raise CheckpointError(
                f"{run.config} was changed since run {run.path} was begun ({', '.join(changed)}), and a resumed run "
                f"must end as one left alone; put the settings back, or start a new run with `asl run {run.config}`."
            )
        self.model.load_state_dict(saved.under("model"))
        nn.ModuleList(self.objectives).load_state_dict(saved.under("objectives"))
        restore_optimizer(self.optimizer, saved.under("optimizer"))
        self.precision.restore(saved.under("precision"))
        if self.ema is not None:
            self.ema.load_state_dict(saved.under("ema"))
        kept = saved.meta["progress"]
        best = -math.inf if kept["best_value"] is None else kept["best_value"]
        self.progress = Progress(**{**kept, "best_value": best})


#: settings that say where and on what a run goes on, not what comes out of it
_FREE_TO_CHANGE = ("run.out", "run.device", "run.threads")


def train(trainer: Trainer, run: RunDir, observers: Sequence[Observer] = ()) -> Progress:
    """Train from where ``trainer`` stands to the last epoch, keeping ``best`` and ``last`` in ``run``.

    The global generator is seeded at the start of every epoch from (seed, epoch), so an epoch's dropout does
    not depend on whether the run was resumed before it.

    Raises:
        RunError: the loss is not finite, memory ran out, or a file cannot be written; finished epochs are kept.
    """
    options, progress = trainer.config.train, trainer.progress
    spent: list[float] = []
    while progress.epoch < options.epochs and not _out_of_patience(trainer):
        started = time.perf_counter()
        epoch = progress.epoch + 1
        torch.manual_seed(mix_seed(trainer.config.run.seed, epoch, "dropout"))
        smaller = f"--batch-size {max(1, options.batch_size // 2)} --accumulate {2 * options.accumulate}"
        with told_out_of_memory(f"in epoch {epoch} with batches of {options.batch_size}", trainer.device, smaller):
            trained = train_epoch(trainer, epoch)
        validated = validate(trainer)
        progress.epoch = epoch
        progress.history.append({"epoch": epoch, "train": trained, "val": validated})
        value = selection_value(options.select, validated or trained, trainer.loss_names)
        if value > progress.best_value or not progress.best_epoch:
            progress.best_value, progress.best_epoch = value, epoch
            save_model(trainer, run.best)
        trainer.save(run)
        run.write_history(progress.history)
        spent.append(time.perf_counter() - started)
        run.note_timing({"epoch": epoch, "seconds": round(spent[-1], 4)})
        report = EpochReport(
            epoch=epoch,
            epochs=options.epochs,
            train=trained,
            val=validated,
            best_epoch=progress.best_epoch,
            warnings=tuple(_warnings(trainer, validated)),
            seconds=spent[-1],
            seconds_left=sum(spent) / len(spent) * (options.epochs - epoch),
        )
        for observer in observers:
            observer.on_epoch(report)
    save_model(trainer, run.final)
    return progress


def train_epoch(trainer: Trainer, epoch: int) -> dict[str, float]:
    """One pass over the training clips; the mean of the loss and of its parts over clips."""
    options, seed = trainer.config.train, trainer.config.run.seed
    store = trainer.data.train
    batches = epoch_batches(store.lengths, options.batch_size, seed, epoch, options.pool)
    steps_an_epoch = math.ceil(len(batches) / options.accumulate)
    trainer.model.train()
    for objective in trainer.objectives:
        objective.train()
    sums: dict[str, torch.Tensor] = {}
    for step in range(steps_an_epoch):
        group = batches[step * options.accumulate : (step + 1) * options.accumulate]
        clips = sum(len(index) for index in group)
        rate = learning_rate(options, (epoch - 1) * steps_an_epoch + step, options.epochs * steps_an_epoch)
        set_learning_rate(trainer.optimizer, rate)
        for index in group:
            parts = backward(trainer, index, epoch, share=len(index) / clips)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value * len(index)
        trainer.precision.step(trainer.optimizer, options.clip_norm)
        if trainer.ema is not None:
            trainer.ema.update_parameters(trainer.model)
    return {name: float(value) / len(store) for name, value in sorted(sums.items())}


def backward(trainer: Trainer, index: torch.Tensor, epoch: int, share: float) -> dict[str, torch.Tensor]:
    """Add one batch's gradient, weighted by its share of the step's clips."""
    seed = trainer.config.run.seed
    batch = trainer.data.train.batch(index).to(trainer.device)

    def random(purpose: str) -> ClipRandom:
        return ClipRandom.of(batch.index, seed, epoch, purpose)

    with trainer.precision.autocast():
        result = compute(trainer.model, trainer.objectives, batch, random, trainer.augments)
    if not bool(torch.isfinite(result.total)):
        parts = ", ".join(f"{n} {float(v):g}" for n, v in result.parts.items())
        raise RunError(
            f"the loss is {float(result.total.detach())} ({parts}) in epoch {epoch} on the clips "
            f"{', '.join(batch.ids[:5])}{' and others' if len(batch) > 5 else ''}. Lower --learning-rate "
            f"({trainer.config.train.learning_rate:g} now), or look at these clips with `asl data`."
        )
    trainer.precision.backward(result.total * share)
    return {"loss": result.total.detach(), **result.parts}


def validate(trainer: Trainer) -> dict[str, float]:
    """Metrics of the evaluated weights on val; empty where there is none."""
    val = trainer.data.val
    if val is None:
        return {}
    size = trainer.config.train.eval_batch_size
    with told_out_of_memory(
        f"in validation with batches of {size}", trainer.device, f"--eval-batch-size {max(1, size // 2)}"
    ):
        found = predict(trainer.evaluated, val, size, trainer.objectives, trainer.augments, trainer.device)
    return metrics(found, val)


def save_model(trainer: Trainer, path: Path) -> None:
    """The evaluated weights with all that prediction needs: configuration, vocabulary, width, metrics."""
    entry = trainer.progress.history[-1] if trainer.progress.history else {}
    meta = {
        "config": trainer.config.values(),
        "vocabulary": list(trainer.data.vocabulary.glosses),
        "width": trainer.data.train.width,
        "epoch": trainer.progress.epoch,
        "metrics": entry,
    }
    save_tensors(path, trainer.evaluated.state_dict(), meta)


def fingerprints(data: RunData) -> dict[str, str]:
    """What identifies the clips of a run."""
    return {name: split.fingerprint for name, split in data.audit.splits.items()}


def _out_of_patience(trainer: Trainer) -> bool:
    patience, progress = trainer.config.train.patience, trainer.progress
    return bool(patience) and progress.epoch - progress.best_epoch >= patience


def _warnings(trainer: Trainer, validated: dict[str, float]) -> list[str]:
    heads = trainer.model.heads
    found = [
        f"{name} of val is not a number: a val clip holds values far beyond those of train; `asl data` shows them"
        for name, value in validated.items()
        if not math.isfinite(value)
    ]
    for name in heads:
        prefix = f"{name}." if len(heads) > 1 else ""
        own = {k.removeprefix(prefix): v for k, v in validated.items()}
        own["chance"] = 1 / max(1, len(trainer.data.vocabulary))
        if text := trainer.model.head(name).diagnose(own):
            found.append(text)
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
