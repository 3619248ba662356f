"""Frames that have numbers: which place each has in its clip, and what stands where one is missing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asl_core import DataError

__all__ = ["places_of", "spread"]

_SPARSE = 4  #: times as many frames as there are is the most that their numbers may claim


def places_of(path: Path, numbers: Sequence[int], kind: str, clip: str = "") -> tuple[list[int] | None, list[str]]:
    """The place of each frame, where numbers are missing between the first and the last, else None; and notes.

    Numbers that all rise in steps of two or more belong to frames that follow each other.

    Args:
        path: for messages.
        numbers: of the frames, sorted; at least one.
        kind: what a frame is in the file, such as ``file`` or ``row``.
        clip: which clip of the file they are of, for messages.

    Raises:
        DataError: two frames have one number, or the numbers claim many times as many frames as there are.
    """
    first, count = numbers[0], len(numbers)
    if numbers[-1] - first == count - 1 and len(set(numbers)) == count:
        return None, []
    where = f"{path}{f', {clip},' if clip else ''}"
    twice = next((b for a, b in itertools.pairwise(numbers) if a == b), None)
    if twice is not None:
        raise DataError(f"{where} holds two {kind}s of frame number {twice}; expected one {kind} for each frame.")
    step = math.gcd(*(number - first for number in numbers))
    places = [(number - first) // step for number in numbers]
    if places[-1] >= _SPARSE * count + 16:
        raise DataError(
            f"{where} holds {count} frames with numbers from {first:,} to {numbers[-1]:,}; expected a {kind} for "
            f"nearly each number. If they are in order nevertheless, number them anew: 0, 1, 2 and so on."
        )
    notes = [f"frames are numbered in steps of {step}: every {kind} is taken for the next frame"] if step > 1 else []
    missing = sorted(set(range(places[-1] + 1)) - set(places))
    if not missing:
        return None, notes
    shown = ", ".join(str(first + step * place) for place in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    text = f"{len(missing)} of {places[-1] + 1} frames have no {kind} ({shown}{more}) and stand as not seen"
    return places, [*notes, text]


def spread(frames: np.ndarray, places: Sequence[int]) -> np.ndarray:
    """Frames at their places, with NaN in those between."""
    whole = np.full((places[-1] + 1, *frames.shape[1:]), np.nan, dtype=np.promote_types(frames.dtype, "f4"))
    whole[list(places)] = frames
    return whole
