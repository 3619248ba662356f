"""Frames end to end in one array: in memory while they are few, in a mapped file where there are many.

A mapped file is read by the operating system page by page as batches ask for it, and its pages are given up when
memory is short, so that what a run holds does not grow with its clips.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, BinaryIO

import attrs
import numpy as np

from asl_core.compute.progress import track
from asl_core.errors import DataError
from asl_core.files.watched import Watched

if TYPE_CHECKING:
    from asl_core.clips.clip import Clip

__all__ = ["IN_MEMORY", "FramesFile", "end_to_end", "file_of", "gathered", "held", "is_mapped", "map_numbers"]

IN_MEMORY = 256 * 2**20  #: bytes of frames that are kept in memory; more go to a scratch file

_NOTHING = np.empty((0, 0), dtype=np.float32)


class _Mapping(mmap.mmap):
    """A mapped file, with the file itself where somebody else may change it."""

    watched: Watched | None = None


def map_numbers(file: BinaryIO, offset: int, count: int, watched: Watched | None = None) -> np.ndarray:
    """(count,) float32 of an open file from byte ``offset`` on, mapped.

    Changes stay in this process and never reach the file. The mapping ends with the last array that looks into it;
    ``file`` may be closed before.
    """
    # torch takes only arrays that may be written to: a copy on write is one, and shares all pages nobody writes.
    mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_COPY)
    mapping.watched = watched
    return np.frombuffer(mapping, dtype=np.float32, count=count, offset=offset)


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array looks into a mapped file."""
    return _mapping(array) is not None


def _mapping(array: np.ndarray) -> mmap.mmap | None:
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    owner = owner.obj if isinstance(owner, memoryview) else owner
    return owner if isinstance(owner, mmap.mmap) else None


class _Scratch:
    """A file of the system's temporary folder that goes with the last array that looks into it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in mapped()
        self._count = 0

    def add(self, frames: np.ndarray) -> int:
        """Append frames; the place of their first number."""
        start = self._count
        try:
            # Written, not mapped and filled: a full disk is an error here, and a crash there.
            self._file.write(np.ascontiguousarray(frames, dtype=np.float32).data)
        except OSError as fault:
            raise self._full(fault) from fault
        self._count += frames.size
        return start

    def mapped(self) -> np.ndarray:
        """All numbers in a row."""
        try:
            self._file.flush()
            numbers = map_numbers(self._file, 0, self._count)
        except OSError as fault:
            raise self._full(fault) from fault
        self._file.close()
        return numbers

    def _full(self, fault: OSError) -> DataError:
        self._file.close()
        return DataError(
            f"the frames are too many for memory, and after {4 * self._count / 2**20:,.0f} MiB of them the temporary "
            f"folder {tempfile.gettempdir()} takes no more ({fault.strerror or fault}); make room there, or name "
            f"another with the environment variable TMPDIR."
        )


def gathered(parts: Iterable[np.ndarray], rows: int, width: int) -> np.ndarray:
    """(rows, width) float32: frames end to end, in memory or, where that takes more than :data:`IN_MEMORY`, mapped.

    Args:
        parts: (T, width) each, taken one at a time.
        rows: frames of all parts.
        width: features per frame.
    """
    if 4 * rows * width > IN_MEMORY:
        scratch = _Scratch()
        for part in track(parts, "storing frames"):
            scratch.add(part)
        return scratch.mapped().reshape(rows, width)
    numbers = np.empty((rows, width), dtype=np.float32)
    end = 0
    for part in track(parts, "storing frames"):
        start, end = end, end + len(part)
        numbers[start:end] = part
    return numbers


def end_to_end(parts: Sequence[np.ndarray]) -> np.ndarray | None:
    """One array over parts (T, D) that lie in one mapped file one after the other, or None where they do not."""
    mapping = _mapping(parts[0])
    if mapping is None:
        return None
    width = parts[0].shape[1]
    first = following = _address(parts[0])
    for part in parts:
        if (
            _address(part) != following
            or part.shape[1] != width
            or not part.flags.c_contiguous
            or _mapping(part) is not mapping
        ):
            return None
        following += part.nbytes
    offset = first - _address(np.frombuffer(mapping, dtype=np.uint8, count=1))
    count = (following - first) // 4
    return np.frombuffer(mapping, dtype=np.float32, count=count, offset=offset).reshape(-1, width)


@attrs.frozen(eq=False)
class FramesFile:
    """Where the frames of a store stand in a file that is watched."""

    watched: Watched
    offset: int  #: byte of the first number

    def read(self, frames: np.ndarray, first: int) -> None:
        """Fill frames (T, D) with those from number ``first`` on."""
        self.watched.read_into(frames, self.offset + 4 * first * frames.shape[1])


def file_of(array: np.ndarray) -> FramesFile | None:
    """The file that an array looks into, where it is one that is watched."""
    mapping = _mapping(array)
    if not isinstance(mapping, _Mapping) or mapping.watched is None:
        return None
    start = _address(np.frombuffer(mapping, dtype=np.uint8, count=1))
    return FramesFile(mapping.watched, _address(array) - start)


def _address(array: np.ndarray) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def held(clips: Iterable[Clip]) -> list[Clip]:
    """All clips in a list, taken one at a time.

    Frames stay as they are while those in memory come to no more than :data:`IN_MEMORY`. Beyond, they are moved to a
    scratch file, and the clips look into that. Clips that look into a mapped file already are left alone.
    """
    held_clips: list[Clip] = []
    loose: list[int] = []  #: places of clips whose frames are in memory
    size = 0
    scratch: _Scratch | None = None
    moved: list[tuple[int, int, tuple[int, ...]]] = []  #: place, first number, shape

    def move(into: _Scratch) -> None:
        for place in loose:
            features = held_clips[place].features
            moved.append((place, into.add(features), features.shape))
            held_clips[place] = attrs.evolve(held_clips[place], features=_NOTHING)
        loose.clear()

    for clip in clips:
        held_clips.append(clip)
        if is_mapped(clip.features):
            continue
        loose.append(len(held_clips) - 1)
        size += clip.features.nbytes
        if size > IN_MEMORY:
            scratch = scratch or _Scratch()
            move(scratch)
            size = 0
    if scratch is None:
        return held_clips
    move(scratch)  # the rest too: then all frames stand in one file, and a store takes them as they are
    numbers = scratch.mapped()
    for place, start, shape in moved:
        view = numbers[start : start + int(np.prod(shape))].reshape(shape)
        held_clips[place] = attrs.evolve(held_clips[place], features=view)
    return held_clips
