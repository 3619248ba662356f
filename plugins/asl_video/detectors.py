"""The interface of detectors of landmarks, and the detectors that are here by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

import attrs
import numpy as np

from asl_core import DataError, Layout

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "Detector", "DetectorOptions", "Opener", "find_detector"]


@attrs.frozen(kw_only=True)
class DetectorOptions:
    """Options of every detector."""

    model: Path | None = None  #: model file; None for the one that :mod:`asl_video.model_files` finds


class Detector(Protocol):
    """Finds landmarks in the frames of one video, in order. Made by a function ``open_detector(options)``."""

    identity: str  #: name, version and start of the model's hash: landmarks of two identities differ
    layout: Layout

    def detect(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
        """The points of a frame, and how many hands were seen, which may be more than the layout holds.

        Args:
            image: (height, width, 3) uint8, red, green and blue.
            seconds: time of the frame; rises from call to call.

        Returns:
            (points, axes) float32, NaN for a point that was not seen.
        """

    def close(self) -> None:
        """Release what the detector holds."""


class Opener(Protocol):
    """What makes a detector."""

    def __call__(self, options: DetectorOptions) -> Detector:
        """A detector for one video.

        Raises DataError where its model file is missing, MissingExtraError where its library is.
        """


#: name -> ``module:function`` that opens it
DEFAULT_DETECTOR = "mediapipe-hands"
DETECTORS: Mapping[str, str] = {
    DEFAULT_DETECTOR: "asl_video.mediapipe_hands:open_detector",
    "mediapipe-holistic": "asl_video.mediapipe_holistic:open_detector",
}


def find_detector(name: str) -> Opener:
    """The detector of a name, or of a ``module:function`` of somebody else.

    Raises:
        DataError: there is none.
    """
    module, colon, function = DETECTORS.get(name, name).partition(":")
    if not colon:
        raise DataError(f"no detector {name!r}; expected {', '.join(DETECTORS)}, or MODULE:FUNCTION that opens one.")
    try:
        return cast("Opener", getattr(importlib.import_module(module), function))
    except (ImportError, AttributeError) as fault:
        raise DataError(f"detector {name!r} cannot be imported ({fault}); expected MODULE:FUNCTION.") from fault
