"""Clips at the model's rate: landmarks read between frames by time, and never across a point that was lost."""

from __future__ import annotations

import attrs
import numpy as np

from asl_core import Clip, Finding
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import ABSENT, unfit_packed
from asl_landmarks.options import ResampleOptions

__all__ = ["Resample", "resampled"]

_SAME = 0.01  #: a rate this near to the model's is the model's: 29.97 is 30

#: seconds between two frames beyond which what happened in between is not known, unless all frames are so far apart
_LONGEST_STEP = 0.4


class Resample:
    """Frames at ``fps`` per second, whatever rate a clip was recorded at.

    A clip that does not know its rate is taken as it is.
    """

    def __init__(self, options: ResampleOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def findings(self, clip: Clip) -> list[Finding]:
        """That the rate of a clip is unknown."""
        if clip.fps is not None or clip.times is not None:
            return []
        message = (
            f"their frames per second are not known; they are taken as {self.options.fps:g}. --dataset.fps says another"
        )
        return [Finding("note", "rate-unknown", message)]

    def __call__(self, clip: Clip) -> Clip:
        """The clip with frames every 1 / ``fps`` seconds, from its first frame to its last."""
        rate = self.options.fps
        times = _times(clip, rate)
        if times is None:
            return attrs.evolve(clip, fps=rate, times=None)
        count = int(np.floor((times[-1] - times[0]) * rate + 1e-6)) + 1
        wanted = times[0] + np.arange(count) / rate
        return resampled(Landmarks.of_clip(clip), times, wanted).to_clip(attrs.evolve(clip, fps=rate, times=None))


def _times(clip: Clip, rate: float) -> np.ndarray | None:
    """(T,) seconds of the frames, or None where they already are at the rate, as far as anybody knows."""
    if clip.times is not None:
        return clip.times
    if clip.fps is None or abs(clip.fps / rate - 1) < _SAME:
        return None
    return np.arange(len(clip.features)) / clip.fps


def resampled(landmarks: Landmarks, times: np.ndarray, wanted: np.ndarray) -> Landmarks:
    """Landmarks at the seconds ``wanted``, on a smooth path through the frames at ``times``.

    The path is cubic between two frames; its slope in each is that between the frames around it (Catmull and Rom
    1974), or where one of those lacks the point the slope of the line between the two. A point that one of the two
    lacks is as in the nearer of them, so that nothing is drawn to a hand that was lost or through missing frames.

    Args:
        landmarks: (T, P) of a clip.
        times: (T,) rising seconds.
        wanted: (T',) rising seconds within the first and the last of ``times``.
    """
    after = np.searchsorted(times, wanted - 1e-9).clip(max=len(times) - 1)
    before = np.where(np.abs(times[after] - wanted) < 1e-9, after, (after - 1).clip(min=0))
    step = times[after] - times[before]
    longest = max(_LONGEST_STEP, 1.5 * float(np.median(np.diff(times)))) if len(times) > 1 else _LONGEST_STEP
    share = np.where(step > 0, (wanted - times[before]) / np.where(step > 0, step, 1), 0).astype(np.float32)
    nearer = np.where(share < 0.5, before, after)
    both = (landmarks.seen[before] != ABSENT) & (landmarks.seen[after] != ABSENT)
    both &= (step <= longest)[:, None]
    points = np.where(both[:, :, None], _path(landmarks, times, before, after, share), landmarks.points[nearer])
    seen = np.where(both, np.minimum(landmarks.seen[before], landmarks.seen[after]), landmarks.seen[nearer])
    # In the middle of a long step neither frame tells where the points are.
    far = np.minimum(wanted - times[before], times[after] - wanted) > longest / 2
    seen = np.where(far[:, None], ABSENT, seen).astype(landmarks.seen.dtype)
    return Landmarks(np.where((seen == ABSENT)[:, :, None], np.float32(0), points), seen)


def _path(
    landmarks: Landmarks, times: np.ndarray, before: np.ndarray, after: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """(T', P, 3) at a ``share`` (T',) of the way from the frames ``before`` to the frames ``after``."""
    points, present = landmarks.points, landmarks.seen != ABSENT
    earlier, later = (before - 1).clip(min=0), (after + 1).clip(max=len(times) - 1)
    step = (times[after] - times[before]).astype(np.float32)
    a, b = points[before], points[after]
    line = b - a

    def slope(first: np.ndarray, last: np.ndarray, outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
        span = np.maximum(times[last] - times[first], 1e-9).astype(np.float32)
        across = (points[last] - points[first]) * (step / span)[:, None, None]
        known = present[outer] & (outer != inner)[:, None]
        return np.asarray(np.where(known[:, :, None], across, line))

    leaving, arriving = slope(earlier, after, earlier, before), slope(before, later, later, after)
    u = share[:, None, None]
    # Hermite's basis, written so that u = 0 gives a to the bit.
    return np.asarray(a + u * (leaving + u * (3 * line - 2 * leaving - arriving + u * (leaving + arriving - 2 * line))))
