"""Arrays of SL-GCN: all clips of a split in ``SPLIT_data_joint.npy`` (N, 3, 150, 27, 1), beside ``SPLIT_label.pkl``.

Jiang et al., Skeleton Aware Multi-modal Sign Language Recognition, 2021; https://github.com/jackyjsy/CVPR21Chal-SLR,
SL-GCN/data_gen. Clips of fewer than 150 frames are repeated until they fill them: the repetition is cut off here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from asl_core import DataError, NoOptions, Recording, read_pickle
from asl_formats.arrays import recording_of
from asl_formats.headers import Header, read_header, refused
from asl_formats.shapes import Reading, readings

__all__ = ["SlGcn"]

_EXPECTED = "an array of SL-GCN (clips, 3, frames, points, 1), as its gen_data writes it"
_LABELS = ("{}_label.pkl", "{}_labels.pkl")


class SlGcn:
    """The clips of one array, with names and class numbers from the pickle beside it where it is there."""

    suffixes: ClassVar[tuple[str, ...]] = (".npy",)

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By the shape of the array; those of bones and motions hold no points."""
        try:
            with path.open("rb") as file:
                header = read_header(file)
        except (OSError, ValueError, TypeError, SyntaxError, RecursionError):
            return False
        return _reading(header) is not None and not re.search("bone|motion", path.name)

    def read(self, path: Path) -> Iterator[Recording]:
        """A recording for each clip.

        Raises:
            DataError: the array or its labels are damaged, or do not agree.
        """
        try:
            with path.open("rb") as file:
                header = read_header(file)
            reading = _reading(header)
            if reading is None:
                raise ValueError(f"it holds {str(header.dtype)[:40]} of shape {str(header.shape)[:60]}")
            if header.size != path.stat().st_size:
                raise ValueError(f"it declares {header.size:,} bytes and has {path.stat().st_size:,}")
            clips = np.load(path, mmap_mode="r", allow_pickle=False)  # a data set takes gigabytes
        except (OSError, ValueError, TypeError, SyntaxError, RecursionError) as fault:
            raise refused(path, fault, _EXPECTED) from fault
        names, numbers = _labels(path, len(clips))
        for name, number, clip in zip(names, numbers, clips, strict=True):
            frames = np.array(clip)
            length = _period(frames)
            notes = [f"cut to its {length} frames, which fill {frames.shape[1]} by repetition"]
            notes = notes if length < frames.shape[1] else []
            facts: dict[str, Any] = {}
            if number is not None:
                facts["glosses"] = (str(number),)
                notes.append("its gloss is a class number: give a list of glosses")
            if signer := re.match(r"signer(\d+)_", name):  # as AUTSL names its clips
                facts["signer"] = signer[1]
            yield recording_of(frames[:, :length], reading, path, name, notes, **facts)


def _reading(header: Header) -> Reading | None:
    """How to read one clip of an array, where all axes are those of SL-GCN."""
    if len(header.shape) != 5 or not header.numbers:
        return None
    ways = [way for way in readings(header.shape[1:]) if way.order == "CTVM"]
    return ways[0] if len(ways) == 1 else None


def _period(frames: np.ndarray) -> int:
    """Frames of (C, T, V, M) after which it begins again to its end."""
    rows = np.ascontiguousarray(frames.swapaxes(0, 1)).reshape(frames.shape[1], -1)
    if not np.count_nonzero(rows):
        return len(rows)
    for length in np.flatnonzero((rows[1:] == rows[0]).all(axis=1)) + 1:
        if np.array_equal(rows[length:], rows[:-length]):
            return int(length)
    return len(rows)


def _labels(path: Path, count: int) -> tuple[list[str], list[int | None]]:
    """Names and class numbers of the clips; numbers in the file for names where there is no label file.

    Raises:
        DataError: the label file is of other clips, or something else.
    """
    stem = path.stem.partition("_data")[0]
    file = next((f for name in _LABELS if (f := path.with_name(name.format(stem))).is_file()), None)
    if file is None:
        return [str(n) for n in range(count)], [None] * count
    content = read_pickle(file)
    if not (isinstance(content, tuple | list) and len(content) == 2 and all(isinstance(c, list) for c in content)):
        raise DataError(f"{file} holds no pair of names and class numbers; expected what SL-GCN's gen_data writes.")
    names, numbers = content
    if len(names) != count or len(numbers) != count or len(set(map(str, names))) != count:
        raise DataError(
            f"{file} names {len(names)} clips with {len(numbers)} class numbers, and {path.name} holds {count}; "
            f"expected one name of its own for each clip."
        )
    if not all(isinstance(n, int) for n in numbers):
        raise DataError(f"{file} holds class numbers that are none; expected whole numbers.")
    return [str(name) for name in names], list(numbers)
