"""Other looks at clips, over which predictions are averaged: as in a mirror, slower, faster.

An augmentation that can change clips without chance says so by a method ``views()``; see
:class:`asl_core.contracts.Augment`. Only the augmentations that a run was trained with are asked: what a model has
never been shown would tell it nothing, and their options say how large a change it knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs
import torch
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.config.run_config import RunConfig
from asl_core.errors import ConfigError

__all__ = ["View", "find_views", "mean_scores"]


@attrs.frozen(eq=False)
class View:
    """One look at clips: the same change of every clip, with nothing drawn."""

    name: str
    raw: bool  #: whether it takes frames as they are stored, or standardised ones
    change: Callable[[Batch], Batch]

    def standardised(self, batch: Batch, standardiser: nn.Module) -> Batch:
        """Stored frames as the encoder is to see them in this view."""
        seen: Batch = standardiser(self.change(batch)) if self.raw else self.change(standardiser(batch))
        return seen


def find_views(config: RunConfig, names: Sequence[str] | None = None) -> tuple[View, ...]:
    """The views that a run's predictions are averaged over, beside the clips as they are.

    Args:
        config: of the run, whose augmentations are asked.
        names: of views (``mirror``), or of augmentations for all of theirs; default: those of the configuration.

    Raises:
        ConfigError: no augmentation of the run offers one of that name, or there are no scores to average.
    """
    origin = "--tta" if names is not None else config.origin("train.tta")
    names = config.train.tta if names is None else names
    if not names:
        return ()
    if not any(getattr(head.choice.component.load(), "ranks", True) for head in config.heads.values()):
        raise ConfigError(
            [
                f"{origin}: train.tta is {', '.join(names)}, and no head of this run ranks glosses, so that "
                f"there is nothing to average; leave it out"
            ]
        )
    built = [(choice.name, choice.build()) for choice in config.augments]
    offered = [
        (augment, View(name, getattr(component, "raw", False), change))
        for augment, component in built
        if hasattr(component, "views")
        for name, change in component.views().items()
    ]
    known = {name for augment, view in offered for name in (augment, view.name)}
    if unknown := [name for name in names if name not in known]:
        there = "; ".join(f"{v.name} of {augment}" for augment, v in offered) or "none"
        raise ConfigError(
            [
                f"{origin}: no augmentation of this run ({', '.join(n for n, _ in built) or 'it has none'}) has a view "
                f"{', '.join(unknown)} for train.tta; there are: {there}. A model is only asked about views "
                f"that it was trained on: train with an augmentation that has it (--augment mirror-hands or mirror36 "
                f"for mirror), or leave it out"
            ]
        )
    return tuple(view for augment, view in offered if view.name in names or augment in names)


def mean_scores(scores: Sequence[Tensor]) -> Tensor:
    """(B, C) log of the mean probability, of (B, C) log-probabilities of each view."""
    return scores[0] if len(scores) == 1 else torch.stack(list(scores)).logsumexp(0) - math.log(len(scores))
