"""What a format reads from a file: points with names, time, and what else the file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from asl_core.clips.clip import MOST_FPS, Clip
from asl_core.clips.layout import Layout

__all__ = ["Recording"]


def _points(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


def _three_dimensional(recording: Recording, _: object, value: np.ndarray) -> None:
    expected = (recording.layout.points, len(recording.layout.axes))
    if value.ndim != 3 or value.shape[1:] != expected:
        raise ValueError(f"points of shape {value.shape}; its layout wants (frames, {expected[0]}, {expected[1]})")


def _rate(_: object, __: object, value: float | None) -> None:
    if value is not None and not 0 < value <= MOST_FPS:
        raise ValueError(f"{value!r} frames per second; expected 0 to {MOST_FPS}, or None")


def _rising(recording: Recording, _: object, value: np.ndarray | None) -> None:
    frames = len(recording.points)
    if value is not None and (value.shape != (frames,) or not np.isfinite(value).all() or (np.diff(value) <= 0).any()):
        raise ValueError(f"times that are not {frames} rising numbers of seconds, one per frame")


@attrs.frozen(eq=False, kw_only=True)
class Recording:
    """One recorded clip as its file has it. A point that was not seen is NaN on every axis, whatever the file says."""

    id: str
    layout: Layout
    points: np.ndarray = attrs.field(converter=_points, validator=_three_dimensional)  #: (T, points, axes) float32
    fps: float | None = attrs.field(
        default=None, validator=_rate
    )  #: frames per second; None where the file does not say
    #: (T,) float64 seconds of each frame, where their rate is not even
    times: np.ndarray | None = attrs.field(default=None, validator=_rising)
    size: tuple[int, int] | None = None  #: width and height of the picture in pixels
    glosses: tuple[str, ...] = ()
    signer: str | None = None
    split: str | None = None  #: where the file says that it belongs
    source: str = ""  #: file it was read from, for messages
    detector: str | None = None  #: program that measured the points, with its version; None where the file does not say
    notes: tuple[str, ...] = ()  #: what a user should know of how it was read, such as frames that are missing

    def to_clip(self) -> Clip:
        """The clip of features (T, points · axes)."""
        return Clip(
            id=self.id,
            features=self.points.reshape(len(self.points), -1),
            glosses=self.glosses,
            signer=self.signer,
            source=self.source,
            fps=self.fps,
            times=self.times,
            layout=self.layout,
            detector=self.detector,
        )

    def save(self, path: Path, **more: np.ndarray) -> None:
        """Write all of it but its source and notes to an ``.npz`` file, which format ``npz`` reads: the same bits.

        Args:
            path: of the file.
            more: further arrays to write beside, which nothing reads.

        Raises:
            OSError: it cannot be written.
        """
        fields = ("fps", "times", "size", "glosses", "signer", "split", "detector", "id")
        facts = {name: getattr(self, name) for name in fields}
        arrays = {
            name: np.array(value) for name, value in facts.items() if value is not None and len(np.shape(value) or "1")
        }
        layout = np.array(json.dumps(self.layout.to_json()))
        np.savez_compressed(path, points=self.points, layout=layout, **arrays, **more)  # type: ignore[arg-type]
