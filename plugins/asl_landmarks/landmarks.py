"""Landmarks of one clip: points in space and whether each was seen."""

from __future__ import annotations

import attrs
import numpy as np

from asl_core import Clip, DataError
from asl_landmarks.layout import ABSENT, HAND, HANDS, POINT, SEEN, Packed, unfit_packed

__all__ = ["Landmarks", "unseen_hands"]


@attrs.frozen(eq=False)
class Landmarks:
    """Points of a clip, of the signer's right hand, the left hand, and the body (:mod:`asl_landmarks.layout`)."""

    points: np.ndarray  #: (T, P, 3) float32; 0 where absent
    seen: np.ndarray  #: (T, P) int8: SEEN, FILLED or ABSENT

    @classmethod
    def of_points(cls, points: np.ndarray, seen: np.ndarray) -> Landmarks:
        """From points (T, P, 3) and whether each was ``seen`` (T, P)."""
        points = np.where(seen[:, :, None], points, 0).astype(np.float32)
        return cls(points, np.where(seen, SEEN, ABSENT).astype(np.int8))

    @classmethod
    def of_clip(cls, clip: Clip) -> Landmarks:
        """From a clip of packed frames.

        Raises:
            DataError: its frames have another width.
        """
        width = clip.features.shape[1]
        if (reason := unfit_packed(width)) is not None:
            raise DataError(f"clip {clip.id!r} ({clip.source or 'unknown source'}) cannot be used: {reason}.")
        frames = clip.features.reshape(len(clip.features), -1, POINT)
        seen = np.sign(np.rint(frames[:, :, 3])).astype(np.int8)
        return cls(np.where(seen[:, :, None] == ABSENT, np.float32(0), frames[:, :, :3]), seen)

    def to_clip(self, clip: Clip) -> Clip:
        """The clip with these landmarks, packed, as its frames."""
        frames = np.concatenate([self.points, self.seen[:, :, None].astype(np.float32)], axis=2)
        return attrs.evolve(clip, features=frames.reshape(len(frames), -1))

    @property
    def hands_unseen(self) -> np.ndarray:
        """(T,) share of the points of both hands that were not seen: absent or filled."""
        return np.asarray((self.seen[:, :HANDS] != SEEN).mean(1))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def layout(self) -> Packed:
        """Which points these are."""
        return Packed(self.points.shape[1] - HANDS)

    @property
    def wrists(self) -> np.ndarray:
        """(T, 2, 3) right, left."""
        return self.points[:, [0, HAND]]

    @property
    def hands_seen(self) -> np.ndarray:
        """(T, 2) bool, whether the right and the left hand were seen, not filled."""
        return np.asarray(self.seen[:, [0, HAND]] == SEEN)

    def frames(self, start: int, end: int) -> Landmarks:
        """Frames ``start`` to ``end``, the latter excluded."""
        return Landmarks(self.points[start:end], self.seen[start:end])

    def mirrored(self) -> Landmarks:
        """The mirror image: the right hand becomes the left one, and x becomes 1 - x."""
        order = list(self.layout.mirrored)
        points, seen = self.points[:, order], self.seen[:, order]
        points[:, :, 0] = np.where(seen == ABSENT, np.float32(0), 1 - points[:, :, 0])
        return Landmarks(points, seen)


def unseen_hands(clip: Clip) -> np.ndarray | None:
    """(T,) share of each packed frame's hand points that were not seen; None of frames of another layout."""
    return None if unfit_packed(clip.features.shape[1]) else Landmarks.of_clip(clip).hands_unseen
