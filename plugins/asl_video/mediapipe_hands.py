"""MediaPipe's hand detector (Tasks, HandLandmarker in video mode): at most two hands of 21 points.

https://ai.google.dev/edge/mediapipe/solutions/vision/hand_landmarker. x and y in units of image width and height, z
relative to the wrist. Versions after 0.10.33 look up names of their maker or report to it, and are refused.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

import numpy as np

from asl_core import DataError, Layout, MissingExtraError, Part
from asl_video.detectors import DetectorOptions
from asl_video.model_files import find_model, sha256_of

__all__ = ["LAYOUT", "MediaPipeHands", "by_side", "open_detector"]

_POINTS = 21
LAYOUT = Layout((Part("left-hand", _POINTS, "hand21"), Part("right-hand", _POINTS, "hand21")))
_SIDES = ("Left", "Right")  #: the signer's, of a picture that is not mirrored (checked with 0.10.33)
_NEWEST = (0, 10, 33)


def open_detector(options: DetectorOptions) -> MediaPipeHands:
    """A detector for one video.

    Raises:
        DataError: its model file is missing or damaged, or MediaPipe is of a version that is not used.
        MissingExtraError: MediaPipe is not installed.
    """
    try:
        version = importlib.metadata.version("mediapipe")
    except importlib.metadata.PackageNotFoundError as fault:
        raise MissingExtraError("mediapipe", "video", "finding hands in videos") from fault
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
    if numbers > _NEWEST:
        raise DataError(
            f"mediapipe {version} is installed, which contacts its maker; expected 0.10.32 or 0.10.33: "
            f"pip install 'asl-core[video]'"
        )
    model = find_model(options.model)
    return MediaPipeHands(model, f"mediapipe-hands {version}, model {sha256_of(model)[:12]}")


class MediaPipeHands:
    """The detector of one video: it follows hands from frame to frame.

    Args:
        model: a ``hand_landmarker.task``.
        identity: name, version and hash.

    Raises:
        DataError: the model file is damaged.
    """

    layout = LAYOUT

    def __init__(self, model: Any, identity: str):
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        self.identity = identity
        options = vision.HandLandmarkerOptions(
            # Its bytes: MediaPipe does not open paths of other letters than ASCII on Windows.
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            running_mode=vision.RunningMode.VIDEO,
            num_hands=2,
        )
        try:
            self._hands = vision.HandLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as fault:
            reason = " ".join(str(fault).split())[:200]
            raise DataError(
                f"{model} is no model of MediaPipe's hand detector ({reason}); expected hand_landmarker.task. Type "
                f"`asl extract --download-model`."
            ) from fault
        self._image = mediapipe.Image
        self._rgb = mediapipe.ImageFormat.SRGB
        self._last = -1

    def detect(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
        """Points (42, 3) of the left and the right hand, and the number of hands that MediaPipe returned."""
        self._last = max(self._last + 1, round(1000 * seconds))
        shown = self._image(image_format=self._rgb, data=np.ascontiguousarray(image))
        result = self._hands.detect_for_video(shown, self._last)
        points = np.full((2, _POINTS, 3), np.nan, dtype=np.float32)
        sides = [(hand[0].category_name, hand[0].score) for hand in result.handedness]
        for number, side in by_side(sides).items():
            points[side] = [(point.x, point.y, point.z) for point in result.hand_landmarks[number]]
        return points.reshape(-1, 3), len(sides)

    def close(self) -> None:
        """Stop MediaPipe's threads."""
        self._hands.close()


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
