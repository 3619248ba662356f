"""Archives of arrays: ``.npz`` files, as ``numpy.savez`` writes them.

Four kinds are told apart by the names of their arrays:

- ``points`` (T, points, axes) and ``layout`` (JSON text): what ``asl convert --to npz`` writes. ``fps``, ``times``,
  ``size``, ``glosses``, ``signer``, ``split`` and ``detector`` may stand beside them.
- parts of a body, (T, V, C) each: ``pose``, ``face``, ``left_hand``, ``right_hand`` and other names of these.
- one array of a clip, whatever its name, with ``fps`` or anything else beside it.
- several arrays of clips: each is a recording of its own, with its name as its id.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from asl_core import DataError, Layout, Part, Recording, parse_json
from asl_formats.arrays import choose, in_order_of_detection, recording_of, unit_of
from asl_formats.headers import Header, read_header, refused
from asl_formats.layouts import AXES, FACE, HAND, POSE
from asl_formats.many_clips import holds_many, refuse_many
from asl_formats.options import ArrayOptions
from asl_formats.shapes import readings
from asl_formats.unseen import hide

__all__ = ["Npz"]

_FAULTS = (
    OSError, ValueError, EOFError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError, NotImplementedError,
    RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_EXPECTED = "a .npz file of landmarks, as numpy.savez writes it"
_MOST = 100_000  #: arrays of a file
_SPARE, _TIMES = 16 << 20, 20  #: bytes that a file may unpack to, and for each of its own; frames without a hand are 0
_LONGEST_TEXT = 1 << 20  #: bytes of an array of text
_FIELDS = frozenset({"fps", "times", "size", "glosses", "signer", "split", "detector", "layout", "id"})
#: name without what is no letter -> part
_PARTS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("pose", "body", "poselandmarks", "posekeypoints"), ("pose", POSE)),
    **dict.fromkeys(("face", "facelandmarks", "facekeypoints"), ("face", FACE)),
    **dict.fromkeys(("lefthand", "lh", "handleft", "lefthandlandmarks"), ("left-hand", HAND)),
    **dict.fromkeys(("righthand", "rh", "handright", "righthandlandmarks"), ("right-hand", HAND)),
}
_POINTS = {HAND: (21,), POSE: (33,), FACE: (468, 478)}


class Npz:
    """``.npz`` files of one clip, of its parts, or of several clips."""

    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    def __init__(self, options: ArrayOptions):
        self._layout = options.layout or ""

    def recognises(self, path: Path) -> bool:
        """By the names and shapes of its arrays."""
        try:
            with zipfile.ZipFile(path) as archive:
                headers = _headers(archive, path)
        except _FAULTS:
            return False
        clips = [
            name
            for name, header in headers.items()
            if header.numbers
            and len(header.shape) > 1
            and (readings(header.shape, self._layout) or holds_many(header.shape, self._layout))
        ]
        return bool({"points", "layout"} <= set(headers) or _parts_of(headers) or clips)

    def read(self, path: Path) -> Iterator[Recording]:
        """The recordings of a file.

        Raises:
            DataError: it is damaged, unpacks to far more than it is, or holds no clip.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                headers = _headers(archive, path)
                yield from self._recordings(path, archive, headers)
        except _FAULTS as fault:
            raise refused(path, fault, _EXPECTED) from fault

    def _recordings(self, path: Path, archive: zipfile.ZipFile, headers: dict[str, Header]) -> Iterator[Recording]:
        facts = _facts(archive, headers)
        if {"points", "layout"} <= set(headers):
            yield _own(path, _array(archive, "points"), facts)
            return
        if parts := _parts_of(headers):
            arrays = {name: _array(archive, key) for name, key in parts.items()}
            yield _joined(path, arrays, {n: _PARTS[_plain(k)][1] for n, k in parts.items()}, facts)
            return
        clips = [n for n, h in headers.items() if h.numbers and len(h.shape) > 1 and n not in _FIELDS]
        known = [n for n in clips if readings(headers[n].shape, self._layout)]
        if many := next((n for n in clips if not known and holds_many(headers[n].shape, self._layout)), None):
            refuse_many(path, headers[many].shape, many, headers)
        if not known:
            shapes = ", ".join(f"{n[:40]} {h.shape}" for n, h in list(headers.items())[:5])
            raise DataError(
                f"{path} holds no array of a known layout (of {len(headers)} arrays: {shapes}); expected (frames, "
                f"numbers) or (frames, points, coordinates) of a layout that `asl help formats` lists."
            )
        left = [n for n in headers if n not in known and n not in _FIELDS]
        notes = (
            [f"left out: {', '.join(n[:40] for n in left[:5])}{' and others' if len(left) > 5 else ''}"] if left else []
        )
        if len(known) > 1:
            facts = {k: v for k, v in facts.items() if k in ("fps", "size", "signer")}
        ways = {n: readings(headers[n].shape, self._layout) for n in known}
        hands = [n for n in known if len(ways[n]) == 1 and ways[n][0].name == "hands"]
        detected = in_order_of_detection((_array(archive, n) for n in hands), (ways[n][0] for n in hands))
        for name in known:
            array = _array(archive, name)
            reading, remarks = choose(path, array.shape, "detected" if detected and name in hands else self._layout)
            yield recording_of(array, reading, path, name if len(known) > 1 else path.stem, [*notes, *remarks], **facts)


def _headers(archive: zipfile.ZipFile, path: Path) -> dict[str, Header]:
    """Name -> header of each array, which together unpack to no more than such files do.

    Raises:
        ValueError: they claim more, or a header and its member do not agree.
    """
    members = archive.infolist()
    size = path.stat().st_size
    if len(members) > _MOST or sum(m.file_size for m in members) > _SPARE + _TIMES * size:
        raise ValueError(f"its {len(members)} members claim to unpack to far more than its {size:,} bytes")
    headers = {}
    for member in members:
        if not member.filename.endswith(".npy"):
            continue
        with archive.open(member) as file:
            header = read_header(file)  # type: ignore[arg-type]  # it reads, which is all that is needed
        if header.dtype.hasobject or header.size != member.file_size:
            raise ValueError(
                f"its array {member.filename[:60]!r} holds Python objects" if header.dtype.hasobject else
                f"its array {member.filename[:60]!r} declares {header.size:,} bytes and has {member.file_size:,}"
            )  # fmt: skip
        headers[member.filename.removesuffix(".npy")] = header
    return headers


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):
            raise ValueError(f"its array {name[:60]!r} is longer than it declares")
    return array


def _facts(archive: zipfile.ZipFile, headers: Mapping[str, Header]) -> dict[str, Any]:
    """What stands beside the points, as fields of a recording; the layout as text under ``layout``."""
    facts: dict[str, Any] = {}
    for name in _FIELDS & set(headers):
        header = headers[name]
        if header.size > _LONGEST_TEXT and name != "times":
            raise ValueError(f"its {name} takes {header.size:,} bytes")
        value = _array(archive, name)
        if name == "fps":
            facts[name] = _rate(value)
        elif name == "times" and value.ndim == 1 and value.dtype.kind == "f":
            facts[name] = value.astype(np.float64)
        elif name == "size" and value.shape == (2,) and value.dtype.kind in "iu":
            facts[name] = (int(value[0]), int(value[1]))
        elif name == "glosses" and value.ndim == 1 and value.dtype.kind == "U":
            facts[name] = tuple(map(str, value))
        elif name in ("signer", "split", "detector", "layout", "id") and value.shape == () and value.dtype.kind == "U":
            facts[name] = str(value)
    return facts


def _rate(value: np.ndarray) -> float | None:
    rate = float(value.reshape(-1)[0]) if value.size == 1 and value.dtype.kind in "fiu" else 0.0
    return rate if 0 < rate <= 1000 else None


def _own(path: Path, points: np.ndarray, facts: dict[str, Any]) -> Recording:
    """What ``asl convert --to npz`` wrote, bit for bit."""
    layout = Layout.from_json(parse_json(facts.pop("layout", "null")) or {})
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinite then is refused
        points = np.array(points, dtype=np.float32)
    points = hide(points, Layout(layout.parts, layout.axes), path)
    return Recording(id=facts.pop("id", "") or path.stem, layout=layout, points=points, source=str(path), **facts)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _parts_of(headers: Mapping[str, Header]) -> dict[str, str]:
    """Part -> name of its array, where the file holds at least a hand by itself."""
    parts = {}
    for name, header in headers.items():
        part, scheme = _PARTS.get(_plain(name), ("", ""))
        if part and header.numbers and len(header.shape) == 3 and header.shape[1] in _POINTS[scheme]:
            parts[part] = name
    return {name: parts[name] for name in ("pose", "face", "left-hand", "right-hand") if name in parts}


def _joined(
    path: Path, arrays: Mapping[str, np.ndarray], schemes: Mapping[str, str], facts: dict[str, Any]
) -> Recording:
    """Parts of a body side by side."""
    frames, width = {len(a) for a in arrays.values()}, min(a.shape[2] for a in arrays.values())
    if len(frames) != 1 or width not in (2, 3, 4):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(f"{path} holds parts of other sizes ({shapes}); expected (frames, points, 2 or 3) of each.")
    axes = AXES[: min(width, 3)]
    parts = [Part(n, a.shape[1], schemes[n] if a.shape[1] != 478 else "mediapipe-face478") for n, a in arrays.items()]
    with np.errstate(over="ignore", invalid="ignore"):
        points = np.concatenate([a[..., : len(axes)].astype(np.float32) for a in arrays.values()], axis=1)
    layout = Layout(parts, axes)
    points = hide(points, layout, path)
    facts = {k: v for k, v in facts.items() if k not in ("layout", "id")}
    return Recording(
        id=path.stem, layout=Layout(parts, axes, unit_of(points)), points=points, source=str(path), **facts
    )
