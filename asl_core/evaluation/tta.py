"""Test-time augmentation: predictions averaged over views of a clip, such as its mirror image, slower or faster.

An augmentation offers deterministic views by a method ``views()``; see :class:`asl_core.contracts.Augment`. Only the
augmentations that a run was trained with count: a model has no use for a view that it was not trained on, and their
options say how large a change it knows.
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
    """One deterministic change, the same for every clip."""

    name: str
    raw: bool  #: whether it takes frames as stored, or standardised ones
    change: Callable[[Batch], Batch]

    def standardised(self, batch: Batch, standardiser: nn.Module) -> Batch:
        """Stored frames as input of the encoder in this view."""
        view: Batch = standardiser(self.change(batch)) if self.raw else self.change(standardiser(batch))
        return view


def find_views(config: RunConfig, names: Sequence[str] | None = None) -> tuple[View, ...]:
    """The views that a run's predictions are averaged over, besides the clips as they are.

    Args:
        config: of the run, whose augmentations offer them.
        names: of views (``mirror``), or of augmentations for all of theirs (default: ``train.tta``).

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
                f"{origin}: train.tta is {', '.join(names)}, and no head of this run ranks glosses: there is "
                f"nothing to average. Leave it out"
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
        known_views = "; ".join(f"{v.name} of {augment}" for augment, v in offered) or "none"
        raise ConfigError(
            [
                f"{origin}: no augmentation of this run ({', '.join(n for n, _ in built) or 'it has none'}) has a view "
                f"{', '.join(unknown)} for train.tta; there are: {known_views}. A view helps only a model "
                f"that was trained on it: train with an augmentation that has it (--augment mirror-hands or mirror36 "
                f"for mirror), or leave it out"
            ]
        )
    return tuple(view for augment, view in offered if view.name in names or augment in names)


def mean_scores(scores: Sequence[Tensor]) -> Tensor:
    """(B, C) log of the mean probability, from (B, C) log-probabilities of each view or run."""
    return scores[0] if len(scores) == 1 else torch.stack(list(scores)).logsumexp(0) - math.log(len(scores))
