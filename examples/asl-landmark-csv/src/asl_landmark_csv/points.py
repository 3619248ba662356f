"""The columns of a frame.

A point has two columns, ``NAME_X`` and ``NAME_Y``; NAME ends in ``_left`` or ``_right`` for points of a hand. SPOTER's
own files (Boháček and Hrúz, "Sign Pose-based Transformer for Word-level Sign Language Recognition", WACV workshops
2022) have 12 points of the body and 21 of each hand, in any order of columns, and in some versions ``Left`` or ``0``
for ``left``.
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


def frame_columns(points: str, available: Sequence[str]) -> tuple[str, ...]:
    """The columns of a frame in the order of its features: x and y of each point.

    Args:
        points: the option of that name.
        available: the columns of the first train file, by their standard names; ``file`` takes all of its points.
    """
    hands = [f"{point}_{side}" for side in ("left", "right") for point in HAND]
    of_file = sorted(c.removesuffix("_X") for c in available if c.endswith("_X"))
    chosen = {"all": [*BODY, *hands], "hands": hands, "body": list(BODY), "file": of_file}[points]
    return tuple(f"{point}_{axis}" for point in chosen for axis in "XY")


def require_columns(columns: Sequence[str], available: Sequence[str], file: Path) -> None:
    """Refuse a file that lacks columns of a frame.

    Raises:
        DataError: naming some of them.
    """
    if not columns:
        raise DataError(f"{file} line 1: no column ends in _X; expected two for each point, such as nose_X and nose_Y.")
    if lacking := [column for column in columns if column not in available]:
        raise DataError(
            f"{file} line 1: {len(lacking)} of the {len(columns)} columns of a frame are missing, "
            f"{', '.join(lacking[:3])} among them; choose others with --dataset.points (file: those of train)."
        )
