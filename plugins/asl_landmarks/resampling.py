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
    """Landmarks at the seconds ``wanted``, linear between the frames at ``times``.

    A point that one of the two frames around lacks is as in the nearer of them, so that no line is drawn to a hand
    that was lost or through frames that are missing.

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
    a, b = landmarks.points[before], landmarks.points[after]
    points = np.where(both[:, :, None], a + share[:, None, None] * (b - a), landmarks.points[nearer])
    seen = np.where(both, np.minimum(landmarks.seen[before], landmarks.seen[after]), landmarks.seen[nearer])
    # In the middle of a long step neither frame tells where the points are.
    far = np.minimum(wanted - times[before], times[after] - wanted) > longest / 2
    seen = np.where(far[:, None], ABSENT, seen).astype(landmarks.seen.dtype)
    return Landmarks(np.where((seen == ABSENT)[:, :, None], np.float32(0), points), seen)
