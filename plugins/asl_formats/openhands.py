"""HDF5 files of OpenHands: ``keypoints`` (F, 75, 3) and ``visibility`` (F, 75, 1), of one clip or of a group for each.

Selvaraj et al., OpenHands: Making Sign Language Recognition Accessible, 2022; https://github.com/AI4Bharat/OpenHands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from asl_core import DataError, NoOptions, Recording
from asl_formats import isolated
from asl_formats.arrays import scored_recording
from asl_formats.headers import refused

__all__ = ["OpenHandsH5"]

_MAGIC = b"\x89HDF\r\n\x1a\n"
_EXPECTED = "an HDF5 file of OpenHands, with keypoints (frames, 75, 3) and visibility"
_LOOK = 4 << 20  #: bytes from the start in which the name of the first array stands
_SPARE, _TIMES = 16 << 20, 20  #: bytes that arrays may take, and for each byte of the file
_POINTS, _SCORES = "keypoints", ("visibility", "confidences")


class OpenHandsH5:
    """Files of landmarks with a visibility of each."""

    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By its magic number and the name of its array."""
        try:
            with path.open("rb") as file:
                start = file.read(_LOOK)
        except OSError:
            return False
        return start.startswith(_MAGIC) and _POINTS.encode() in start

    def read(self, path: Path) -> Iterator[Recording]:
        """A recording for the file, or for each of its groups, by name.

        Raises:
            DataError: it is damaged, or holds other arrays.
            MissingExtraError: h5py is not installed.
        """
        return isolated.recordings("asl_formats.openhands:recordings", "h5py", path, _EXPECTED)


def recordings(path: Path) -> Iterator[Recording]:
    """The recordings of a file, read in this process."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield from _recordings(path, file)
    except DataError:
        raise
    except Exception as fault:  # the library raises whatever damage leads to
        raise refused(path, fault, _EXPECTED) from fault


def _recordings(path: Path, file: Any) -> Iterator[Recording]:
    budget = [_SPARE + _TIMES * path.stat().st_size]
    if _POINTS in file:
        yield _recording(path, path.stem, file, budget)
        return
    # Links to other files, which would be opened, are no groups of this one.
    names = [n for n in sorted(file) if type(file.get(n, getlink=True)).__name__ == "HardLink"]
    groups = [n for n in names if hasattr(file[n], "keys") and _POINTS in file[n]]
    if not groups:
        raise ValueError(f"it holds {', '.join(names[:5])[:200] or 'nothing'} and no {_POINTS}")
    for name in groups:
        yield _recording(path, name, file[name], budget)


def _recording(path: Path, name: str, group: Any, budget: list[int]) -> Recording:
    scores = next((s for s in _SCORES if s in group), None)
    points = _array(group, _POINTS, budget)
    if scores is None:
        seen = np.ones(points.shape[:-1])
    else:
        seen = _array(group, scores, budget)
        seen = seen[..., 0] if seen.ndim == 3 else seen
    return scored_recording(points, seen, path, name)


def _array(group: Any, name: str, budget: list[int]) -> np.ndarray:
    """The numbers of an array that lies in this file and is no larger than such a file can hold.

    Raises:
        ValueError: it is not.
    """
    link, array = group.get(name, getlink=True), group[name]
    if type(link).__name__ != "HardLink" or array.external or array.is_virtual:
        raise ValueError(f"its {name} lies in another file")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"its {name} holds {str(array.dtype)[:40]}, and no numbers")
    size = math.prod(array.shape) * array.dtype.itemsize
    budget[0] -= 2 * size
    if budget[0] < 0:
        raise ValueError(f"its {name} declares {size:,} bytes, far more than the file has")
    values: np.ndarray = array[()]
    return values
