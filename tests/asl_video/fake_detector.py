"""Detectors without a model: the hand is the bright square of :mod:`filmed`. Imported by the worker too."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from asl_core import DataError
from asl_video.detectors import DetectorOptions
from asl_video.mediapipe_hands import LAYOUT


class Squares:
    """All points of the left hand are the middle of what is white; what is red counts as three hands."""

    layout = LAYOUT

    def __init__(self, options: DetectorOptions):
        self.identity = "squares 1" if options.model is None else f"squares {options.model.name}"

    def detect(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
        points = np.full((42, 3), np.nan, dtype=np.float32)
        bright = image[:, :, 0] > 128
        if bright.any():
            y, x = np.nonzero(bright)
            points[:21] = (x.mean() / image.shape[1], y.mean() / image.shape[0], seconds)
        return points, 3 if bright.any() and not (image[:, :, 1] > 128).any() else int(bright.any())

    def close(self) -> None:
        pass


class Slow(Squares):
    def detect(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
        time.sleep(0.02)
        return super().detect(image, seconds)


class Dying(Squares):
    """Ends its process at a frame of three hands, as a fault in a decoder would."""

    def detect(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
        points, hands = super().detect(image, seconds)
        if hands == 3:
            os.write(2, b"Segmentation fault\n")
            os._exit(11)
        return points, hands


class Standing(Squares):
    """Stands still at such a frame."""

    def detect(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
        points, hands = super().detect(image, seconds)
        if hands == 3:
            time.sleep(600)
        return points, hands


def open_squares(options: DetectorOptions) -> Squares:
    return Squares(options)


def open_slow(options: DetectorOptions) -> Slow:
    return Slow(options)


def open_dying(options: DetectorOptions) -> Dying:
    return Dying(options)


def open_standing(options: DetectorOptions) -> Standing:
    return Standing(options)


def open_nothing(options: DetectorOptions) -> Squares:
    raise DataError(f"no model file here ({Path('x')}); type something.")
