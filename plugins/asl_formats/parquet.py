"""Tables of the two Kaggle competitions, read by pyarrow: isolated signs (asl-signs) and fingerspelling (ASLFR).

https://www.kaggle.com/competitions/asl-signs has a row for each landmark of a frame: ``frame``, ``type``,
``landmark_index``, ``x``, ``y``, ``z``. Programs that write the same columns put the types in another order, so that
rows are told by type and index. https://www.kaggle.com/competitions/asl-fingerspelling has a row for each frame of many
sequences: ``sequence_id``, ``frame``, ``x_face_0`` … ``z_right_hand_20``; whole parts can be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np

from asl_core import DataError, Layout, NoOptions, Part, Recording
from asl_formats import isolated
from asl_formats.headers import refused
from asl_formats.layouts import AXES, FACE, HAND, POSE
from asl_formats.numbering import places_of, spread
from asl_formats.unseen import hide

__all__ = ["KaggleFingerspelling", "KaggleSigns"]

_MAGIC = b"PAR1"
_EXPECTED = "a parquet table of landmarks, as the Kaggle competitions have them"
_LONGEST_FOOTER = 16 << 20  #: bytes of the description of a table; one of 1,630 columns takes 500,000
_SPARE, _TIMES = 64 << 20, 20  #: bytes that a table may unpack to, and for each of its own
_BATCH = 2048  #: rows of a wide table that are read at once
_FULL = 64  #: times as many points as rows; a frame may lack the face
_LONG = ("frame", "type", "landmark_index", *AXES)
_WIDE = re.compile(r"([xyz])_(face|pose|left_hand|right_hand)_(\d{1,3})")
#: type -> part, its scheme and its points, in the order that clips have here
_TYPES: Mapping[str, tuple[str, str, int]] = {
    "pose": ("pose", POSE, 33),
    "face": ("face", FACE, 468),
    "left_hand": ("left-hand", HAND, 21),
    "right_hand": ("right-hand", HAND, 21),
}


def _footer(path: Path) -> bytes:
    """The description of the columns at the end of a file, in which their names stand as they are; empty for others."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                return b""
            end = file.seek(-8, 2)
            length = int.from_bytes(file.read(4), "little")
            if file.read(4) != _MAGIC or length > min(end - 4, _LONGEST_FOOTER):
                return b""
            file.seek(end - length)
            return file.read(length)
    except OSError:
        return b""


def _opened(path: Path) -> Any:
    """The table, whose declared sizes are in proportion to the file.

    Raises:
        DataError: it is damaged, or claims more.
    """
    import pyarrow.parquet as pq

    try:
        if not _footer(path):
            raise ValueError("it does not begin and end as a parquet file")
        table = pq.ParquetFile(path)
        about, size = table.metadata, path.stat().st_size
        declared = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
        declared = max(declared, 8 * about.num_rows * min(about.num_columns, len(_LONG)))
        if declared > _SPARE + _TIMES * size:
            raise ValueError(f"it declares {about.num_rows:,} rows, far more than its {size:,} bytes hold")
    except Exception as fault:  # pyarrow has errors of many kinds
        raise refused(path, fault, _EXPECTED) from fault
    return table


class KaggleSigns:
    """One clip a file, a row for each landmark."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By the names of its columns."""
        footer = _footer(path)
        return all(name.encode() in footer for name in _LONG)

    def read(self, path: Path) -> Iterator[Recording]:
        """The one recording of a file.

        Raises:
            DataError: it is damaged, lacks a column, or holds a landmark twice.
            MissingExtraError: pyarrow is not installed.
        """
        return isolated.recordings("asl_formats.parquet:signs", "pyarrow.parquet", path, _EXPECTED)


def signs(path: Path) -> Iterator[Recording]:
    """The one recording of a table of asl-signs, read in this process."""
    table = _opened(path)
    lacking = [name for name in _LONG if name not in table.schema_arrow.names]
    if lacking:
        raise DataError(f"{path} has no column {', '.join(lacking)}; expected {', '.join(_LONG)}.")
    try:
        read = table.read(columns=list(_LONG)).combine_chunks()
        frames = read["frame"].to_numpy().astype(np.int64)
        index = read["landmark_index"].to_numpy().astype(np.int64)
        types = read["type"].combine_chunks().dictionary_encode()
        with np.errstate(over="ignore", invalid="ignore"):  # what is infinite then is refused
            values = np.stack([read[axis].to_numpy().astype(np.float32) for axis in AXES], axis=1)
        codes, names = types.indices.to_numpy(zero_copy_only=False), types.dictionary.to_pylist()
    except Exception as fault:
        raise refused(path, fault, "numbers in the columns frame, landmark_index, x, y and z") from fault
    yield _placed(path, frames, np.asarray(codes), names, index, values)


def _placed(
    path: Path, frames: np.ndarray, codes: np.ndarray, names: list[Any], index: np.ndarray, values: np.ndarray
) -> Recording:
    """The recording of rows in any order."""
    others = [str(name)[:40] for name in names if name not in _TYPES]
    if others or not len(frames):
        what = f"landmarks of type {', '.join(others[:5])}" if others else "no row"
        raise DataError(f"{path} holds {what}; expected {', '.join(_TYPES)}.")
    faces = codes == (names.index("face") if "face" in names else -1)
    most = 478 if faces.any() and index[faces].max() >= 468 else 468
    parts = [_part(name, most) for name in _TYPES if name in names]
    layout = Layout(parts)
    starts = np.array([layout.place(_TYPES[name][0]).start for name in names])  # type: ignore[union-attr]  # all are there
    sizes = np.array([_part(name, most).points for name in names])
    if (index < 0).any() or (index >= sizes[codes]).any():
        raise DataError(f"{path} holds a landmark_index beyond the points of its type; expected those of MediaPipe.")
    numbers, rows = np.unique(frames, return_inverse=True)
    if len(numbers) * layout.points > _FULL * len(rows):
        raise DataError(
            f"{path} holds {len(rows):,} rows and {len(numbers):,} frames; expected a row for each landmark."
        )
    points = np.full((len(numbers), layout.points, 3), np.nan, np.float32)
    cell = rows * layout.points + starts[codes] + index
    if len(np.unique(cell)) < len(cell):
        raise DataError(f"{path} holds two rows of one landmark in one frame; expected one row for each.")
    points.reshape(-1, 3)[cell] = values
    places, notes = places_of(path, numbers.tolist(), "row")
    points = hide(points if places is None else spread(points, places), layout, path)
    return Recording(id=path.stem, layout=layout, points=points, source=str(path), notes=tuple(notes))


def _part(name: str, face: int = 468) -> Part:
    part, scheme, points = _TYPES[name]
    return Part(part, face, f"mediapipe-face{face}") if scheme == FACE else Part(part, points, scheme)


@attrs.frozen
class _Columns:
    """Where the landmarks stand in a wide table."""

    layout: Layout
    names: list[str]  #: columns to be read
    cells: np.ndarray  #: place of each in the flat numbers of a frame


class KaggleFingerspelling:
    """Many sequences a file, a row for each frame."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By the names of its columns."""
        footer = _footer(path)
        return (
            b"sequence_id" in footer
            and b"landmark_index" not in footer
            and bool(_WIDE.search(footer.decode("latin-1")))
        )

    def read(self, path: Path) -> Iterator[Recording]:
        """A recording for each sequence, in the order of the file.

        Raises:
            DataError: it is damaged, or has no landmarks.
            MissingExtraError: pyarrow is not installed.
        """
        return isolated.recordings("asl_formats.parquet:sequences", "pyarrow.parquet", path, _EXPECTED)


def sequences(path: Path) -> Iterator[Recording]:
    """The recordings of a table of ASLFR, read in this process."""
    table = _opened(path)
    columns = _columns(path, table.schema_arrow.names)
    pending: list[tuple[np.ndarray, np.ndarray]] = []
    current: int | None = None
    done: set[int] = set()
    for ids, frames, values in _batches(path, table, columns):
        cuts = np.flatnonzero(np.diff(ids)) + 1
        for start, end in zip([0, *cuts], [*cuts, len(ids)], strict=True):
            if ids[start] != current:
                if current is not None:
                    yield _sequence(path, current, columns, pending)
                current = int(ids[start])
                pending = []
                if current in done:
                    raise DataError(f"{path} holds sequence {current} in two places; expected its rows in a row.")
                done.add(current)
            pending.append((frames[start:end], values[start:end]))
    if current is None:
        raise DataError(f"{path} holds no row; expected a row for each frame of a sequence.")
    yield _sequence(path, current, columns, pending)


def _columns(path: Path, names: list[str]) -> _Columns:
    landmarks = {name: match for name in names if (match := _WIDE.fullmatch(name))}
    lacking = [name for name in ("sequence_id", "frame") if name not in names]
    if lacking or not landmarks:
        raise DataError(
            f"{path} has no column {', '.join(lacking) or 'of landmarks'}; expected sequence_id, frame and x_face_0 to "
            f"z_right_hand_20."
        )
    types = {match[2] for match in landmarks.values()}
    face = 478 if any(m[2] == "face" and int(m[3]) >= 468 for m in landmarks.values()) else 468
    layout = Layout([_part(name, face) for name in _TYPES if name in types])
    cells = []
    for match in landmarks.values():
        part, number = _part(match[2], face), int(match[3])
        if number >= part.points:
            raise DataError(f"{path} has a column {match[0]}; expected the points of MediaPipe.")
        start = layout.place(part.name).start  # type: ignore[union-attr]  # it is one of its parts
        cells.append(3 * (start + number) + AXES.index(match[1]))
    return _Columns(layout, list(landmarks), np.array(cells))


def _batches(path: Path, table: Any, columns: _Columns) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Sequence ids, frame numbers and points (rows, points, 3) of some rows at a time."""
    expected = "numbers in the columns sequence_id, frame and those of landmarks"
    try:
        for batch in table.iter_batches(_BATCH, columns=["sequence_id", "frame", *columns.names]):
            if not batch.num_rows:
                continue
            values = np.full((batch.num_rows, 3 * columns.layout.points), np.nan, np.float32)
            with np.errstate(over="ignore", invalid="ignore"):
                for cell, name in zip(columns.cells, columns.names, strict=True):
                    values[:, cell] = batch[name].to_numpy(zero_copy_only=False)
            ids, frames = (np.asarray(batch[n].to_numpy(zero_copy_only=False)) for n in ("sequence_id", "frame"))
            yield ids.astype(np.int64), frames.astype(np.int64), values.reshape(len(values), -1, 3)
    except Exception as fault:
        raise refused(path, fault, expected) from fault


def _sequence(path: Path, number: int, columns: _Columns, pending: list[tuple[np.ndarray, np.ndarray]]) -> Recording:
    frames = np.concatenate([f for f, _ in pending])
    points = np.concatenate([p for _, p in pending])
    order = np.argsort(frames, kind="stable")
    places, notes = places_of(path, frames[order].tolist(), "row", f"sequence {number}")
    points = points[order] if places is None else spread(points[order], places)
    points = hide(points, columns.layout, path)
    return Recording(id=str(number), layout=columns.layout, points=points, source=str(path), notes=tuple(notes))
