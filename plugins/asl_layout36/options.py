"""Options of what knows the 36-number layout. Lengths are in shoulder widths, as the layout has them."""

from __future__ import annotations

from typing import Any

import attrs

from asl_core import option

__all__ = ["BLOCKS", "Hands36Options", "MirrorOptions", "Turn36Options"]

BLOCKS = ("shape", "place", "palm", "path", "velocity", "turning", "seen")


def _probability(default: float) -> Any:
    return option(default, help="chance that a clip is changed at all", ge=0, le=1)


@attrs.frozen
class Hands36Options:
    """What is told of the hands."""

    blocks: tuple[str, ...] = option(
        ("shape", "place", "palm", "path", "seen"), help="what to tell, in this order", choices=BLOCKS
    )
    fill: bool = option(False, help="put a lost hand back from the frames around; without, it is 0 where it is lost")


@attrs.frozen
class MirrorOptions:
    """Left and right swapped."""

    probability: float = _probability(0.3)


@attrs.frozen
class Turn36Options:
    """Another camera."""

    plane: float = option(8.0, help="largest turn in the image plane, in degrees", ge=0, le=180)
    vertical: float = option(8.0, help="largest turn of the palms about the vertical axis, in degrees", ge=0, le=90)
    scale: float = option(0.1, help="largest change of size, of each axis by itself, as a logarithm", ge=0, le=2)
    probability: float = _probability(1.0)
