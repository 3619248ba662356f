"""What MediaPipe's detectors have in common: the version that is used, the model file, the clock.

Versions after 0.10.33 look up names of their maker or report to it, and are refused.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from asl_core import DataError, MissingExtraError
from asl_video.model_files import ModelFile, sha256_of

__all__ = ["TaskDetector", "opened", "used_version"]

_NEWEST = (0, 10, 33)


def used_version() -> str:
    """The version of MediaPipe.

    Raises:
        DataError: it is one that is not used.
        MissingExtraError: it is not installed.
    """
    try:
        version = importlib.metadata.version("mediapipe")
    except importlib.metadata.PackageNotFoundError as fault:
        raise MissingExtraError("mediapipe", "video", "finding hands in videos") from fault
    if tuple(int(part) for part in version.split(".")[:3] if part.isdecimal()) > _NEWEST:
        raise DataError(
            f"mediapipe {version} is installed, which contacts its maker; expected 0.10.32 or 0.10.33: "
            f"pip install 'asl-core[video]'"
        )
    return version


def opened(name: str, file: ModelFile, given: Path | None, make: Callable[[Any, Any, Any], Any]) -> tuple[Any, str]:
    """A detector of MediaPipe for one video, and its identity.

    Args:
        name: of the detector.
        file: its model file.
        given: another path of it.
        make: (the module ``vision``, base options, running mode) to the detector.

    Raises:
        DataError: the model file is missing or damaged, or MediaPipe is of a version that is not used.
        MissingExtraError: MediaPipe is not installed.
    """
    version = used_version()
    model = file.find(given)
    from mediapipe.tasks.python import BaseOptions, vision

    try:
        # Its bytes: MediaPipe does not open paths of other letters than ASCII on Windows.
        base = BaseOptions(model_asset_buffer=model.read_bytes())
        detector = make(vision, base, vision.RunningMode.VIDEO)
    except (RuntimeError, ValueError, OSError) as fault:
        reason = " ".join(str(fault).split())[:200]
        raise DataError(
            f"{model} is no model of the detector {name} ({reason}); expected {file.name}, as it is at {file.url}"
        ) from fault
    return detector, f"{name} {version}, model {sha256_of(model)[:12]}"


class TaskDetector:
    """The detector of one video, which follows what it finds from frame to frame.

    Args:
        landmarker: of MediaPipe, in video mode.
        identity: name, version and model file.
    """

    def __init__(self, landmarker: Any, identity: str):
        import mediapipe

        self.identity = identity
        self._landmarker = landmarker
        self._image, self._rgb = mediapipe.Image, mediapipe.ImageFormat.SRGB
        self._last = -1

    def results(self, image: np.ndarray, seconds: float) -> Any:
        """What MediaPipe finds in a picture; its times are whole milliseconds, which have to rise."""
        self._last = max(self._last + 1, round(1000 * seconds))
        picture = self._image(image_format=self._rgb, data=np.ascontiguousarray(image))
        return self._landmarker.detect_for_video(picture, self._last)

    def close(self) -> None:
        """Stop MediaPipe's threads."""
        self._landmarker.close()
