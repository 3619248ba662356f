"""The state of a run in training, and how it is saved and restored."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from asl_core.checkpoints.format import (
    DamagedError,
    Saved,
    flatten_optimizer,
    load_tensors,
    restore_optimizer,
    save_tensors,
)
from asl_core.compute.device import Precision
from asl_core.compute.distributed import ALONE, Processes
from asl_core.config.resuming import free_keys
from asl_core.config.run_config import RunConfig
from asl_core.contracts import Augment
from asl_core.data.splits import RunData
from asl_core.errors import CheckpointError, RunError, as_word
from asl_core.evaluation.scoring import Predictions
from asl_core.evaluation.tta import View, find_views
from asl_core.files.atomic import write_bytes
from asl_core.files.bounded import plain
from asl_core.files.rundir import RunDir
from asl_core.model.objectives import Objective
from asl_core.model.recogniser import Recognizer
from asl_core.text import shortened
from asl_core.training.optimiser import averaged, averaged_equally, make_optimizer
from asl_core.training.skipped import Skipped

__all__ = ["Progress", "Trainer", "fingerprints"]


@attrs.define
class Progress:
    """How far a run has come."""

    epoch: int = 0  #: finished epochs
    best_epoch: int = 0
    best_value: float = -math.inf  #: of the selection metric, larger is better
    history: list[dict[str, Any]] = attrs.field(factory=list)  #: the lines of metrics.jsonl

    @classmethod
    def kept(cls, values: Mapping[str, Any]) -> Progress:
        """From a checkpoint's metadata, where null stands for a best value of minus infinity.

        Raises:
            ValueError: these are not the values of a run.
        """
        progress = cls(**values)
        progress.best_value = -math.inf if progress.best_value is None else progress.best_value
        whole = all(type(n) is int and n >= 0 for n in (progress.epoch, progress.best_epoch))
        lines = isinstance(progress.history, list) and all(isinstance(line, dict) for line in progress.history)
        if not (whole and lines and isinstance(progress.best_value, int | float)):
            raise ValueError("its progress is not that of a run")
        if not progress.best_epoch <= progress.epoch == len(progress.history):
            raise ValueError(f"its history has {len(progress.history)} epochs and not {progress.epoch}")
        return progress


@attrs.define(eq=False)
class Trainer:
    """Model, losses, optimiser and progress of a run."""

    config: RunConfig
    data: RunData
    model: Recognizer
    objectives: Sequence[Objective]
    augments: Sequence[Augment]
    device: torch.device
    precision: Precision
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None  #: of the weights after every step (EMA), or after each of the last epochs
    views: Sequence[View] = ()  #: test-time augmentation of evaluation
    processes: Processes = ALONE
    progress: Progress = attrs.field(factory=Progress)
    validated: Predictions | None = None  #: of the weights after the last epoch, where this process trained it
    skipped: Skipped = attrs.field(factory=Skipped)  #: steps of this epoch

    @classmethod
    def new(
        cls,
        config: RunConfig,
        data: RunData,
        model: Recognizer,
        objectives: Sequence[Objective],
        device: torch.device,
        transferred: Collection[str] = (),
        processes: Processes = ALONE,
    ) -> Trainer:
        """Move the model to its device, and make its optimiser and its average.

        Args:
            config: as it fits the clips.
            data: the clips.
            model: with its first weights.
            objectives: prepared losses.
            device: to train on.
            transferred: names of the encoder's parameters that learn at a rate of their own.
            processes: all that train this run.
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
            average=_average(config, model),
            views=find_views(config),
            processes=processes,
        )

    @property
    def evaluated(self) -> Recognizer:
        """The weights that are evaluated and kept: the average, once it has begun."""
        average = self.average
        if average is None or (self.config.train.swa_epochs and not int(average.n_averaged)):
            return self.model
        return average.module  # type: ignore[return-value]  # a copy of model

    def average_step(self) -> None:
        """Update the moving average after an optimiser step."""
        if self.average is not None and self.config.train.ema:
            self.average.update_parameters(self.model)

    def average_epoch(self, epoch: int) -> None:
        """Update the mean over the last epochs after one of them."""
        options = self.config.train
        if self.average is not None and epoch > options.epochs - options.swa_epochs:
            self.average.update_parameters(self.model)

    @property
    def loss_names(self) -> set[str]:
        """Names of the objectives in the figures."""
        return {o.name for o in self.objectives}

    @property
    def select(self) -> str:
        """The metric that ``train.select`` names, also by the former name of a loss's part."""
        name, _, part = self.config.train.select.partition("/")
        renamed = {o.name: getattr(o.loss, "renamed_parts", {}) for o in self.objectives}
        return f"{name}/{renamed.get(name, {}).get(part, part)}" if part else name

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that the optimiser changes."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    @property
    def buffers(self) -> list[torch.Tensor]:
        """Tensors that a forward pass in training may change: running averages of a batch norm or a loss."""
        return [b for module in (self.model, *self.objectives) for b in module.buffers()]

    def hold_together(self, when: str, *, buffers_only: bool) -> None:
        """Give all processes the first one's buffers, and its weights unless ``buffers_only``; nothing alone.

        Buffers differ because each process takes the running averages of a batch norm from its own clips. As in DDP
        the first one's count, which has a clip of every batch. All other state must be equal already.

        Args:
            when: for the message.
            buffers_only: after the first time.

        Raises:
            RunError: it is not.
        """
        if self.processes.size == 1:
            return
        modules: list[nn.Module] = [self.model, *self.objectives, *([self.average] if self.average is not None else [])]
        tensors = [b for m in modules for b in m.buffers()]
        if not buffers_only:
            tensors += [p for m in modules for p in m.parameters()]
        self.processes.take_from_first(tensors)
        self.processes.check_same(f"the state {when}", self.state())

    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor that a resume needs."""
        parts: dict[str, dict[str, torch.Tensor]] = {
            "model": self.model.state_dict(),
            "objectives": nn.ModuleList(self.objectives).state_dict(),
            "optimizer": flatten_optimizer(self.optimizer),
            "precision": self.precision.state(),
        }
        if self.average is not None:
            parts["ema"] = self.average.state_dict()
        return {f"{part}.{name}": value for part, tensors in parts.items() for name, value in tensors.items()}

    def save(self, run: RunDir) -> None:
        """Write the resume state in one file, and keep the previous one as a fallback."""
        _make_folder(run.last.parent)
        meta = {
            "progress": attrs.asdict(self.progress) | {"best_value": plain(self.progress.best_value)},
            "config": self.config.values(),
            "data": fingerprints(self.data),
        }
        save_tensors(run.next, self.state(), meta)
        run.settle()

    def restore(self, run: RunDir) -> str | None:
        """Restore the latest state, or the previous one where the latest is damaged.

        Returns:
            A note in that case; the caller then calls :meth:`mend`.

        Raises:
            CheckpointError: both states are damaged, or of other data or settings.
        """
        fault_of_last = "is damaged" if run.last.is_file() else "is missing"
        try:
            saved, note = load_tensors(run.last), None
        except CheckpointError as fault:
            if run.last.is_file() and not isinstance(fault, DamagedError):
                raise
            if not run.previous.is_file():
                raise DamagedError(
                    f"{run.last} {fault_of_last}, and there is no state before it to go on from; start a new run with "
                    f"`asl run {as_word(run.config)}`."
                ) from fault
            saved = load_tensors(run.previous)
            note = (
                f"{run.last} {fault_of_last}: the run goes on from the state before it, "
                f"after epoch {saved.meta['progress']['epoch']}"
            )
        try:
            self._restore(saved, run)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as fault:
            reason = str(fault).partition("\n")[0]
            raise CheckpointError(
                f"{run.last} does not hold the state of this run ({type(fault).__name__}: {reason}); it was damaged or "
                f"replaced. Put it back, or start a new run with `asl run {as_word(run.config)}`."
            ) from fault
        return note

    @staticmethod
    def mend(run: RunDir) -> None:
        """Replace the damaged latest state by a copy of the previous one."""
        write_bytes(run.last, run.previous.read_bytes())

    def _restore(self, saved: Saved, run: RunDir) -> None:
        if saved.meta["data"] != fingerprints(self.data):
            raise CheckpointError(
                f"run {run.path} was trained on other clips than the data set holds now (fingerprints differ); put "
                f"the files back as they were, or start a new run."
            )
        if changed := [k for k in self.config.changed(saved.meta["config"]) if k not in free_keys(self.config)]:
            shown = shortened(key[:60] for key in changed)
            raise CheckpointError(
                f"{run.config} was changed since run {run.path} was begun ({shown}), and a resumed run "
                f"must end as one left alone; put the settings back, or start a new run with "
                f"`asl run {as_word(run.config)}`."
            )
        self.model.load_state_dict(saved.under("model"))
        nn.ModuleList(self.objectives).load_state_dict(saved.under("objectives"))
        restore_optimizer(self.optimizer, saved.under("optimizer"))
        self.precision.restore(saved.under("precision"))
        if self.average is not None:
            self.average.load_state_dict(saved.under("ema"))
        self.validated = None
        self.progress = Progress.kept(saved.meta["progress"])


def _average(config: RunConfig, model: Recognizer) -> AveragedModel | None:
    if config.train.swa_epochs:
        return averaged_equally(model)
    return averaged(model, config.train.ema) if config.train.ema else None


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as fault:
        raise RunError(
            f"{path} cannot be made ({fault.strerror or fault}); make room, or put the run's folder back, then go on "
            f"with --resume."
        ) from fault


def fingerprints(data: RunData) -> dict[str, str]:
    """Digests that identify the clips of each split."""
    return {name: split.fingerprint for name, split in data.audit.splits.items()}
