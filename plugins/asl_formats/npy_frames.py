"""A folder of ``.npy`` frames, one file per frame: the tree ``SIGN/SEQUENCE/FRAME.npy`` of the MP_Data tutorials.

There are hundreds of thousands of such files, so that a file costs little more than its system calls: frames are alike,
and a file that has as many bytes and the same header as the first one is not parsed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from asl_core import DataError, Recording
from asl_formats.arrays import choose, recording_of
from asl_formats.headers import Header, read_header, refused
from asl_formats.numbering import places_of, spread
from asl_formats.options import ArrayOptions
from asl_formats.shapes import readings

__all__ = ["NpyFrames"]

_NAME = re.compile(r"(.*?)(\d{1,18})\.npy", re.DOTALL | re.IGNORECASE)
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_EXPECTED = "a .npy file of one frame"
_LARGEST = 1 << 20  #: bytes of a frame; one of 553 points with float64 has 14,000


class NpyFrames:
    """Folders that hold ``0.npy``, ``1.npy``, …, each with the numbers of one frame."""

    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: ArrayOptions):
        self._layout = options.layout or ""

    def recognises(self, path: Path) -> bool:
        """By the names in it and by the header of the first frame."""
        try:
            names, _ = _listed(path)
            if not names:
                return False
            with (path / names[0][2]).open("rb") as file:
                header = read_header(file)
        except (OSError, ValueError, TypeError, SyntaxError, DataError, RecursionError):
            return False
        return header.numbers and bool(_frame_readings(header, 1, self._layout))

    def read(self, path: Path) -> Iterator[Recording]:
        """The one recording of a folder.

        Raises:
            DataError: it holds no frames, or one that is damaged or of another size.
        """
        try:
            names, others = _listed(path)
        except OSError as fault:
            raise refused(path, fault, "a folder of .npy frames") from fault
        if not names:
            raise DataError(
                f"{path} holds no .npy file whose name is a number; expected a folder of frames, 0.npy, 1.npy, …"
            )
        numbers = [number for _, number, _ in names]
        places, notes = places_of(path, numbers, "file")
        frames = _read([f"{path}{os.sep}{name}" for _, _, name in names])
        if others:
            notes.append(f"{others} files that are no frames are left out")
        if places is not None:
            frames = spread(frames, places)
        reading, remarks = choose(path, frames.shape, self._layout or _by_frame(frames, names[0][2], path))
        yield recording_of(frames, reading, path, path.name, [*notes, *remarks])


def _frame_readings(header: Header, frames: int, layout: str) -> list[object]:
    """Ways to read a stack of such frames; a frame is a row of numbers, or points of coordinates."""
    if header.size > _LARGEST or len(header.shape) not in (1, 2):
        return []
    order = "TD" if len(header.shape) == 1 else "TVC"
    return [r for r in readings((frames, *header.shape), layout) if r.order == order]


def _by_frame(frames: np.ndarray, name: str, path: Path) -> str:
    """The layout of frames, whose first axis is known to be time."""
    order = "TD" if frames.ndim == 2 else "TVC"
    names = [r.name for r in readings(frames.shape, "") if r.order == order]
    if not names:
        raise DataError(f"{path / name} holds {frames.shape[1:]} numbers, which is no frame of a known layout.")
    return names[0] if len(names) == 1 else ""


def _listed(path: Path) -> tuple[list[tuple[str, int, str]], int]:
    """Prefix, number and name of the frames by number, and how many other files there are.

    None where the names of arrays are no numbers, or begin otherwise.

    Raises:
        OSError: the folder cannot be read, or a frame is no file.
    """
    names, others = [], 0
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            match = _NAME.fullmatch(entry.name)
            if match is None:
                if entry.name.lower().endswith(".npy"):
                    return [], 0  # such as clips with the names of signs
                others += entry.is_file()
            elif not entry.is_file():  # a pipe would be waited for
                raise OSError(f"its {entry.name[:60]} is no file")
            else:
                names.append((match[1], int(match[2]), entry.name))
    names.sort(key=lambda name: name[1])
    if names and any(prefix != names[0][0] for prefix, _, _ in names):
        return [], 0
    return names, others


def _read(paths: list[str]) -> np.ndarray:
    """The arrays of all files, one after the other, each parsed only where it differs from the first."""
    first = Path(paths[0])
    try:
        with first.open("rb") as file:
            header = read_header(file)
        if not header.numbers or header.size > _LARGEST:
            raise ValueError(f"it holds {str(header.dtype)[:40]} of shape {str(header.shape)[:60]}, which is no frame")
    except (OSError, ValueError, TypeError, SyntaxError, RecursionError) as fault:
        raise refused(first, fault, _EXPECTED) from fault
    size, start = header.size, header.start
    blocks: list[bytes] = []
    beginning = b""
    for path in paths:
        try:
            descriptor = os.open(path, _FLAGS)
            try:
                data = os.read(descriptor, size + 1)
            finally:
                os.close(descriptor)
        except OSError as fault:
            raise refused(Path(path), fault, _EXPECTED) from fault
        beginning = beginning or data[:start]
        if len(data) != size or not data.startswith(beginning):
            data = beginning + _other(Path(path), header)
        blocks.append(data)
    rows = np.frombuffer(b"".join(blocks), np.uint8).reshape(len(paths), size)[:, start:]
    values = rows.view(header.dtype)
    if header.fortran and len(header.shape) == 2:
        return values.reshape(len(paths), *header.shape[::-1]).swapaxes(1, 2)
    return values.reshape(len(paths), *header.shape)


def _other(path: Path, first: Header) -> bytes:
    """The numbers of a frame whose header is another than the first one's, as that one has them.

    Raises:
        DataError: it is damaged, or of another shape.
    """
    try:
        with path.open("rb") as file:
            header = read_header(file)
            data = file.read(first.size + _LARGEST)
        if not header.numbers or header.shape != first.shape:
            held = f"{str(header.dtype)[:40]} of shape {str(header.shape)[:60]}"
            raise ValueError(f"it holds {held} and the first frame {first.shape}")
        if header.size != header.start + len(data):
            raise ValueError(f"it declares {header.size:,} bytes and has {header.start + len(data):,}")
    except (OSError, ValueError, TypeError, SyntaxError, RecursionError) as fault:
        raise refused(path, fault, f"a .npy file of one frame of shape {first.shape}, as the first") from fault
    values = np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinite then is refused
        values = values.astype(first.dtype)
    return values.tobytes(order="F" if first.fortran else "C")
