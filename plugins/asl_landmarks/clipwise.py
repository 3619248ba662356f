"""The transforms of single clips: each a pure function of :class:`Landmarks` behind a name and its options."""

from __future__ import annotations

from asl_core import Clip
from asl_landmarks.gaps import fill_gaps
from asl_landmarks.handedness import left_dominant
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import unfit_packed, unfit_raw
from asl_landmarks.options import FillGapsOptions, LandmarksOptions, TrimOptions
from asl_landmarks.reading import read_landmarks
from asl_landmarks.resting import signing_span

__all__ = ["FillGaps", "PackLandmarks", "Trim"]


class PackLandmarks:
    """Raw landmarks, packed: right hand, left hand, body, each point with whether it was seen.

    A clip without a single hand keeps its frames, in which every hand point is absent.
    """

    def __init__(self, options: LandmarksOptions):
        self.options = options

    unfit = staticmethod(unfit_raw)

    def __call__(self, clip: Clip) -> Clip:
        """The packed clip, of as many frames."""
        landmarks = read_landmarks(clip)
        if self.options.dominant_right and left_dominant(landmarks):
            landmarks = landmarks.mirrored()
        return landmarks.to_clip(clip)


class FillGaps:
    """Lost points put back from the frames around, marked as filled."""

    def __init__(self, options: FillGapsOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, clip: Clip) -> Clip:
        """The clip with fewer absent points."""
        return fill_gaps(Landmarks.of_clip(clip), self.options.max_gap).to_clip(clip)


class Trim:
    """The frames of the sign, without those before and after; see :func:`signing_span`."""

    def __init__(self, options: TrimOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, clip: Clip) -> Clip:
        """The clip with no more frames than before, and at least one."""
        landmarks, options = Landmarks.of_clip(clip), self.options
        start, end = signing_span(landmarks, rest=options.rest, height=options.rest_height, speed=options.rest_speed)
        return landmarks.frames(start, end).to_clip(clip)
