"""Transforms and augmentations against the clips they are to take: what does not fit is refused, or left out and told.

A component says by a method ``unfit(width) -> str | None`` why it cannot take ``width`` numbers a frame.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import attrs

from asl_core.config import Choice, RunConfig
from asl_core.contracts import BatchTransform, Transform
from asl_core.data import Clip
from asl_core.errors import ConfigError

__all__ = ["Pipeline", "fit_augments", "fit_transforms"]


@attrs.frozen
class Pipeline:
    """The transforms of a run, built: those of clips come first, those of batches are part of the model."""

    clipwise: Sequence[Transform]
    batchwise: Sequence[BatchTransform]

    @classmethod
    def of(cls, config: RunConfig) -> Pipeline:
        """Build them.

        Raises:
            ConfigError: one that takes clips stands after one that takes batches.
        """
        built = [(choice.name, choice.build()) for choice in config.transforms]
        late = [getattr(transform, "batchwise", False) for _, transform in built]
        mute = [name for (name, t), b in zip(built, late, strict=True) if b and not hasattr(t, "output_width")]
        if mute:
            raise ConfigError(
                [f"transform {mute[0]} is batchwise and has no output_width(width): a fault of its plugin"]
            )
        first = late.index(True) if True in late else len(built)
        early = [name for name, t in built[first:] if not getattr(t, "batchwise", False)]
        if early:
            origin = config.origins.get("transform.names", "default")
            raise ConfigError(
                [
                    f"{origin}: transform {early[0]} takes single clips and {built[first][0]} whole "
                    f"batches in the model: put {', '.join(early)} before {built[first][0]}"
                ]
            )
        return cls([t for _, t in built[:first]], [t for _, t in built[first:]])

    def clip(self, clip: Clip) -> Clip:
        """One clip as it is stored."""
        return functools.reduce(lambda seen, transform: transform(seen), self.clipwise, clip)

    def width(self, width: int) -> int:
        """Numbers a frame that the encoder sees, of ``width`` stored ones."""
        return functools.reduce(lambda w, transform: transform.output_width(w), self.batchwise, width)


def fit_transforms(config: RunConfig, clip: Clip) -> RunConfig:
    """The configuration without the suggested transforms that cannot take such clips.

    Each is asked about what those before it hand on.

    Raises:
        ConfigError: one that the user chose does not fit, or stands in the wrong place.
    """
    Pipeline.of(config)  # their order comes first: what arrives at each depends on it
    reasons: dict[str, str] = {}
    width = clip.features.shape[1]
    for choice in config.transforms:
        transform = choice.build()
        if (reason := _reason(transform, width)) is not None:
            reasons[choice.name] = reason
        elif getattr(transform, "batchwise", False):
            width = transform.output_width(width)
        else:
            clip = transform(clip)
            width = clip.features.shape[1]
    return _without(config, "transform", config.transforms, reasons)


def fit_augments(config: RunConfig, stored: int) -> RunConfig:
    """The configuration without the suggested augmentations that cannot take ``stored`` numbers a frame.

    One that is not ``raw`` sees frames after the batchwise transforms.

    Raises:
        ConfigError: one that the user chose does not fit.
    """
    described = Pipeline.of(config).width(stored)
    built = [(choice.name, choice.build()) for choice in config.augments]
    found = {name: _reason(a, stored if getattr(a, "raw", False) else described) for name, a in built}
    return _without(config, "augment", config.augments, {k: v for k, v in found.items() if v is not None})


def _reason(component: Any, width: int) -> str | None:
    unfit = getattr(component, "unfit", None)
    return None if unfit is None else unfit(width)


def _without(config: RunConfig, slot: str, choices: tuple[Choice, ...], reasons: dict[str, str]) -> RunConfig:
    if not reasons:
        return config
    texts = [f"{slot} {name} does not fit: {reason}" for name, reason in reasons.items()]
    origin = config.origins.get(f"{slot}.names", "default")
    if not origin.startswith("suggested by"):
        raise ConfigError([f"{origin}: {t}" + f"; leave it out of --{slot}" * (" put " not in t) for t in texts])
    kept = tuple(c for c in choices if c.name not in reasons)
    notes = (*config.notes, *(f"{text}; it is left out" for text in texts))
    changed: dict[str, Any] = {f"{slot}s": kept, "notes": notes}
    return attrs.evolve(config, **changed)
