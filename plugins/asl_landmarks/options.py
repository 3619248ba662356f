"""Options of transforms and augmentations.

Time is in frames; lengths are in image widths and heights, of the 36 features in shoulder widths.
"""

from __future__ import annotations

from typing import Any

import attrs

from asl_core import option

__all__ = [
    "BLOCKS",
    "BLOCKS36",
    "FillGapsOptions",
    "HandFeaturesOptions",
    "Hands36Options",
    "JitterOptions",
    "LandmarksOptions",
    "LoseFingersOptions",
    "LoseHandOptions",
    "Mirror36Options",
    "MirrorHandsOptions",
    "ResampleOptions",
    "RotateOptions",
    "StretchOptions",
    "TrimOptions",
    "Turn36Options",
]

BLOCKS = ("shape", "path", "image", "distances", "between", "velocity", "seen", "body")
BLOCKS36 = ("shape", "place", "palm", "path", "velocity", "turning", "seen")


def _probability(default: float) -> Any:
    return option(default, help="chance that a clip is changed at all", ge=0, le=1)


@attrs.frozen
class LandmarksOptions:
    """Packing."""

    dominant_right: bool = option(
        True, help="mirror a clip whose left hand is more active, as if its signer were right-handed"
    )


@attrs.frozen
class FillGapsOptions:
    """Interpolation."""

    max_gap: int | None = option(None, help="longest gap that is filled, in frames; none: every gap", ge=1)


@attrs.frozen
class ResampleOptions:
    """The model's rate."""

    fps: float = option(30.0, help="frames per second that every clip is resampled to", gt=0, le=1000)


@attrs.frozen
class TrimOptions:
    """Rest at either end."""

    rest: bool = option(False, help="cut hands that are seen but rest, not only frames without any hand")
    rest_height: float = option(0.1, help="a hand rests this near to its lowest place, in image heights", gt=0, le=1)
    rest_speed: float = option(0.01, help="and moves less than this from frame to frame", gt=0, le=1)


@attrs.frozen
class HandFeaturesOptions:
    """Which description of the hands."""

    blocks: tuple[str, ...] = option(
        ("shape", "path", "image", "distances", "seen"), help="the blocks of features, in this order", choices=BLOCKS
    )
    size: str = option(
        "clip", help="unit of a hand's shape: the hand's mean size over the clip, or its size in the frame",
        choices=("clip", "frame"),
    )  # fmt: skip


@attrs.frozen
class RotateOptions:
    """Another camera."""

    plane: float = option(15.0, help="largest rotation in the image plane, in degrees", ge=0, le=180)
    vertical: float = option(15.0, help="largest rotation about the vertical axis, in degrees", ge=0, le=90)
    probability: float = _probability(1.0)


@attrs.frozen
class StretchOptions:
    """Other proportions."""

    scale: float = option(0.15, help="largest log scale factor, of each axis by itself", ge=0, le=2)
    shear: float = option(0.1, help="largest shear: x per y", ge=0, le=2)
    shift: float = option(0.0, help="largest shift of the whole clip, in x and in y, in image widths", ge=0, le=1)
    probability: float = _probability(1.0)


@attrs.frozen
class MirrorHandsOptions:
    """Left and right swapped."""

    probability: float = _probability(0.2)


@attrs.frozen
class JitterOptions:
    """Noise."""

    std: float = option(0.0016, help="standard deviation of each point's place, in image widths", ge=0, le=1)
    probability: float = _probability(1.0)


@attrs.frozen
class LoseHandOptions:
    """A hand that was not detected."""

    share: float = option(1.0, help="share of the clip's frames in which the hand is lost", gt=0, le=1)
    probability: float = _probability(0.2)


@attrs.frozen
class LoseFingersOptions:
    """Fingers that were not detected."""

    share: float = option(0.2, help="chance that a finger is lost, for the whole clip", gt=0, lt=1)
    probability: float = _probability(0.2)


@attrs.frozen
class Hands36Options:
    """Which description of the hands."""

    blocks: tuple[str, ...] = option(
        ("shape", "place", "palm", "path", "seen"), help="the blocks of features, in this order", choices=BLOCKS36
    )
    fill: bool = option(False, help="interpolate a lost hand from the frames around; without, it is 0 where it is lost")


@attrs.frozen
class Mirror36Options:
    """Left and right swapped."""

    probability: float = _probability(0.3)


@attrs.frozen
class Turn36Options:
    """Another camera."""

    plane: float = option(8.0, help="largest rotation in the image plane, in degrees", ge=0, le=180)
    vertical: float = option(8.0, help="largest rotation of the palms about the vertical axis, in degrees", ge=0, le=90)
    scale: float = option(0.1, help="largest log scale factor, of each axis by itself", ge=0, le=2)
    probability: float = _probability(1.0)
