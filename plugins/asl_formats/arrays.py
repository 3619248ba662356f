"""From an array of numbers to a recording: its axes found, its people chosen, what was not seen made NaN."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asl_core import DataError, Layout, Recording
from asl_formats.layouts import AXES, BY_POINT, LAYOUTS, layout_of, layouts_of_points
from asl_formats.shapes import Reading, readings
from asl_formats.unseen import hide

__all__ = ["choose", "in_order_of_detection", "recording_of", "scored_recording", "unit_of"]

_LEAST_SCORE = {"wholebody": 0.3}  #: layout -> score under which its detectors are as good as blind
_IMAGE = 4.0  #: shares of an image reach from 0 to 1, and points out of it a little further


def choose(path: Path, shape: tuple[int, ...], name: str = "") -> tuple[Reading, tuple[str, ...]]:
    """How to read an array, with what a user should know of the choice.

    Args:
        path: for messages.
        shape: of the array.
        name: of the layout, where the user gave it.

    Raises:
        DataError: no known layout has such a shape, or several have.
    """
    ways = readings(shape, name)
    if not ways:
        of = f"layout {name}" if name else "a known layout"
        raise DataError(
            f"{path} holds an array of shape {str(tuple(shape))[:60]}, which is no clip of {of}; expected (frames, "
            f"numbers) or (frames, points, coordinates) of one of {', '.join(LAYOUTS)} (`asl help formats`)."
        )
    if len(ways) == 1:
        return ways[0], ()
    first = ways[0]
    if len(shape) == 2 and all(w.name == first.name or w.order != first.order for w in ways):
        # All programs of the field write time first; a clip may happen to have as many frames as a layout has numbers.
        return first, (f"of shape {tuple(shape)}: taken as {first}, though it could be {ways[1]}",)
    raise DataError(
        f"{path} holds an array of shape {tuple(shape)}, which can be {' or '.join(map(str, ways))}; say which it is "
        f"with the option layout of the format."
    )


def recording_of(
    array: np.ndarray, reading: Reading, path: Path, name: str, notes: Sequence[str] = (), **facts: Any
) -> Recording:
    """The recording of an array of numbers.

    Args:
        array: as it is stored.
        reading: of :func:`choose`.
        path: it was read from.
        name: id of the recording.
        notes: of what was found before.
        facts: other fields of the recording.

    Raises:
        DataError: it holds infinite numbers.
    """
    axes, notes = reading.axes, list(notes)
    with np.errstate(over="ignore", invalid="ignore"):
        people = reading.arranged(array.astype(np.float32))  # a copy, which is changed in place
    points = people[..., : len(axes)]
    seen = None
    if reading.name in BY_POINT and reading.coordinates == 3:
        least = _LEAST_SCORE.get(reading.name, 0.0)
        scores = people[..., 2]
        seen = scores >= least if least else scores > 0
    layout = layout_of(reading.name, axes)
    by_point = reading.name in BY_POINT
    clips = [
        hide(one, layout, path, seen=None if seen is None else seen[place], by_point=by_point)
        for place, one in enumerate(points)
    ]
    best = clips[0]
    if len(clips) > 1:
        best = max(clips, key=lambda one: int(np.isfinite(one).sum()))  # the first of equals
        if any(np.isfinite(one).any() for one in clips if one is not best):
            notes.append(f"{len(clips)} people: the one with the most points that were seen is taken")
    if reading.name == "hands" and in_order_of_detection([array], [reading]):
        layout = layout_of("detected", axes)
        notes.append("a hand of -1 throughout stands for none: hands in the order of detection, left or right unknown")
    layout = Layout(layout.parts, axes, unit_of(best))
    return Recording(id=name, layout=layout, points=best, source=str(path), notes=tuple(notes), **facts)


def scored_recording(
    points: np.ndarray, scores: np.ndarray, path: Path, name: str, notes: Sequence[str] = (), **facts: Any
) -> Recording:
    """The recording of points whose scores stand in an array of their own.

    Args:
        points: (T, points, 2 or 3).
        scores: (T, points).
        path: it was read from.
        name: id of the recording.
        notes: of what was found before.
        facts: other fields of the recording.

    Raises:
        DataError: the shapes do not agree, are of no known layout, or a number is infinite.
    """
    sound = points.ndim == 3 and points.shape[2] in (2, 3) and scores.shape == points.shape[:2] and len(points) > 0
    names = layouts_of_points(points.shape[1]) if sound else ()
    if len(names) != 1:
        raise DataError(
            f"{path} holds keypoints of shape {points.shape} and scores of shape {scores.shape}; expected (frames, "
            f"points, 2 or 3) and (frames, points), with 133, 137, 75 or 27 points."
        )
    axes = AXES[: points.shape[2]]
    least = _LEAST_SCORE.get(names[0], 0.0)
    layout = layout_of(names[0], axes)
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array(points, dtype=np.float32)
    seen = scores >= least if least else scores > 0
    values = hide(values, layout, path, seen=seen, by_point=names[0] in BY_POINT)
    layout = Layout(layout.parts, axes, unit_of(values))
    return Recording(id=name, layout=layout, points=values, source=str(path), notes=tuple(notes), **facts)


def unit_of(points: np.ndarray) -> str:
    """``image`` for shares of the picture, ``pixel`` where most x are too large for that."""
    numbers = points[..., 0]
    large = np.count_nonzero(np.abs(numbers) > _IMAGE)  # not of NaN
    return "pixel" if 2 * large > np.count_nonzero(np.isfinite(numbers)) else "image"


def in_order_of_detection(arrays: Iterable[np.ndarray], ways: Iterable[Reading]) -> bool:
    """Whether some frame has a hand whose numbers are all -1: hands are then in the order of detection.

    Programs that know left from right write 0. In a file of many clips one such frame decides for all.
    """
    for array, reading in zip(arrays, ways, strict=True):
        if reading.name == "hands" and (array == -1).any():
            frames = reading.arranged(array)[0]
            if (frames.reshape(len(frames), 2, -1) == -1).all(axis=-1).any():
                return True
    return False
