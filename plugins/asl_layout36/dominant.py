"""Left-handed signers as right-handed ones."""

from __future__ import annotations

import attrs
import numpy as np

from asl_core import Clip, DataError, NoOptions
from asl_layout36.layout import MIRROR_FROM, MIRROR_SIGN, PLACE, SHAPE, unfit36

__all__ = ["Dominant36", "hands_seen36", "left_dominant36"]


class Dominant36:
    """Clips in which the left hand does more are mirrored, so that a sign has one side whoever signs it."""

    def __init__(self, options: NoOptions):
        self.options = options

    unfit = staticmethod(unfit36)

    def __call__(self, clip: Clip) -> Clip:
        """The clip, mirrored or as it is.

        Raises:
            DataError: its frames are of another layout.
        """
        if (reason := unfit36(clip.features.shape[1])) is not None:
            raise DataError(f"clip {clip.id!r} ({clip.source or 'unknown source'}) cannot be used: {reason}.")
        if not left_dominant36(clip.features):
            return clip
        mirrored = clip.features[:, list(MIRROR_FROM)] * np.array(MIRROR_SIGN, dtype=clip.features.dtype)
        return attrs.evolve(clip, features=np.ascontiguousarray(mirrored))

    def unseen(self, clip: Clip) -> np.ndarray:
        """(T,) share of the two hands that each frame does not show."""
        return np.asarray(1 - hands_seen36(clip.features).mean(1))


def hands_seen36(features: np.ndarray) -> np.ndarray:
    """(T, 2) bool, whether frames (T, 36) show the left hand and the right one."""
    shapes, places = features[:, SHAPE].reshape(-1, 2, 5), features[:, PLACE].reshape(-1, 2, 3)
    return np.asarray((shapes != 0).any(2) | (places != 0).any(2))


def left_dominant36(features: np.ndarray) -> bool:
    """Whether the left hand does more: its share of frames in which it is seen, and half its share of the movement."""
    seen, places = hands_seen36(features), features[:, PLACE].reshape(-1, 2, 3)
    path = np.zeros(2)
    for hand in (0, 1):
        there = places[seen[:, hand], hand, :2].astype(np.float64)
        path[hand] = np.linalg.norm(np.diff(there, axis=0), axis=1).sum()
    activity = seen.mean(0) + 0.5 * path / max(path.sum(), 1e-6)
    return bool(activity[0] > activity[1])
