"""Losses on heads, and one pass of a batch through the model for all of them.

A loss may ask for two augmented views of each clip, or corrupt the batch. Views and corrupted copies are stacked along
the batch, the encoder runs once over the stack, and each loss gets its own rows. So contrast, masking, consistency and
joint losses need no loop of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import attrs
import torch
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.compute.seeding import ClipRandom
from asl_core.contracts import Augment, Facts, HeadOutput, Loss, LossResult, Sample
from asl_core.errors import ConfigError
from asl_core.model.mixup import mix
from asl_core.registry.contract_checks import calling, returned

if TYPE_CHECKING:
    from asl_core.config.run_config import RunConfig
    from asl_core.model.recogniser import Recognizer, Standardiser

__all__ = ["Objective", "StepResult", "build_objectives", "changes", "compute", "viewed"]


class Objective(nn.Module):
    """A loss, its weight in the sum, and its head."""

    def __init__(self, name: str, head: str, loss: Loss, weight: float):
        super().__init__()
        self.name, self.head, self.weight = name, head, weight
        self.loss = loss

    @property
    def plain(self) -> bool:
        """Whether it takes one view, not corrupted."""
        return self.loss.views == 1 and not self.loss.corrupts


def build_objectives(config: RunConfig, facts: Facts | None = None) -> list[Objective]:
    """The losses of every head, in the order of the configuration, each under a name of its own.

    Args:
        config: of the run.
        facts: what is known of its clips; None where they were not read.

    Raises:
        ConfigError: a loss asks for two views and a corrupted batch, of which it can have one, or does not work with
            mixup.
    """
    several = len(config.heads) > 1
    objectives: list[Objective] = []
    for head, choice in config.heads.items():
        for key, loss in choice.losses.items():
            name = loss.choice.name if key == "main" and loss.choice.name not in choice.losses else key
            built: Loss = loss.choice.build(facts=facts)
            if built.corrupts and built.views > 1:
                raise ConfigError([f"loss {loss.choice.name!r} asks for {built.views} views and corrupts the batch"])
            objectives.append(Objective(f"{head}.{name}" if several else name, head, built, loss.weight))
    if config.train.mixup and (unfit := [o.name for o in objectives if o.loss.corrupts or o.loss.labels != "one"]):
        origin = config.origin("train.mixup")
        raise ConfigError(
            [
                f"{origin}: train.mixup mixes clips of one gloss, seen whole, and loss {', '.join(unfit)} is "
                f"for another kind of training; set it to 0"
            ]
        )
    return objectives


@attrs.frozen(eq=False)
class StepResult:
    """The weighted sum to minimise, and what to log."""

    total: Tensor  #: ()
    parts: dict[str, Tensor]  #: name -> () detached
    figures: dict[str, Tensor]  #: name -> (B,) or (views * B,) detached; only where asked for


def compute(
    model: Recognizer,
    objectives: Sequence[Objective],
    batch: Batch,
    random: Callable[[str], ClipRandom],
    augments: Sequence[Augment] = (),
    *,
    encoded: tuple[Tensor, Tensor | None] | None = None,
    figures: bool = False,
    mixup: float = 0.0,
) -> StepResult:
    """One pass of a batch through standardiser, augmentation, encoder, heads and losses.

    Args:
        model: the recogniser.
        objectives: what to minimise.
        batch: frames as stored.
        random: purpose -> random numbers for the clips of this batch.
        augments: applied in order to every view.
        encoded: the encoder's frames and lengths of this batch, if they are known already.
        figures: also gather the figures of the losses.
        mixup: alpha of :func:`asl_core.model.mixup.mix`, for losses without views and corruption; 0 for none.
    """
    views, aligned = viewed(objectives)
    inputs = [
        _input(model, batch, augments, random, view, aligned) for view in range(max(views, 1) if encoded is None else 0)
    ]
    pieces = inputs[:views] if encoded is None else [batch]
    mixed = mix(pieces, random("mixup"), mixup) if mixup else None
    if mixed is not None:
        pieces = mixed.first
    for objective in objectives:
        if objective.loss.corrupts:
            pieces.append(objective.loss.corrupt(inputs[0], random(f"corrupt {objective.name}")))
    stack = Batch.cat(pieces)
    frames, lengths = model.encode(stack) if encoded is None else encoded

    size, after = len(batch), views * len(batch)
    outputs: dict[tuple[str, int], HeadOutput] = {}
    total = frames.new_zeros((), dtype=torch.float32)
    parts: dict[str, Tensor] = {}
    extra: dict[str, Tensor] = {}
    for objective in objectives:
        if objective.loss.corrupts:
            start, end, after = after, after + size, after + size
            clean = _padded(inputs[0], stack.features.shape[1])
        else:
            start, end, clean = 0, views * size, None
        key = (objective.head, start)
        if key not in outputs:
            part = None if lengths is None else lengths[start:end]
            outputs[key] = model.read(objective.head, frames[start:end], part)
        shown = stack if end - start == len(stack) else stack.rows(start, end)
        sample = Sample(outputs[key], shown, shown if clean is None else clean, objective.loss.views)
        result = _result(objective.loss, sample)
        if mixed is not None:
            other = attrs.evolve(sample, batch=Batch.cat(mixed.second))
            result = _weighed(result, _result(objective.loss, other), mixed.share)
        total = total + objective.weight * result.total
        parts[objective.name] = result.total.detach()
        for name, value in result.parts.items():
            if name != objective.name:
                parts[f"{objective.name}/{name}"] = value.detach()
        if figures:
            extra |= {name: value.detach() for name, value in objective.loss.figures(sample).items()}
    return StepResult(total, parts, extra)


def _result(loss: Loss, sample: Sample) -> LossResult:
    with calling("loss", loss):
        result = loss(sample)
    return cast("LossResult", returned("loss", loss, result, LossResult, "asl_core.LossResult(total, parts)"))


def _weighed(first: LossResult, second: LossResult, share: float) -> LossResult:
    """The loss for the glosses of both clips of each pair."""
    parts = {name: share * value + (1 - share) * second.parts[name] for name, value in first.parts.items()}
    return LossResult(share * first.total + (1 - share) * second.total, parts)


def viewed(objectives: Sequence[Objective]) -> tuple[int, bool]:
    """How many views of each clip the losses without corruption ask for, and whether they are aligned."""
    views = max((o.loss.views for o in objectives if not o.loss.corrupts), default=0)
    return views, any(o.loss.aligned for o in objectives)


def changes(
    model: Recognizer, augments: Sequence[Augment], random: Callable[[str], ClipRandom], view: int, aligned: bool
) -> Iterator[tuple[Augment | Standardiser, Callable[[Batch], Batch]]]:
    """The steps from a stored batch to the encoder's input in one view, in order: each component and its function.

    ``aligned`` views share one draw of what changes time.
    """
    for raw in (True, False):
        for place, augment in enumerate(augments):
            if getattr(augment, "raw", False) == raw:
                draw = 0 if aligned and getattr(augment, "changes_time", False) else view
                yield augment, _with(augment, random(f"view {draw} augment {place}"))
        if raw:
            yield model.standardiser, model.standardiser


def _with(augment: Augment, random: ClipRandom) -> Callable[[Batch], Batch]:
    def change(batch: Batch) -> Batch:
        with calling("augment", augment):
            changed = augment(batch, random)
        return cast("Batch", returned("augment", augment, changed, Batch, "asl_core.Batch"))

    return change


def _input(
    model: Recognizer,
    batch: Batch,
    augments: Sequence[Augment],
    random: Callable[[str], ClipRandom],
    view: int,
    aligned: bool,
) -> Batch:
    """The encoder's input in one view: augmented, standardised, augmented."""
    for _, change in changes(model, augments, random, view, aligned):
        batch = change(batch)
    return batch


def _padded(batch: Batch, frames: int) -> Batch:
    missing = frames - batch.features.shape[1]
    return batch.with_features(nn.functional.pad(batch.features, (0, 0, 0, missing))) if missing else batch
