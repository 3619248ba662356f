"""The transform ``fill-gaps``: points that a detector lost for some frames, interpolated."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from asl_core import Clip
from asl_landmarks.landmarks import Landmarks, unseen_hands
from asl_landmarks.layout import ABSENT, FILLED, unfit_packed
from asl_landmarks.options import FillGapsOptions

__all__ = ["FillGaps", "fill_gaps"]


class FillGaps:
    """Lost points interpolated from the frames around, marked as filled."""

    def __init__(self, options: FillGapsOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)
    unseen = staticmethod(unseen_hands)

    def __call__(self, clip: Clip) -> Clip:
        """The clip with fewer absent points."""
        return fill_gaps(Landmarks.of_clip(clip), self.options.max_gap).to_clip(clip)


def fill_gaps(landmarks: Landmarks, max_gap: int | None = None) -> Landmarks:
    """Absent points linear between the frames before and after; the first and the last place are held.

    Args:
        landmarks: of a clip.
        max_gap: frames; a longer gap stays as it is. None fills every gap.

    A point that is absent from the whole clip stays absent.
    """
    points, seen = landmarks.points.copy(), landmarks.seen.copy()
    present = landmarks.seen != ABSENT
    for members in _lost_together(present):
        known = np.flatnonzero(present[:, members[0]])
        missing = _fillable(present[:, members[0]], max_gap)
        if len(known) and len(missing):
            points[np.ix_(missing, members)] = _between(landmarks.points[:, members], known, missing)
            seen[np.ix_(missing, members)] = FILLED
    return Landmarks(points, seen)


def _lost_together(present: np.ndarray) -> list[np.ndarray]:
    """The points, grouped by the frames they are present in (the points of a hand share them)."""
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for point, frames in enumerate(np.ascontiguousarray(present.T)):
        groups[frames.tobytes()].append(point)
    return [np.array(points) for points in groups.values()]


def _fillable(present: np.ndarray, max_gap: int | None) -> np.ndarray:
    """The missing frames, of gaps no longer than ``max_gap``."""
    missing = np.flatnonzero(~present)
    if max_gap is None or not len(missing):
        return missing
    gaps = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
    return np.concatenate([gap for gap in gaps if len(gap) <= max_gap] or [missing[:0]])


def _between(points: np.ndarray, known: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Points (T, n, 3) at the frames ``missing``, linear between the ``known`` ones around."""
    after = np.searchsorted(known, missing)
    right = known[after.clip(max=len(known) - 1)]
    left = known[(after - 1).clip(min=0)]
    share = ((missing - left) / np.maximum(right - left, 1)).clip(0, 1).astype(np.float32)[:, None, None]
    # Before the first and after the last known frame left and right are the same, and the place is held.
    left, right = np.minimum(left, right), np.maximum(left, right)
    return np.asarray(points[left] * (1 - share) + points[right] * share)
