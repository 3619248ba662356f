"""Arrays of clips in other shapes than (frames, features): their layout, and how to convert them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from asl_core.errors import as_word

__all__ = ["NpyHeader", "array_layout", "array_remedy", "read_npy_header"]

_LONGEST_HEADER = 1000  #: bytes of a .npy header; an array of numbers needs some 100
_POINT = (2, 3, 4)  #: coordinates of a point: x and y, with z or confidence, or both


@attrs.frozen
class NpyHeader:
    """The header of a .npy file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    size: int  #: bytes after the header

    def __str__(self) -> str:
        return f"{str(self.dtype)[:60]} of shape {str(self.shape)[:60]}"


def read_npy_header(path: Path) -> NpyHeader | Exception:
    """The header of a .npy file, bounded before numpy parses it; or the fault."""
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers written by Python 2
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0), (3, 0)):
                raise ValueError(f"its format has the version {version}")
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            start = file.tell()
            length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
            if length > _LONGEST_HEADER:  # numpy would allocate it
                raise ValueError(f"its header claims {length} bytes")
            file.seek(start)
            shape, _, dtype = read(file, max_header_size=_LONGEST_HEADER)
            size = path.stat().st_size - file.tell()
    except Exception as fault:
        return fault
    return NpyHeader(shape, dtype, size)


def array_layout(shape: Sequence[int]) -> tuple[str, str] | None:  # noqa: PLR0911 - one for each layout
    """The likely layout of an array that is not (frames, features), and Python that converts ``x``.

    Decided by sizes: a point has 2 to 4 coordinates, a clip shows 1 or 2 people and has more frames and points. None
    where no common layout has such sizes.
    """
    dims = len(shape)
    if 0 in shape:
        return None
    if dims == 1:
        return "one row of numbers: a single frame, or a clip whose shape was lost", "x.reshape(1, -1)"
    if dims == 3:
        first, _, last = shape
        if last in _POINT and first not in _POINT:
            return "one clip of points (frames, points, coordinates)", "x.reshape(len(x), -1)"
        if first in _POINT and last not in _POINT:
            return "one clip of points (coordinates, frames, points)", "x.transpose(1, 2, 0).reshape(x.shape[1], -1)"
        if first == 1:
            return "one clip in a batch of one (1, frames, numbers)", "x[0]"
        if last in _POINT:
            return "one clip of points (frames, points, coordinates)", "x.reshape(len(x), -1)"
        return f"{first} clips of one length (clips, frames, numbers)", "x[0]"
    if dims == 4:
        first, second, _, last = shape
        if last in (1, 2) and first in _POINT and second not in _POINT:
            return (
                "one clip of points (coordinates, frames, points, people)",
                "x[..., 0].transpose(1, 2, 0).reshape(x.shape[1], -1)",
            )
        if first in (1, 2) and last in _POINT:
            return "one clip of points (people, frames, points, coordinates)", "x[0].reshape(x.shape[1], -1)"
        if second in (1, 2) and last in _POINT:
            return "one clip of points (frames, people, points, coordinates)", "x[:, 0].reshape(len(x), -1)"
        if last in _POINT:
            return f"{first} clips of points (clips, frames, points, coordinates)", "x[0].reshape(x.shape[1], -1)"
        if second in _POINT:
            return (
                f"{first} clips of points (clips, coordinates, frames, points)",
                "x[0].transpose(1, 2, 0).reshape(x.shape[2], -1)",
            )
    if dims == 5 and shape[1] in _POINT:
        return (
            f"{shape[0]} clips of points (clips, coordinates, frames, points, people)",
            "x[0, ..., 0].transpose(1, 2, 0).reshape(x.shape[2], -1)",
        )
    return None


def array_remedy(header: NpyHeader, path: Path, width: int | None = None) -> str:
    """The command that converts a .npy file of another shape to a clip or a pickle of clips.

    Args:
        header: of the file.
        path: of the file.
        width: features per frame that are expected, where known.
    """
    shape, dtype = header.shape, header.dtype
    if dtype.hasobject:
        what = "a dict, as numpy.save writes it" if shape == () else f"{math.prod(shape)} Python objects"
        take = "x.item()" if shape == () else "{str(n): clip for n, clip in enumerate(x)}"
        code = (
            f"import numpy, pickle, sys; x = numpy.load(sys.argv[1], allow_pickle=True); "
            f"pickle.dump({take}, open(sys.argv[2], 'wb'))"
        )
        return (
            f"It holds {what}, pickled: if you trust it, write it as a pickle of clips: "
            f'python -c "{code}" {as_word(path)} {as_word(path.with_suffix(".pkl"))}'
        )
    if dtype.kind not in "fiu" or dtype.names is not None:
        return "Save the numbers themselves as float32, in an array of shape (frames, features)."
    if len(shape) == 2:
        code = "import numpy, pickle, sys; pickle.dump({'clip': numpy.load(sys.argv[1])}, open(sys.argv[2], 'wb'))"
        return (
            f"asl predict reads it as it is; for a data set put it into a pickle: "
            f'python -c "{code}" {as_word(path)} {as_word(path.with_suffix(".pkl"))}'
        )
    layout = array_layout(shape)
    if layout is None:
        return "Save each clip by itself, in an array of shape (frames, features)."
    what, code = layout
    if len(shape) == 1 and width and shape[0] % width == 0:
        code = f"x.reshape(-1, {width})"
    several = shape[0] > 1 and what.startswith(f"{shape[0]} clips")
    target = path.with_name(f"{path.stem}-{'0' if several else 'flat'}.npy")
    line = f"import numpy, sys; x = numpy.load(sys.argv[1]); numpy.save(sys.argv[2], {code})"
    each = " (the first; others by their number)" if several else ""
    return f'It seems to be {what}. Make it flat{each}: python -c "{line}" {as_word(path)} {as_word(target)}'
