"""Arrays of many clips, such as ``X.npy`` beside ``y.npy``: they are refused with what splits them into clips.

They are what a program trained on, filled or cut to one length: which frames are real is not in them, nor are glosses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from asl_core import DataError, as_word
from asl_formats.headers import Header, read_header
from asl_formats.shapes import readings

__all__ = ["holds_many", "refuse_many"]

_SPLIT = (
    "{load}; [(os.makedirs(f'clips/{{sign}}', exist_ok=True), np.save(f'clips/{{sign}}/{{n}}.npy', clip)) "
    "for n, (clip, sign) in enumerate(zip(X, y))]"
)


def holds_many(shape: tuple[int, ...], layout: str = "") -> bool:
    """Whether an array is (clips, frames, numbers) or (clips, frames, points, coordinates), and cannot be one clip."""
    if len(shape) not in (3, 4) or readings(shape, layout):
        return False
    return any(way.order in ("TD", "TVC") for way in readings(shape[1:], layout))


def refuse_many(
    path: Path, shape: tuple[int, ...], name: str = "", headers: Mapping[str, Header] | None = None
) -> None:
    """Refuse an array of many clips.

    Args:
        path: the file.
        shape: of the array.
        name: of the array in an archive.
        headers: of all arrays of that archive.

    Raises:
        DataError: always; the text holds the lines of Python that split it.
    """
    if name:
        names = [n for n, header in (headers or {}).items() if header.shape[:1] == shape[:1] and n != name]
        labels = names[0] if names else "y"
        load = f"a = np.load({path.name!r}); X, y = a[{name!r}], a[{labels!r}]"
    else:
        load = f"X, y = np.load({path.name!r}), np.load({_labels_beside(path, shape[0])!r})"
    raise DataError(
        f"{path} holds {shape[0]:,} clips in one array of shape {shape}; expected a file for each clip, in a folder of "
        f"its gloss. In the folder {as_word(path.parent)}, this splits it by the labels y (type python, then it): "
        f"import os, numpy as np; {_SPLIT.format(load=load)}"
    )


def _labels_beside(path: Path, count: int) -> str:
    """The file of labels of an array; ``y.npy`` where none is found."""
    renamed = {path.name.replace("X", "y"), path.name.replace("x", "y"), "y.npy", "labels.npy", f"y_{path.name}"}
    for name in sorted(renamed - {path.name}):
        try:
            with path.with_name(name).open("rb") as file:
                if read_header(file).shape[:1] == (count,):
                    return name
        except (OSError, ValueError, TypeError, SyntaxError, RecursionError):
            continue
    return "y.npy"
