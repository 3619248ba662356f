"""The transforms of single clips: each a pure function of :class:`Landmarks` behind a name and its options."""

from __future__ import annotations

import numpy as np

from asl_core import Clip, Finding
from asl_landmarks.gaps import fill_gaps
from asl_landmarks.handedness import left_dominant
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import SEEN, unfit_packed, unfit_raw
from asl_landmarks.options import FillGapsOptions, LandmarksOptions, TrimOptions
from asl_landmarks.reading import read_landmarks, torn_hands
from asl_landmarks.resting import signing_span

__all__ = ["FillGaps", "PackLandmarks", "Trim"]


#: median distance of points from the corner of the image, in image widths, beyond which they are pixels
_FAR = 3


def unseen_hands(clip: Clip) -> np.ndarray | None:
    """(T,) share of each packed frame's hand points that were not seen; None of frames of another layout."""
    return None if unfit_packed(clip.features.shape[1]) else Landmarks.of_clip(clip).hands_unseen


class PackLandmarks:
    """Raw landmarks, packed: right hand, left hand, body, each point with whether it was seen.

    A clip without a single hand keeps its frames, in which every hand point is absent.
    """

    def __init__(self, options: LandmarksOptions):
        self.options = options

    takes_nan = True  #: it knows NaN as a point that was not seen

    unfit = staticmethod(unfit_raw)
    unseen = staticmethod(unseen_hands)

    def findings(self, clip: Clip) -> list[Finding]:
        """Places that cannot be shares of the image, and hands of which only some points are there."""
        return [*_pixels(clip), *_torn(clip)]

    def __call__(self, clip: Clip) -> Clip:
        """The packed clip, of as many frames."""
        landmarks = read_landmarks(clip)
        if self.options.dominant_right and left_dominant(landmarks):
            landmarks = landmarks.mirrored()
        return landmarks.to_clip(clip)


def _pixels(clip: Clip) -> list[Finding]:
    if np.nanmax(np.abs(clip.features), initial=0) <= _FAR:  # as nearly every clip is, and quick to see
        return []
    landmarks = read_landmarks(clip)
    places = np.abs(landmarks.points[landmarks.seen == SEEN][:, :2])
    if not len(places) or np.median(places) <= _FAR:
        return []
    message = (
        "landmarks look like pixels; expected shares of image width and height, from 0 to 1. Divide x and z by "
        "the width of the picture and y by its height."
    )
    return [Finding("warning", "pixels", message)]


def _torn(clip: Clip) -> list[Finding]:
    frames = torn_hands(clip)
    if not frames:
        return []
    message = (
        f"{frames} of {len(clip.features)} frames hold a hand of which some points are missing (-1, 0 or NaN) and "
        f"others are not, as no detector gives them. Those points are left out, and a hand that misses most of them "
        f"counts as lost. Extract the clip again."
    )
    return [Finding("warning", "torn-hands", message)]


class FillGaps:
    """Lost points put back from the frames around, marked as filled."""

    def __init__(self, options: FillGapsOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)
    unseen = staticmethod(unseen_hands)

    def __call__(self, clip: Clip) -> Clip:
        """The clip with fewer absent points."""
        return fill_gaps(Landmarks.of_clip(clip), self.options.max_gap).to_clip(clip)


class Trim:
    """The frames of the sign, without those before and after; see :func:`signing_span`."""

    def __init__(self, options: TrimOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)
    unseen = staticmethod(unseen_hands)

    def __call__(self, clip: Clip) -> Clip:
        """The clip with no more frames than before, and at least one."""
        kept = self.frames_kept(clip)
        return Landmarks.of_clip(clip).frames(kept.start, kept.stop).to_clip(clip)

    def frames_kept(self, clip: Clip) -> slice:
        """Those of the sign."""
        options, landmarks = self.options, Landmarks.of_clip(clip)
        return slice(*signing_span(landmarks, rest=options.rest, height=options.rest_height, speed=options.rest_speed))
