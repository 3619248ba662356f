"""Folders of OpenPose's JSON, a file for each frame: ``VIDEO_000000000012_keypoints.json``.

https://github.com/CMU-Perceptual-Computing-Lab/openpose, doc/02_output.md. The number of the frame stands in the name
alone; frames without a person are there with an empty list. Neither size nor rate of the video is kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from asl_core import DataError, Layout, NoOptions, Part, Recording, parse_json
from asl_formats.arrays import unit_of
from asl_formats.headers import refused
from asl_formats.layouts import HAND
from asl_formats.numbering import places_of, spread
from asl_formats.unseen import hide

__all__ = ["OpenPoseFolder"]

_NAME = re.compile(r"(.*?)_?(\d{1,18})(?:_keypoints)?\.json", re.DOTALL | re.IGNORECASE)
_LARGEST = 4 << 20  #: bytes of a frame; a person takes some 6,000
_EXPECTED = "a frame of OpenPose as JSON"
#: key of a person, without the ending of newer versions -> part
_KEYS = {
    "pose_keypoints": "pose",
    "face_keypoints": "face",
    "hand_left_keypoints": "left-hand",
    "hand_right_keypoints": "right-hand",
}
#: part and its points -> scheme
_SCHEMES = {
    ("pose", 25): "openpose-body25",
    ("pose", 18): "openpose-coco18",
    ("pose", 15): "openpose-mpi15",
    ("face", 70): "openpose-face70",
    ("left-hand", 21): HAND,
    ("right-hand", 21): HAND,
}
_Person = dict[str, np.ndarray]  #: part -> (points, 3) of x, y and confidence


class OpenPoseFolder:
    """Folders of one video, or of several with names of their own."""

    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By the names in it and the first frame."""
        try:
            clips = _listed(path)
            if not clips:
                return False
            frames = next(iter(clips.values()))
            frame = _load(path / frames[0][1])
        except (OSError, ValueError):
            return False
        return "version" in frame or all(
            isinstance(p, dict) and _KEYS.keys() & _keys(p).keys() for p in frame["people"]
        )

    def read(self, path: Path) -> Iterator[Recording]:
        """A recording for each video, by name.

        Raises:
            DataError: there is no frame, or one is damaged.
        """
        try:
            clips = _listed(path)
        except OSError as fault:
            raise refused(path, fault, "a folder of OpenPose's JSON") from fault
        if not clips:
            raise DataError(
                f"{path} holds no file such as clip_000000000000_keypoints.json; expected a folder of OpenPose frames."
            )
        for name, frames in sorted(clips.items()):
            yield _recording(path, name or path.name, frames)


def _listed(path: Path) -> dict[str, list[tuple[int, str]]]:
    """Video -> number and name of its frames, sorted.

    Raises:
        OSError: the folder cannot be read, or a frame is no file.
    """
    clips: dict[str, list[tuple[int, str]]] = {}
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name[-5:].lower() != ".json" or name.startswith("."):
                continue
            if (match := _NAME.fullmatch(name)) is not None:
                if not entry.is_file():  # a pipe would be waited for
                    raise OSError(f"its {name[:60]} is no file")
                clips.setdefault(match[1], []).append((int(match[2]), entry.name))
    for frames in clips.values():
        frames.sort()
    return clips


def _load(path: Path) -> dict[str, Any]:
    """A frame.

    Raises:
        ValueError: it is no frame of OpenPose.
        OSError: it cannot be read.
    """
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"it has {path.stat().st_size:,} bytes, more than a frame takes")
    frame = parse_json(path.read_text(encoding="utf-8"))
    if not isinstance(frame, dict) or not isinstance(frame.get("people"), list):
        raise ValueError("it has no list of people")
    return frame


def _keys(person: dict[str, Any]) -> dict[str, Any]:
    return {str(key).removesuffix("_2d"): value for key, value in person.items()}


def _person(person: Any) -> _Person:
    """The parts of one person that hold points.

    Raises:
        ValueError: they hold something else.
    """
    if not isinstance(person, dict):
        raise ValueError(f"a person is a {type(person).__name__}, and not a table")
    parts = {}
    for key, values in _keys(person).items():
        part = _KEYS.get(key)
        if part is None or values == []:
            continue
        if not isinstance(values, list) or (part, len(values) / 3) not in _SCHEMES:
            count = len(values) if isinstance(values, list) else type(values).__name__
            raise ValueError(f"{key} holds {count} numbers, which is no {part} of OpenPose")
        try:
            parts[part] = np.array(values, dtype=np.float64).reshape(-1, 3)
        except (TypeError, OverflowError) as fault:
            raise ValueError(f"{key} holds something else than numbers") from fault
    return parts


def _recording(path: Path, name: str, files: list[tuple[int, str]]) -> Recording:
    people: list[_Person] = []
    crowded = 0
    points_of: dict[str, int] = {}
    for _, file in files:
        try:
            found = [_person(person) for person in _load(path / file)["people"]]
            for part, values in ((p, v) for person in found for p, v in person.items()):
                if points_of.setdefault(part, len(values)) != len(values):
                    raise ValueError(f"its {part} has {len(values)} points, and {points_of[part]} in frames before")
        except (OSError, ValueError) as fault:
            raise refused(path / file, fault, _EXPECTED) from fault
        crowded += len(found) > 1
        people.append(max(found, key=_confidence, default={}))
    places, notes = places_of(path, [number for number, _ in files], "file", name)
    if crowded:
        notes.append(f"{crowded} of {len(files)} frames show several people: the one of most confidence is taken")
    parts = [Part(p, points_of[p], _SCHEMES[p, points_of[p]]) for p in _KEYS.values() if p in points_of]
    if not parts:
        raise DataError(f"{path} holds {len(files)} frames of {name} and nobody in them; expected at least one person.")
    layout = Layout(parts, ("x", "y"), "pixel")
    values = np.zeros((len(files), layout.points, 3))
    for row, person in zip(values, people, strict=True):
        for part, numbers in person.items():
            row[layout.place(part)] = numbers
    points = values if places is None else spread(values, places)
    seen = points[..., 2] > 0
    with np.errstate(over="ignore", invalid="ignore"):
        flat = np.array(points[..., :2], dtype=np.float32)
    flat = hide(flat, layout, path, seen=seen, by_point=True)
    layout = Layout(parts, ("x", "y"), unit_of(flat))
    return Recording(id=name, layout=layout, points=flat, source=str(path), notes=tuple(notes))


def _confidence(person: _Person) -> float:
    return sum(float(np.nansum(part[:, 2])) for part in person.values())
