"""The transform ``landmarks``: raw landmarks of a detector as right hand, left hand and body."""

from __future__ import annotations

import numpy as np

from asl_core import Clip, Finding, Layout
from asl_landmarks.handedness import left_dominant
from asl_landmarks.landmarks import unseen_hands
from asl_landmarks.layout import SEEN, Packed, unfit_raw
from asl_landmarks.named import packed_layout, read_named, unfit_layout
from asl_landmarks.options import LandmarksOptions
from asl_landmarks.reading import read_landmarks, torn_hands

__all__ = ["PackLandmarks"]

#: median distance of points from the corner of the image, in image widths, beyond which they are pixels
_FAR = 3


class PackLandmarks:
    """Raw landmarks, packed: right hand, left hand, body, each point with whether it was seen.

    A clip without a single hand keeps its frames, in which every hand point is absent.
    """

    def __init__(self, options: LandmarksOptions):
        self.options = options
        self._packed: Packed | None = None

    takes_nan = True  #: NaN is a point that was not seen

    unfit = staticmethod(unfit_raw)
    unfit_layout = staticmethod(unfit_layout)
    unseen = staticmethod(unseen_hands)

    def findings(self, clip: Clip) -> list[Finding]:
        """Warnings of places that cannot be shares of the image, and of hands with only some of their points."""
        if clip.layout is not None:
            return _size_unknown(clip.layout)
        return [*_pixels(clip), *_torn(clip)]

    def expect(self, width: int) -> None:
        """From now on hand on the body points that frames of ``width`` features have, whatever else a clip has."""
        self._packed = Packed.of_width(width)

    def __call__(self, clip: Clip) -> Clip:
        """The packed clip, of as many frames."""
        if clip.layout is None:
            landmarks = read_landmarks(clip)
        else:
            landmarks = read_named(clip, clip.layout, self._packed or packed_layout(clip.layout))
        if self.options.dominant_right and left_dominant(landmarks):
            landmarks = landmarks.mirrored()
        return landmarks.to_clip(clip)


def _size_unknown(layout: Layout) -> list[Finding]:
    if layout.unit == "image":
        return []
    message = (
        f"places are in {layout.unit} units and the picture size is not known: they are scaled to the shoulders, or "
        f"without those to the extent of the clip, so that where in the picture a sign is made is lost"
    )
    return [Finding("note", "picture-size", message)]


def _pixels(clip: Clip) -> list[Finding]:
    if np.nanmax(np.abs(clip.features), initial=0) <= _FAR:  # true of nearly every clip, and fast to test
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
        f"{frames} of {len(clip.features)} frames have a hand with some points missing (-1, 0 or NaN) and others not, "
        "which no detector writes. Those points count as absent, and a hand that lacks most of them as lost. "
        "Extract the clip again."
    )
    return [Finding("warning", "torn-hands", message)]
