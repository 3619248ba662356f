"""Pickles of clips, plain or in gzip, read as data by asl's own machine: nothing in them is run.

- ``{"keypoints": (T, 1, 133, 2), "scores": (T, 1, 133)}``, one clip (Uni-Sign), also with a list of frames for each;
- ``{"keypoints": (F, 75, 3), "confidences": (F, 75)}``, one clip (OpenHands);
- ``{ID: {"keypoints": (T, 133, 3)}}``, x, y and score of many clips (NLA-SLR);
- ``{ID: array}`` and ``{ID: {"features": array, "gloss": …}}``, or a list of such tables with an id in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from asl_core import DataError, Recording, metadata_text, read_pickle
from asl_formats.arrays import choose, in_order_of_detection, recording_of, scored_recording
from asl_formats.headers import refused
from asl_formats.options import ArrayOptions
from asl_formats.shapes import readings
from asl_formats.unpacking import peek, unpacked

__all__ = ["PickledClips"]

_POINTS, _SCORES = ("keypoints", "features", "landmarks"), ("scores", "confidences", "visibility")
_IDS = ("video_id", "id", "name", "video", "video_name")
_EXPECTED = "a pickle of clips: {ID: array of (frames, points, coordinates)}, or {'keypoints': …, 'scores': …}"
_MOST = 5  #: times the bytes of a file that its points may take, which one array under many ids could exceed


class PickledClips:
    """``.pkl`` files of one clip or many."""

    suffixes: ClassVar[tuple[str, ...]] = (".pkl", ".pickle", ".p", ".gz")

    def __init__(self, options: ArrayOptions):
        self._layout = options.layout or ""

    def recognises(self, path: Path) -> bool:
        """By the beginning of a pickle that holds an array of numpy."""
        start = peek(path)
        return start[:1] == b"\x80" and start[1:2] <= b"\x05" and b"numpy" in start

    def read(self, path: Path) -> Iterator[Recording]:
        """The recordings of a file, in its order.

        Raises:
            DataError: it is damaged, holds more than data, or no clips.
        """
        try:
            data = unpacked(path)
        except (OSError, ValueError) as fault:
            raise refused(path, fault, _EXPECTED) from fault
        content = read_pickle(path, opaque=True, data=data)
        claimed, limit = 0, (64 << 20) + _MOST * len(data)
        clips = list(_clips(content, path))
        if not clips:
            raise DataError(f"{path} holds no clips; expected {_EXPECTED}.")
        if len({name for name, _ in clips}) < len(clips):
            raise DataError(f"{path} holds two clips of one id; expected an id of its own for each.")
        layout = self._layout or ("detected" if _detected(clips) else "")
        for name, clip in clips:
            recording = self._recording(path, name, clip, layout)
            claimed += recording.points.nbytes
            if claimed > limit:
                raise DataError(f"{path} repeats the same arrays under many clips, to more than {limit >> 20} MiB.")
            yield recording

    def _recording(self, path: Path, name: str, clip: Any, layout: str) -> Recording:
        table = clip if isinstance(clip, dict) else {"features": clip}
        key = next((key for key in _POINTS if key in table), None)
        if key is None:
            raise DataError(f"{path} has a clip {name[:60]!r} without keypoints or features; expected {_EXPECTED}.")
        facts = _facts(table)
        scores = next((table[k] for k in _SCORES if k in table), None)
        points, people = _first_person(table[key], 2)
        notes = [f"{people} people in a frame: the first is taken"] if people > 1 else []
        if scores is not None:
            values, _ = _first_person(scores, 1)
            return scored_recording(
                _array(points, path, name), _squeezed(values, path, name), path, name, notes, **facts
            )
        array = _array(points, path, name)
        if layout == "detected" and not self._layout:
            if not readings(array.shape, layout):
                layout = ""
            else:
                notes.append("two hands in the order of detection, left or right unknown: a hand of -1 stands for none")
        try:
            reading, remarks = choose(path, array.shape, layout)
        except DataError as fault:
            raise DataError(f"{fault} (Clip {name[:60]!r}; --dataset wlasl reads feature vectors.)") from fault
        return recording_of(array, reading, path, name, [*notes, *remarks], **facts)


def _clips(content: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """(id, clip) of all clips."""
    if isinstance(content, dict) and any(isinstance(content.get(key), np.ndarray | list) for key in _POINTS):
        yield path.name.partition(".")[0], content
    elif isinstance(content, dict):
        for key, clip in content.items():
            yield str(key), clip
    elif isinstance(content, list | tuple):
        for place, clip in enumerate(content):
            name = next((clip[k] for k in _IDS if k in clip), None) if isinstance(clip, dict) else None
            yield str(place if name is None else name), clip


def _detected(clips: list[tuple[str, Any]]) -> bool:
    """Whether some clip of the file has hands in the order of detection."""
    features = [clip.get("features") if isinstance(clip, dict) else clip for _, clip in clips]
    arrays = [value for value in features if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"]
    pairs = [(a, ways[0]) for a in arrays if len(ways := readings(a.shape)) == 1]
    return in_order_of_detection([a for a, _ in pairs], [way for _, way in pairs])


def _first_person(value: Any, trailing: int) -> tuple[Any, int]:
    """Frames of the first person, where each frame is an array by itself, and the most people of a frame.

    Args:
        value: an array, or a list of frames (people, points, …).
        trailing: axes of one person.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(frame, np.ndarray) for frame in value):
        return value, 1
    sizes = {frame.shape[1:] for frame in value if frame.ndim == trailing + 1}
    if len(sizes) != 1 or any(frame.ndim != trailing + 1 for frame in value):
        return value, 1
    (size,) = sizes
    frames = [frame[0] if len(frame) else np.full(size, np.nan) for frame in value]
    return np.stack(frames), max(len(frame) for frame in value)


def _array(value: Any, path: Path, name: str) -> np.ndarray:
    """Points as an array, without an axis of one person.

    Raises:
        DataError: it is something else.
    """
    try:
        array = np.asarray(value)
    except ValueError as fault:
        raise DataError(f"{path} has a clip {name[:60]!r} whose frames are of several shapes.") from fault
    if array.dtype.kind not in "fiu" or array.size == 0:
        raise DataError(f"{path} has a clip {name[:60]!r} that is no array of numbers; expected {_EXPECTED}.")
    return array[:, 0] if array.ndim == 4 and array.shape[1] == 1 else array


def _squeezed(value: Any, path: Path, name: str) -> np.ndarray:
    """Scores (T, points), without an axis of one person, or of one number."""
    array = _array(value, path, name)
    if array.ndim == 3:
        array = array[:, 0] if array.shape[1] == 1 else array[..., 0] if array.shape[2] == 1 else array
    return array


def _facts(table: Mapping[str, Any]) -> dict[str, Any]:
    """Gloss, signer, split and rate of a clip, where the file says them."""
    facts: dict[str, Any] = {}
    gloss = table.get("gloss", table.get("label"))
    if isinstance(gloss, str) and gloss.strip():
        facts["glosses"] = (gloss.strip(),)
    for key, names in (("signer", ("signer_id", "signer")), ("split", ("split",))):
        value = next((table[name] for name in names if name in table), None)
        try:
            facts[key] = metadata_text(value)
        except ValueError:
            continue  # a value of another type says nothing
    rate = table.get("fps")
    if isinstance(rate, int | float) and 0 < rate <= 1000:
        facts["fps"] = float(rate)
    return facts
