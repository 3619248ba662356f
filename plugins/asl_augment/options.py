"""How much each augmentation changes. Lengths in time are shares of the clip, values are in feature units.

With ``--train.standardise`` on, a feature unit is one standard deviation over the train frames.
"""

from __future__ import annotations

from typing import Any

import attrs

from asl_core import option

__all__ = [
    "CropOptions",
    "DropOptions",
    "MaskOptions",
    "NoiseOptions",
    "ScaleOptions",
    "SpeedOptions",
]


def _probability(default: float) -> Any:
    return option(default, help="chance that a clip is changed at all", ge=0, le=1)


@attrs.frozen
class SpeedOptions:
    """Resampling in time."""

    max: float = option(0.3, help="a clip takes up to 1 + max times as long, or as short", ge=0, le=3)
    warp: float = option(0.0, help="uneven speed: its largest relative change within a clip", ge=0, lt=1)
    probability: float = _probability(1.0)


@attrs.frozen
class CropOptions:
    """A random part of the frames."""

    min: float = option(0.8, help="smallest share of a clip's frames that is kept", gt=0, le=1)
    probability: float = _probability(1.0)


@attrs.frozen
class MaskOptions:
    """Spans of hidden frames."""

    number: int = option(2, help="spans a clip; they may overlap", ge=1, le=100)
    max_share: float = option(0.15, help="longest span as a share of the clip's frames", gt=0, le=1)
    probability: float = _probability(1.0)


@attrs.frozen
class DropOptions:
    """Hidden dimensions."""

    share: float = option(0.1, help="chance of each dimension to be 0 throughout a clip", ge=0, lt=1)
    probability: float = _probability(1.0)


@attrs.frozen
class NoiseOptions:
    """Noise on every feature of every frame."""

    std: float = option(0.1, help="standard deviation of the noise, in feature units", ge=0, le=100)
    probability: float = _probability(1.0)


@attrs.frozen
class ScaleOptions:
    """Gain and offset of each dimension."""

    gain: float = option(0.1, help="standard deviation of the gain around 1", ge=0, le=1)
    offset: float = option(0.1, help="standard deviation of the offset, in feature units", ge=0, le=100)
    probability: float = _probability(1.0)
