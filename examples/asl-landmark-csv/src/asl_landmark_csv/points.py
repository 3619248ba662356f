"""Which columns make a frame.

A point is two columns, ``NAME_X`` and ``NAME_Y``; those of a hand end in ``_left`` or ``_right`` before that. SPOTER's
own files (Boháček and Hrúz, "Sign Pose-based Transformer for Word-level Sign Language Recognition", WACV workshops
2022) hold 12 points of the body and 21 of each hand, in any order of columns, and say ``Left`` or ``0`` for ``left``
in some versions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from asl_core import DataError

__all__ = ["BODY", "HAND", "frame_columns", "require_columns", "standard_name"]

BODY = (
    "nose", "neck", "rightEye", "leftEye", "rightEar", "leftEar",
    "rightShoulder", "leftShoulder", "rightElbow", "leftElbow", "rightWrist", "leftWrist",
)  # fmt: skip
HAND = (
    "wrist", "thumbCMC", "thumbMP", "thumbIP", "thumbTip",
    *(f"{finger}{joint}" for finger in ("index", "middle", "ring", "little") for joint in ("MCP", "PIP", "DIP", "Tip")),
)  # fmt: skip
_SIDES = {"left": "left", "right": "right", "0": "left", "1": "right"}


def standard_name(column: str) -> str:
    """``indexTip_Left_X`` and ``indexTip_0_X`` as ``indexTip_left_X``; other columns as they are."""
    parts = re.fullmatch(r"([A-Za-z]+)_(left|right|0|1)_([XY])", column.strip(), re.IGNORECASE)
    return f"{parts[1]}_{_SIDES[parts[2].lower()]}_{parts[3].upper()}" if parts else column.strip()


def frame_columns(points: str, there: Sequence[str]) -> tuple[str, ...]:
    """The columns of a frame in the order of its numbers: x and y of each point.

    Args:
        points: the option of that name.
        there: the columns of the first train file, by their standard names: ``file`` takes all of its points.
    """
    hands = [f"{point}_{side}" for side in ("left", "right") for point in HAND]
    found = sorted(c.removesuffix("_X") for c in there if c.endswith("_X"))
    chosen = {"all": [*BODY, *hands], "hands": hands, "body": list(BODY), "file": found}[points]
    return tuple(f"{point}_{axis}" for point in chosen for axis in "XY")


def require_columns(columns: Sequence[str], there: Sequence[str], file: Path) -> None:
    """Refuse a file that lacks columns of a frame.

    Raises:
        DataError: the message names some of them.
    """
    if not columns:
        raise DataError(f"{file} line 1: no column ends in _X; expected two for each point, such as nose_X and nose_Y.")
    if lacking := [column for column in columns if column not in there]:
        raise DataError(
            f"{file} line 1: {len(lacking)} of the {len(columns)} columns of a frame are not there, "
            f"{', '.join(lacking[:3])} among them; choose others with --dataset.points (file: whatever train has)."
        )
