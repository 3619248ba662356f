"""MediaPipe's hand detector (Tasks, HandLandmarker in video mode): at most two hands of 21 points.

https://ai.google.dev/edge/mediapipe/solutions/vision/hand_landmarker. x and y in units of image width and height, z
relative to the wrist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asl_core import Layout, Part
from asl_video.detectors import DetectorOptions
from asl_video.mediapipe_tasks import TaskDetector, opened
from asl_video.model_files import HANDS

__all__ = ["LAYOUT", "MediaPipeHands", "by_side", "open_detector"]

_POINTS = 21
LAYOUT = Layout((Part("left-hand", _POINTS, "hand21"), Part("right-hand", _POINTS, "hand21")))
_SIDES = ("Left", "Right")  #: the signer's, of a picture that is not mirrored (checked with 0.10.33)


def open_detector(options: DetectorOptions) -> MediaPipeHands:
    """A detector for one video; raises as :func:`asl_video.mediapipe_tasks.opened`."""

    def make(vision: Any, base: Any, mode: Any) -> Any:
        settings = vision.HandLandmarkerOptions(base_options=base, running_mode=mode, num_hands=2)
        return vision.HandLandmarker.create_from_options(settings)

    return MediaPipeHands(*opened("mediapipe-hands", HANDS, options.model, make))


class MediaPipeHands(TaskDetector):
    """The detector of one video: it follows hands from frame to frame."""

    layout = LAYOUT

    def detect(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
        """Points (42, 3) of the left and the right hand, and the number of hands that MediaPipe returned."""
        result = self.results(image, seconds)
        points = np.full((2, _POINTS, 3), np.nan, dtype=np.float32)
        sides = [(hand[0].category_name, hand[0].score) for hand in result.handedness]
        for number, side in by_side(sides).items():
            points[side] = [(point.x, point.y, point.z) for point in result.hand_landmarks[number]]
        return points.reshape(-1, 3), len(sides)


def by_side(hands: Sequence[tuple[str, float]]) -> dict[int, int]:
    """Number of a detected hand -> 0 for left, 1 for right.

    Of two hands that are called by one side, the likelier has it and the other has the other; a third is left out.

    Args:
        hands: of each hand ``Left`` or ``Right`` and the probability of that.
    """
    chosen: dict[int, int] = {}
    for number in sorted(range(len(hands)), key=lambda n: (-hands[n][1], n))[:2]:
        side = _SIDES.index(hands[number][0])
        chosen[number] = 1 - side if side in chosen.values() else side
    return chosen
