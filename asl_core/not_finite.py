"""Losses and gradients that are not finite numbers: where they come from, and how many steps were left out for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from asl_core.audit import shortened
from asl_core.data import Batch
from asl_core.errors import RunError
from asl_core.objectives import StepResult, changes, viewed
from asl_core.random import ClipRandom

if TYPE_CHECKING:
    from asl_core.trainer import Trainer

__all__ = ["LONGEST", "NotFinite", "NotFiniteError", "Skipped", "of_gradient", "of_loss"]

#: steps left out in a row after which a run ends all the same: what comes so often is no exception
LONGEST = 20


@attrs.frozen
class NotFinite:
    """A step's loss or gradient that is not finite, and why."""

    what: str  #: a clause: the loss is nan (ctc nan)
    epoch: int
    ids: tuple[str, ...]  #: of the clips it was computed on
    seen: str  #: a sentence on numbers that the model was shown and that were not finite; empty where all were
    remedy: str  #: a sentence for where they were

    def __str__(self) -> str:
        return f"{self.what} in epoch {self.epoch} on the clips {shortened(self.ids)}. {self.seen or self.remedy}"


class NotFiniteError(RunError):
    """A loss or a gradient is not finite."""

    def __init__(self, fault: NotFinite, before: str = ""):
        super().__init__(f"{before}{fault}")
        self.fault = fault


@attrs.define
class Skipped:
    """The steps of one epoch that were left out."""

    epoch: int = 0
    of: int = 0  #: steps of the epoch
    steps: int = 0  #: left out because their loss or gradient was not finite
    scaled: int = 0  #: left out by the loss scaler of fp16, which looks for its scale in this way
    in_a_row: int = 0  #: up to the step taken last
    clips: int = 0  #: of ``steps``, whose losses are in no mean
    first: NotFinite | None = None

    def note(self, fault: NotFinite, clips: int) -> None:
        """Count a step.

        Raises:
            NotFiniteError: it is one too many in a row.
        """
        self.first = self.first or fault
        self.steps, self.in_a_row, self.clips = self.steps + 1, self.in_a_row + 1, self.clips + clips
        if self.in_a_row >= LONGEST:
            raise NotFiniteError(fault, f"{self.in_a_row} steps in a row were left out, of the last ")

    def note_taken(self, *, scaled_out: bool) -> None:
        """Count a step that was taken, or that the loss scaler left out.

        Raises:
            RunError: the scaler has left out so many in a row that its scale cannot be what is wrong.
        """
        self.in_a_row = self.in_a_row + 1 if scaled_out else 0
        self.scaled += scaled_out
        if self.in_a_row >= LONGEST:
            raise RunError(
                f"{self.in_a_row} steps in a row were left out in epoch {self.epoch}: in fp16 their gradients were not "
                f"finite by any scale of the loss. Train with --precision bf16 or fp32, or lower --learning-rate."
            )

    def end(self) -> None:
        """Look back on a whole epoch.

        Raises:
            NotFiniteError: no step of it was taken.
        """
        if self.first is not None and self.steps == self.of:
            raise NotFiniteError(self.first, f"all {self.of} steps of epoch {self.epoch} were left out, of the first ")

    def warnings(self) -> list[str]:
        """What a user has to know of the epoch: how many steps were left out, and what was wrong with the first."""
        if self.first is None:
            return []
        return [f"{self.steps} of {self.of} steps of epoch {self.epoch} left out: first, {self.first}"]

    def told(self) -> list[str]:
        """What the log is to hold of the epoch: the warnings, and the ordinary doings of the loss scaler."""
        lines = self.warnings()
        if self.scaled:
            lines.append(
                f"{self.scaled} of {self.of} steps of epoch {self.epoch} left out by the loss scaler of fp16, to which "
                f"the scale of the loss was too large; a few are its way of finding one"
            )
        return lines


def of_loss(trainer: Trainer, batch: Batch, result: StepResult, epoch: int) -> NotFinite:
    """What is wrong with a batch whose loss is not finite."""
    parts = ", ".join(f"{name} {float(value):g}" for name, value in result.parts.items())
    remedy = (
        f"All numbers that the model was shown are finite: lower --learning-rate "
        f"({trainer.config.train.learning_rate:g} now), or look at these clips with `asl data`."
    )
    what = f"the loss is {float(result.total.detach())} ({parts})"
    return NotFinite(what, epoch, batch.ids, _shown(trainer, batch, epoch), remedy)


def of_gradient(trainer: Trainer, shares: Sequence[Tensor], epoch: int) -> NotFinite:
    """What is wrong with a step whose losses are finite and whose gradient is not."""
    batches = [trainer.data.train.batch(index).to(trainer.device) for index in shares]
    modules = [("", trainer.model), *((f"loss {o.name}: ", o) for o in trainer.objectives)]
    bad = [
        f"{prefix}{name}"
        for prefix, module in modules
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and not bool(parameter.grad.isfinite().all())
    ]
    what = f"the loss is finite, and its gradient is not (in {shortened(bad, 3) if bad else 'its norm alone'})"
    remedy = (
        "All numbers that the model was shown are finite: a root or a logarithm of 0, or a division by 0, in the "
        "encoder, a head or a loss gives that, even where its result is masked; otherwise lower --learning-rate "
        f"({trainer.config.train.learning_rate:g} now)."
    )
    seen = next(filter(None, (_shown(trainer, batch, epoch) for batch in batches)), "")
    return NotFinite(what, epoch, tuple(i for batch in batches for i in batch.ids), seen, remedy)


def _shown(trainer: Trainer, batch: Batch, epoch: int) -> str:
    """Who first makes numbers of a batch that are not finite, on its way to the encoder; nothing where all are.

    The way is gone again: what it draws depends on seed, epoch and clips alone.
    """
    if bad := _bad(batch):
        return (
            f"The features of {_clips(bad)} are not finite as they are stored, before anything was done to a batch: a "
            f"file or a transform of clips gave them; see `asl data`."
        )
    with torch.no_grad(), trainer.precision.autocast():
        for who, flag, shown in itertools.chain(_fitted(trainer), _stations(trainer, batch, epoch)):
            if bad := _bad(shown):
                return (
                    f"The model was shown numbers that are not finite: {who} is the first to give them, for "
                    f"{_clips(bad)}. Leave it out with {flag}, or mend it; `asl plugins check` may say more."
                )
    return ""


def _fitted(trainer: Trainer) -> Iterator[tuple[str, str, Batch]]:
    """All clips as the transforms of batches hand them on, where the statistics of these spoil every batch."""
    standardiser, store = trainer.model.standardiser, trainer.data.train
    if bool(standardiser.mean.isfinite().all() & standardiser.scale.isfinite().all()):
        return
    for place in torch.split(torch.arange(len(store)), 256):
        yield from _described(trainer, store.batch(place).to(trainer.device))


def _described(trainer: Trainer, batch: Batch) -> Iterator[tuple[str, str, Batch]]:
    transforms = trainer.model.standardiser.transforms
    choices = trainer.config.transforms[len(trainer.config.transforms) - len(transforms) :]
    for choice, transform in zip(choices, transforms, strict=True):
        batch = transform(batch)
        yield f"transform {choice.name}", "--transform", batch


def _stations(trainer: Trainer, batch: Batch, epoch: int) -> Iterator[tuple[str, str, Batch]]:
    """Each component that a batch comes by, the flag that leaves it out, and the batch after it."""

    def random(purpose: str) -> ClipRandom:
        return ClipRandom.of(batch.index, trainer.config.run.seed, epoch, purpose)

    config, standardiser = trainer.config, trainer.model.standardiser
    augments = {id(augment): choice.name for augment, choice in zip(trainer.augments, config.augments, strict=True)}
    views, aligned = viewed(trainer.objectives)
    first = batch
    for view in range(max(views, 1)):
        shown = batch
        for component, change in changes(trainer.model, trainer.augments, random, view, aligned):
            if component is standardiser:
                yield from _described(trainer, shown)
            shown = change(shown)
            if component is standardiser:
                yield "standardising", "--standardise false", shown
            else:
                yield f"augmentation {augments[id(component)]}", "--augment", shown
        first = shown if view == 0 else first
    for objective in trainer.objectives:
        if objective.loss.corrupts:
            yield f"loss {objective.name}", "--loss", objective.loss.corrupt(first, random(f"corrupt {objective.name}"))


def _bad(batch: Batch) -> list[str]:
    """The clips with numbers that are not finite; those of padding count, since masking by 0 does not undo them."""
    finite = batch.features.isfinite().flatten(1).all(1).tolist()
    return [clip for clip, sound in zip(batch.ids, finite, strict=True) if not sound]


def _clips(ids: Sequence[str]) -> str:
    return f"clip {ids[0]}" if len(ids) == 1 else f"the clips {shortened(ids)}"
