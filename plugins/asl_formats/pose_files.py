"""``.pose`` files of version 0.0, 0.1 and 0.2, read by pose-format, the library of the format's owners.

Specification: https://github.com/sign-language-processing/pose, docs/specs. The library trusts the numbers of a
header, so that its sizes are compared with those of the file before it is called.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np

from asl_core import Layout, NoOptions, Part, Recording
from asl_formats import isolated
from asl_formats.headers import refused
from asl_formats.layouts import FACE, HAND, POSE
from asl_formats.unseen import hide

__all__ = ["PoseFiles"]

_EXPECTED = "a .pose file of version 0.0, 0.1 or 0.2"
_VERSIONS = (0.0, 0.1, 0.2)
_SPARE, _TIMES = 64 << 20, 64  #: bytes that points may take, and for each byte of the file
_LIMBS = 6  #: bytes of a colour; of a limb 4
#: the component's name in capitals without what is no letter -> part, scheme
_PARTS = {
    "POSELANDMARKS": ("pose", POSE),
    "FACELANDMARKS": ("face", FACE),
    "LEFTHANDLANDMARKS": ("left-hand", HAND),
    "RIGHTHANDLANDMARKS": ("right-hand", HAND),
    "POSEWORLDLANDMARKS": ("pose-world", POSE),
    "POSEKEYPOINTSD": ("pose", "openpose-body25"),
    "FACEKEYPOINTSD": ("face", "openpose-face70"),
    "HANDLEFTKEYPOINTSD": ("left-hand", HAND),
    "HANDRIGHTKEYPOINTSD": ("right-hand", HAND),
}
#: names of MediaPipe's pose, by which a selection of them is told
_POSE_NAMES = (
    "NOSE", "LEFT_EYE_INNER", "LEFT_EYE", "LEFT_EYE_OUTER", "RIGHT_EYE_INNER", "RIGHT_EYE", "RIGHT_EYE_OUTER",
    "LEFT_EAR", "RIGHT_EAR", "MOUTH_LEFT", "MOUTH_RIGHT", "LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_ELBOW",
    "RIGHT_ELBOW", "LEFT_WRIST", "RIGHT_WRIST", "LEFT_PINKY", "RIGHT_PINKY", "LEFT_INDEX", "RIGHT_INDEX", "LEFT_THUMB",
    "RIGHT_THUMB", "LEFT_HIP", "RIGHT_HIP", "LEFT_KNEE", "RIGHT_KNEE", "LEFT_ANKLE", "RIGHT_ANKLE", "LEFT_HEEL",
    "RIGHT_HEEL", "LEFT_FOOT_INDEX", "RIGHT_FOOT_INDEX",
)  # fmt: skip
_SIZES = {POSE: 33, HAND: 21, FACE: 468, "openpose-body25": 25, "openpose-face70": 70}


class PoseFiles:
    """Files of frames, people, points, and a confidence of each point."""

    suffixes: ClassVar[tuple[str, ...]] = (".pose",)

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By the version that it begins with, and names of components after it."""
        try:
            with path.open("rb") as file:
                start = file.read(64)
            name = _name(start, 12)
            return _version(start) is not None and name != "" and name.isprintable()
        except (OSError, ValueError, struct.error):
            return False

    def read(self, path: Path) -> Iterator[Recording]:
        """The one recording of a file.

        Raises:
            DataError: it is damaged, or cut short.
            MissingExtraError: pose-format is not installed.
        """
        return isolated.recordings("asl_formats.pose_files:recordings", "pose_format", path, _EXPECTED)


def recordings(path: Path) -> Iterator[Recording]:
    """The one recording of a file, read in this process."""
    from pose_format import Pose

    try:
        data = path.read_bytes()
        _check_sizes(data)
    except (OSError, ValueError, struct.error) as fault:
        raise refused(path, fault, _EXPECTED) from fault
    try:
        pose = Pose.read(data)
    except Exception as fault:  # the library raises whatever damage leads to
        raise refused(path, fault, _EXPECTED) from fault
    try:
        yield _recording(path, pose)
    except (ValueError, AttributeError, TypeError, IndexError) as fault:
        raise refused(path, fault, _EXPECTED) from fault


def _version(start: bytes) -> float | None:
    if len(start) < 14:
        return None
    (number,) = struct.unpack_from("<f", start)
    return next((v for v in _VERSIONS if abs(number - v) < 1e-6), None)


def _name(data: bytes, at: int) -> str:
    """A text with its length before it.

    Raises:
        ValueError: it ends before it should, or is no text.
    """
    (length,) = struct.unpack_from("<H", data, at)
    if at + 2 + length > len(data):
        raise ValueError("its header ends before it should")
    return data[at + 2 : at + 2 + length].decode("utf-8")


@attrs.frozen
class _Component:
    points: int
    format: str


def _check_sizes(data: bytes) -> None:
    """Refuse a file that has other bytes than its header says, or whose points would take far more memory than it.

    Raises:
        ValueError: with the reason.
        struct.error: it ends within a number.
    """
    version = _version(data)
    if version is None:
        raise ValueError("it does not begin with the number of a version")
    (count,) = struct.unpack_from("<H", data, 10)
    at, components = 12, []
    for _ in range(count):
        name = _name(data, at)
        if not name or not name.isprintable():
            raise ValueError("one of its components has no name")
        at += 2 + len(name.encode())
        form = _name(data, at)
        at += 2 + len(form.encode())
        points, limbs, colours = struct.unpack_from("<3H", data, at)
        at += 6
        for _ in range(points):
            (length,) = struct.unpack_from("<H", data, at)
            at += 2 + length
        at += 4 * limbs + _LIMBS * colours
        components.append(_Component(points, form))
    if not components or any(c.points == 0 or not re.fullmatch("XYZ?[A-BD-Z]?C", c.format) for c in components):
        raise ValueError("its components have no points, or points without x, y and confidence")
    if version == 0:
        _check_people(data, at, components)
        return
    if len({len(c.format) for c in components}) > 1:
        raise ValueError("its components have points of several dimensions")
    points = sum(c.points for c in components)
    frame = 4 * points * len(components[0].format)
    if version == 0.2:
        _, frames, people = struct.unpack_from("<fIH", data, at)
        at, wraps = at + 10, 1 << 32
    else:
        _, frames, people = struct.unpack_from("<3H", data, at)
        at, wraps = at + 6, 1 << 16  # the number of frames is kept modulo 65,536
    held, rest = divmod(len(data) - at, frame * max(people, 1))
    if not people or rest or held % wraps != frames or not held:
        raise ValueError(
            f"it declares {frames:,} frames of {people} people and {points} points, and has {len(data):,} bytes"
        )


def _check_people(data: bytes, at: int, components: Sequence[_Component]) -> None:
    """Version 0.0: every frame has people of its own."""
    _, frames = struct.unpack_from("<2H", data, at)
    at += 4
    person = 2 + sum(4 * c.points * len(c.format) for c in components)
    for _ in range(frames):
        (people,) = struct.unpack_from("<H", data, at)
        at += 2 + people * person
        if at > len(data):
            break
    points = sum(c.points for c in components)
    if at != len(data) or not frames or 24 * frames * points > _SPARE + _TIMES * len(data):
        raise ValueError(f"it declares {frames:,} frames of {points} points, and has {len(data):,} bytes")


def _recording(path: Path, pose: Any) -> Recording:
    """Points of the person who was seen most, in shares of the image where its size is known."""
    size = (int(pose.header.dimensions.width), int(pose.header.dimensions.height))
    deep = pose.header.components[0].format.startswith("XYZ")
    axes = ("x", "y", "z")[: 3 if deep else 2]
    values = np.ma.getdata(pose.body.data)[..., : len(axes)].astype(np.float32)
    seen = np.asarray(pose.body.confidence) > 0  # NaN is not
    seen &= ~np.ma.getmaskarray(pose.body.data).any(axis=-1)
    notes = []
    person = 0
    if seen.shape[1] > 1:
        person = int(seen.sum(axis=(0, 2)).argmax())
        notes.append(f"{seen.shape[1]} people: the one with the most points that were seen is taken")
    points, seen = values[:, person], seen[:, person]
    unit = "image" if min(size) > 0 else "pixel"
    layout = Layout([_part(c) for c in pose.header.components], axes, unit)
    if len({part.name for part in layout.parts}) < len(layout.parts):
        raise ValueError("two of its components are the same part of a body")
    if unit == "image":
        # World landmarks were metres times the image's size: this gives metres back, and leaves z as it is.
        points[..., 0] /= size[0]
        points[..., 1] /= size[1]
    hide(points, layout, path, seen=seen)
    fps = float(pose.body.fps)
    return Recording(
        id=path.stem, layout=layout, points=points, fps=fps if 0 < fps <= 1000 else None,
        size=size if min(size) > 0 else None, source=str(path), notes=tuple(notes),
    )  # fmt: skip


def _part(component: Any) -> Part:
    """The part that a component is; one of another name keeps it."""
    name, points = str(component.name), len(component.points)
    part, scheme = _PARTS.get(re.sub("[^A-Z]", "", name.upper()), ("", ""))
    if not part:
        return Part(name.lower().replace("_", "-")[:100] or "points", points, f"pose-format:{name[:100]}")
    if scheme == FACE and points == 478:
        return Part(part, points, "mediapipe-face478")
    if points == _SIZES[scheme]:
        return Part(part, points, scheme)
    return Part(part, points, f"{scheme}[{','.join(map(str, _numbers(component, scheme)))}]")


def _numbers(component: Any, scheme: str) -> list[int]:
    """Numbers in a scheme of the points that a file has kept of it.

    Raises:
        ValueError: their names are others.
    """
    names = [str(name) for name in component.points]
    if scheme == POSE and set(names) <= set(_POSE_NAMES):
        return [_POSE_NAMES.index(name) for name in names]
    if scheme == FACE and all(name.isdecimal() and int(name) < 478 for name in names):
        return [int(name) for name in names]
    raise ValueError(f"its component {component.name[:60]} has {len(names)} points with names of its own")
