"""MediaPipe's holistic detector (Tasks, HolisticLandmarker in video mode): pose, face and both hands of one person.

https://ai.google.dev/edge/mediapipe/solutions/vision/holistic_landmarker. x and y in units of image width and height.
The ten points of the irises, which some models add to the face, are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asl_core import Layout, Part
from asl_video.detectors import DetectorOptions
from asl_video.mediapipe_tasks import TaskDetector, opened
from asl_video.model_files import HOLISTIC

__all__ = ["LAYOUT", "MediaPipeHolistic", "open_detector"]

LAYOUT = Layout(
    (
        Part("pose", 33, "mediapipe-pose33"),
        Part("face", 468, "mediapipe-face468"),
        Part("left-hand", 21, "hand21"),
        Part("right-hand", 21, "hand21"),
    )
)


def open_detector(options: DetectorOptions) -> MediaPipeHolistic:
    """A detector for one video; raises as :func:`asl_video.mediapipe_tasks.opened`."""

    def make(vision: Any, base: Any, mode: Any) -> Any:
        settings = vision.HolisticLandmarkerOptions(base_options=base, running_mode=mode)
        return vision.HolisticLandmarker.create_from_options(settings)

    return MediaPipeHolistic(*opened("mediapipe-holistic", HOLISTIC, options.model, make))


class MediaPipeHolistic(TaskDetector):
    """The detector of one video: it follows a person from frame to frame."""

    layout = LAYOUT

    def detect(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
        """Points (543, 3), and the number of hands that were seen."""
        result = self.results(image, seconds)
        parts = (
            result.pose_landmarks,
            result.face_landmarks,
            result.left_hand_landmarks,
            result.right_hand_landmarks,
        )
        points = np.full((LAYOUT.points, 3), np.nan, dtype=np.float32)
        for part, landmarks in zip(LAYOUT.parts, parts, strict=True):
            if landmarks:
                points[LAYOUT.place(part.name)] = [(point.x, point.y, point.z) for point in landmarks[: part.points]]
        return points, bool(parts[2]) + bool(parts[3])
