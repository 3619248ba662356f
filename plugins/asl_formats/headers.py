"""Headers of .npy arrays, read before an array is: what it declares is compared with what is there."""

from __future__ import annotations

import functools
import io
import math
import warnings
from pathlib import Path
from typing import BinaryIO

import attrs
import numpy as np

from asl_core import DataError

__all__ = ["Header", "load", "read_header", "refused"]

_LONGEST = 1000  #: bytes of a header; an array of numbers needs some 100
MAGIC = b"\x93NUMPY"


@attrs.frozen
class Header:
    """What a .npy array says of itself."""

    shape: tuple[int, ...]
    fortran: bool  #: whether the first axis runs fastest
    dtype: np.dtype
    start: int  #: byte at which its numbers begin

    @property
    def size(self) -> int:
        """Bytes of the whole array with its header."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize

    @property
    def numbers(self) -> bool:
        """Whether it holds real numbers, and at least one."""
        return self.dtype.kind in "fiu" and 0 not in self.shape and self.dtype.itemsize <= 8


def read_header(file: BinaryIO) -> Header:
    """The header at the beginning of an open .npy file or member of an archive.

    Raises:
        ValueError: there is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers of Python 2 are read too
        start = file.read(12)
        version = tuple(start[6:8])
        if start[:6] != MAGIC or version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError("it does not begin as a .npy file")
        size = 2 if version == (1, 0) else 4
        length = int.from_bytes(start[8 : 8 + size], "little")
        if length > _LONGEST:
            raise ValueError(f"its header claims {length:,} bytes")
        text = (start[8 + size :] + file.read(length - (4 - size)))[:length]
        shape, fortran, dtype = _parsed(text)
    if min(shape, default=0) < 0:
        raise ValueError(f"its header claims the shape {str(shape)[:60]}")
    return Header(shape, fortran, dtype, 8 + size + length)


@functools.lru_cache(maxsize=256)  # files of one program begin alike
def _parsed(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    stream = io.BytesIO(len(text).to_bytes(2, "little") + text)
    try:
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_LONGEST)
    except Exception as fault:  # numpy lets its tokenizer's own errors through
        raise ValueError(f"its header cannot be read ({type(fault).__name__})") from fault
    return shape, fortran, dtype


def load(path: Path) -> np.ndarray:
    """The numbers of a .npy file.

    Raises:
        DataError: missing, damaged, cut short, or something else than numbers.
    """
    try:
        with path.open("rb") as file:
            header = read_header(file)
        held = path.stat().st_size
        if not header.numbers:
            raise ValueError(f"it holds {str(header.dtype)[:40]} of shape {str(header.shape)[:60]}, and no numbers")
        if header.size != held:
            raise ValueError(f"it declares {header.size:,} bytes and has {held:,}")
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, MemoryError, RecursionError) as fault:
        raise refused(path, fault, "a .npy file of numbers, as numpy.save writes it") from fault
    return array


def refused(path: Path, fault: Exception, expected: str) -> DataError:
    """The error for a file that cannot be read."""
    reason = getattr(fault, "strerror", None) or " ".join(str(fault).split())[:200] or type(fault).__name__
    return DataError(f"{path} cannot be read ({reason}); expected {expected}. Export or download it again.")
