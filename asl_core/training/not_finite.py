"""Where a loss or a gradient that is not finite comes from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from asl_core.clips.batch import Batch
from asl_core.compute.seeding import ClipRandom
from asl_core.model.objectives import StepResult, changes, viewed
from asl_core.text import shortened
from asl_core.training.skipped import NotFinite
from asl_core.training.trainer import Trainer

__all__ = ["of_gradient", "of_loss"]


def of_loss(trainer: Trainer, batch: Batch, result: StepResult, epoch: int) -> NotFinite:
    """The fault of a batch whose loss is not finite."""
    parts = ", ".join(f"{name} {float(value):g}" for name, value in result.parts.items())
    remedy = (
        f"All input of the model is finite: lower --learning-rate "
        f"({trainer.config.train.learning_rate:g} now), or look at these clips with `asl audit`."
    )
    what = f"the loss is {float(result.total.detach())} ({parts})"
    return NotFinite(what, epoch, batch.ids, _input_fault(trainer, batch, epoch), remedy)


def of_gradient(trainer: Trainer, shares: Sequence[Tensor], epoch: int) -> NotFinite:
    """The fault of a step whose losses are finite and whose gradient is not."""
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
        "All input of the model is finite: a root or a logarithm of 0, or a division by 0, in the "
        "encoder, a head or a loss gives that, even where its result is masked; otherwise lower --learning-rate "
        f"({trainer.config.train.learning_rate:g} now)."
    )
    input_fault = next(filter(None, (_input_fault(trainer, batch, epoch) for batch in batches)), "")
    return NotFinite(what, epoch, tuple(i for batch in batches for i in batch.ids), input_fault, remedy)


def _input_fault(trainer: Trainer, batch: Batch, epoch: int) -> str:
    """Which component first makes a batch's features not finite, on the way to the encoder; empty if none does.

    The step is repeated for this: what it draws depends on seed, epoch and clips alone.
    """
    if bad := _bad(batch):
        return (
            f"The features of {_clips(bad)} are not finite as they are stored, before anything was done to a batch: a "
            f"file or a transform of clips gave them; see `asl audit`."
        )
    with torch.no_grad(), trainer.precision.autocast():
        for who, flag, shown in itertools.chain(_fitted(trainer), _stations(trainer, batch, epoch)):
            if bad := _bad(shown):
                return (
                    f"Input of the model is not finite: {who} is the first to give them, for "
                    f"{_clips(bad)}. Leave it out with {flag}, or mend it; `asl plugins check` may say more."
                )
    return ""


def _fitted(trainer: Trainer) -> Iterator[tuple[str, str, Batch]]:
    """All clips after the batchwise transforms, if their statistics are not finite and spoil every batch."""
    standardiser, store = trainer.model.standardiser, trainer.data.train
    if bool(standardiser.mean.isfinite().all() & standardiser.scale.isfinite().all()):
        return
    for index in torch.split(torch.arange(len(store)), 256):
        yield from _described(trainer, store.batch(index).to(trainer.device))


def _described(trainer: Trainer, batch: Batch) -> Iterator[tuple[str, str, Batch]]:
    transforms = trainer.model.standardiser.transforms
    choices = trainer.config.transforms[len(trainer.config.transforms) - len(transforms) :]
    for choice, transform in zip(choices, transforms, strict=True):
        batch = transform(batch)
        yield f"transform {choice.name}", "--transform", batch


def _stations(trainer: Trainer, batch: Batch, epoch: int) -> Iterator[tuple[str, str, Batch]]:
    """Each component on the way of a batch, the flag that leaves it out, and the batch after it."""

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
    """The clips with values that are not finite, padding included: 0 times such a value is not 0."""
    finite = batch.features.isfinite().flatten(1).all(1).tolist()
    return [clip for clip, sound in zip(batch.ids, finite, strict=True) if not sound]


def _clips(ids: Sequence[str]) -> str:
    return f"clip {ids[0]}" if len(ids) == 1 else f"the clips {shortened(ids)}"
