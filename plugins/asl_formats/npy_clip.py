"""One ``.npy`` array a clip, of any of the shapes that the field has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from asl_core import DataError, Recording
from asl_formats.arrays import choose, recording_of
from asl_formats.headers import load, read_header
from asl_formats.many_clips import holds_many, refuse_many
from asl_formats.options import ArrayOptions
from asl_formats.shapes import readings

__all__ = ["NpyClip"]


class NpyClip:
    """Arrays of one clip: (T, D), (T, V, C), (1, T, D), (C, T, V, M), (D, T) and the like, as ``numpy.save`` writes."""

    suffixes: ClassVar[tuple[str, ...]] = (".npy",)

    def __init__(self, options: ArrayOptions):
        self._layout = options.layout or ""

    def recognises(self, path: Path) -> bool:
        """By its header: numbers in a shape that some layout has; arrays of many such clips are refused when read."""
        try:
            with path.open("rb") as file:
                header = read_header(file)
        except (OSError, ValueError, TypeError, SyntaxError, RecursionError):
            return False
        return header.numbers and bool(readings(header.shape, self._layout) or holds_many(header.shape, self._layout))

    def read(self, path: Path) -> Iterator[Recording]:
        """The one recording of a file.

        Raises:
            DataError: it is damaged, of objects, or of a shape that no layout has or that several have.
        """
        array = load(path)
        if array.ndim == 1 and readings((1, *array.shape), self._layout):
            raise DataError(
                f"{path} holds one frame of {len(array)} numbers; give the folder of all frames of the clip, or save "
                f"them as one array of shape (frames, {len(array)})."
            )
        if holds_many(array.shape, self._layout):
            refuse_many(path, array.shape)
        reading, notes = choose(path, array.shape, self._layout)
        yield recording_of(array, reading, path, path.stem, notes)
