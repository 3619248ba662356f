"""Numbers that no model can take: not finite, or so large that their squares are not."""

from __future__ import annotations

import numpy as np

__all__ = ["LARGEST", "bad_numbers"]

#: no measurement is as large, and the squares of larger numbers overflow float32
LARGEST = 1e18


def bad_numbers(frames: np.ndarray, *, nan: bool = True) -> str | None:
    """The first number of frames (T, D) that no model can take, in words; None where there is none.

    Args:
        frames: of a clip.
        nan: whether NaN counts too.
    """
    with np.errstate(invalid="ignore"):
        large = ~(np.abs(frames) < LARGEST)
    bad = large if nan else large & ~np.isnan(frames)
    if not bad.any():
        return None
    frame, dimension = (int(n) for n in np.argwhere(bad)[0])
    number = frames[frame, dimension]
    named = "NaN" if np.isnan(number) else "an infinite number" if np.isinf(number) else f"{number:g}"
    count, among = int(bad.sum()), int(bad.any(1).sum())
    more = "" if count == 1 else f" (and {count - 1:,} more such numbers, in {among} of {len(frames)} frames)"
    return f"{named} at frame {frame}, dimension {dimension}{more}"
