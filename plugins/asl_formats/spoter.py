"""CSV files of SPOTER: a row for each clip, a column for x and y of each joint, in each cell a list of all frames.

Boháček and Hrúz, Sign Pose-based Transformer for Word-level Sign Language Recognition, 2022;
https://github.com/matyasbohacek/spoter. Hands are ``_left_`` and ``_right_``, or ``_0_`` and ``_1_`` for the same.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from asl_core import Layout, NoOptions, Recording
from asl_formats.headers import refused
from asl_formats.layouts import layout_of
from asl_formats.unseen import hide

__all__ = ["SpoterCsv"]

_EXPECTED = "a CSV file of SPOTER, with columns nose_X, nose_Y, wrist_left_X and so on"
_BODY = (
    "nose", "neck", "rightEye", "leftEye", "rightEar", "leftEar", "rightShoulder", "leftShoulder", "rightElbow",
    "leftElbow", "rightWrist", "leftWrist",
)  # fmt: skip
#: in the order of hand21
_HAND = (
    "wrist", "thumbCMC", "thumbMP", "thumbIP", "thumbTip", "indexMCP", "indexPIP", "indexDIP", "indexTip", "middleMCP",
    "middlePIP", "middleDIP", "middleTip", "ringMCP", "ringPIP", "ringDIP", "ringTip", "littleMCP", "littlePIP",
    "littleDIP", "littleTip",
)  # fmt: skip
_JOINTS = (*_BODY, *(f"{joint}_left" for joint in _HAND), *(f"{joint}_right" for joint in _HAND))
_LAYOUT: Layout = layout_of("spoter", ("x", "y"))
_HEAD = 1 << 16  #: bytes of the first line
_LONGEST = 100_000  #: frames of a clip


class SpoterCsv:
    """Rows of clips with class numbers."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By the names of its columns."""
        try:
            with path.open("rb") as file:
                names = _columns(file.readline(_HEAD).decode("utf-8-sig").strip().split(","))
        except (OSError, UnicodeError):
            return False
        return {"wrist_left_X", "wrist_right_Y", "nose_X"} <= names.keys()

    def read(self, path: Path) -> Iterator[Recording]:
        """A recording for each row.

        Raises:
            DataError: a row is cut short, or a cell holds no list of numbers.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.reader(file, strict=True)
                names = _columns(next(rows, []))
                lacking = [n for j in _JOINTS if j != "neck" for n in (f"{j}_X", f"{j}_Y") if n not in names]
                if lacking:
                    raise ValueError(f"it has no column {', '.join(lacking[:3])}{' and others' * (len(lacking) > 3)}")
                count = 0
                for count, row in enumerate(rows, start=1):
                    yield _recording(path, count, row, names)
                if not count:
                    raise ValueError("it has no row")
        except (OSError, ValueError, csv.Error, IndexError) as fault:
            raise refused(path, fault, _EXPECTED) from fault


def _columns(cells: list[str]) -> dict[str, int]:
    """Name -> place of each column, hands by the newer names."""
    found = {}
    for place, cell in enumerate(cells):
        name = re.sub(r"_([01])_(?=[XY]$)", lambda match: ("_left_", "_right_")[int(match[1])], cell.strip().strip('"'))
        found[name] = place
    return found


def _recording(path: Path, number: int, row: list[str], names: dict[str, int]) -> Recording:
    columns: dict[str, np.ndarray] = {}
    for joint in _JOINTS:
        for name in (f"{joint}_X", f"{joint}_Y"):
            if name in names:
                columns[name] = _numbers(row[names[name]], name, number)
    frames = {len(column) for column in columns.values()}
    if len(frames) != 1:
        raise ValueError(f"row {number} has joints of {min(frames)} to {max(frames)} frames")
    points = np.full((frames.pop(), len(_JOINTS), 2), np.nan, np.float32)
    for place, joint in enumerate(_JOINTS):
        for axis, letter in enumerate("XY"):
            if f"{joint}_{letter}" in columns:
                points[:, place, axis] = columns[f"{joint}_{letter}"]
    points = hide(points, _LAYOUT, path, by_point=True)
    label = row[names["labels"]].strip() if "labels" in names else ""
    notes = ("its gloss is a class number: give a list of glosses",) if label.isdecimal() else ()
    return Recording(
        id=str(number), layout=_LAYOUT, points=points, glosses=(label,) if label else (), source=str(path), notes=notes
    )


def _numbers(cell: str, name: str, row: int) -> np.ndarray:
    words = cell.strip().removeprefix("[").removesuffix("]").split(",")
    if not cell.strip().startswith("[") or not cell.strip().endswith("]") or len(words) > _LONGEST:
        raise ValueError(f"{name} of row {row} is no list of numbers")
    try:
        values = np.array([float(word) for word in words])
    except ValueError as fault:
        raise ValueError(f"{name} of row {row} is no list of numbers") from fault
    if any(math.isinf(value) or abs(value) > 1e30 for value in values.tolist()):
        raise ValueError(f"{name} of row {row} holds infinite numbers")
    return values
