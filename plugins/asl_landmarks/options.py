"""Options of transforms and augmentations of landmarks. Lengths are in image widths and heights, time in frames."""

from __future__ import annotations

from typing import Any

import attrs

from asl_core import option

__all__ = [
    "BLOCKS",
    "FillGapsOptions",
    "HandFeaturesOptions",
    "JitterOptions",
    "LandmarksOptions",
    "LoseFingersOptions",
    "LoseHandOptions",
    "MirrorHandsOptions",
    "RotateOptions",
    "StretchOptions",
    "TrimOptions",
]

BLOCKS = ("shape", "path", "image", "distances", "between", "velocity", "seen", "body")


def _probability(default: float) -> Any:
    return option(default, help="chance that a clip is changed at all", ge=0, le=1)


@attrs.frozen
class LandmarksOptions:
    """Packing."""

    dominant_right: bool = option(
        True, help="mirror a clip in which the left hand does more, as if its signer were right-handed"
    )


@attrs.frozen
class FillGapsOptions:
    """Interpolation."""

    max_gap: int | None = option(None, help="longest gap that is filled, in frames; none: every one", ge=1)


@attrs.frozen
class TrimOptions:
    """Rest at either end."""

    rest: bool = option(False, help="cut hands that are seen but rest, not only frames without any hand")
    rest_height: float = option(0.1, help="a hand rests this near to its lowest place, in image heights", gt=0, le=1)
    rest_speed: float = option(0.01, help="and moves less than this from frame to frame", gt=0, le=1)


@attrs.frozen
class HandFeaturesOptions:
    """What is told of the hands."""

    blocks: tuple[str, ...] = option(
        ("shape", "path", "image", "distances", "seen"), help="what to tell, in this order", choices=BLOCKS
    )
    size: str = option(
        "clip", help="size of a hand that its shape is measured in: its mean over the clip, or of the frame",
        choices=("clip", "frame"),
    )  # fmt: skip


@attrs.frozen
class RotateOptions:
    """Turning."""

    plane: float = option(15.0, help="largest turn in the image plane, in degrees", ge=0, le=180)
    vertical: float = option(15.0, help="largest turn about the vertical axis, in degrees", ge=0, le=90)
    probability: float = _probability(1.0)


@attrs.frozen
class StretchOptions:
    """Size and slant."""

    scale: float = option(0.15, help="largest change of size, of each axis by itself, as a logarithm", ge=0, le=2)
    shear: float = option(0.1, help="largest slant: x per y", ge=0, le=2)
    shift: float = option(0.0, help="largest move of the whole clip, in x and in y, in image widths", ge=0, le=1)
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

    share: float = option(1.0, help="of the clip's frames, in which the hand is lost", gt=0, le=1)
    probability: float = _probability(0.2)


@attrs.frozen
class LoseFingersOptions:
    """Fingers that were not detected."""

    share: float = option(0.2, help="chance of each finger to be lost, for the whole clip", gt=0, lt=1)
    probability: float = _probability(0.2)
