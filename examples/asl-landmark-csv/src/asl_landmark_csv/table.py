"""One CSV file, a clip per row, read row by row; errors name the line and the column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from asl_core import DataError, csv_delimiter, metadata_text, recognise_file, text_encoding

from asl_landmark_csv.cells import read_cell
from asl_landmark_csv.points import standard_name

__all__ = ["Row", "columns_of", "label_column", "label_columns", "labels_of", "read_rows"]


_COLUMNS = 10_000  #: of the first line


@attrs.frozen(eq=False)
class Row:
    """A clip as it is in the file."""

    id: str  #: column ``video_id``, else the file's name and the number of the row
    line: int  #: last line of the row in the file
    label: str | None  #: text of the label column; None without a column, or where it is empty
    signer: str | None  #: column ``signer_id``, if any
    frames: np.ndarray  #: (T, columns) float32, 0 where a value is missing


def columns_of(file: Path) -> tuple[str, ...]:
    """The columns of a file, by their standard names.

    Raises:
        DataError: the file is missing, empty, or not CSV.
    """
    for _, cells in _lines(file):
        if len(cells) > _COLUMNS:
            raise DataError(f"{file} line 1: {len(cells):,} columns; expected a table of landmarks, with some hundred.")
        columns = tuple(standard_name(c) for c in cells)
        if twice := sorted({c for c in columns if columns.count(c) > 1}):
            raise DataError(f"{file} line 1: column {twice[0]!r} occurs twice; expected each once.")
        return columns
    raise DataError(f"{file} is empty; expected a line with the names of the columns, and a line for each clip.")


#: names of the column with the class, likeliest first
_LABELS = ("labels", "label", "gloss", "sign", "word", "class", "label_name", "class_name", "text")


def label_columns(columns: Sequence[str]) -> list[str]:
    """The columns that may have the class, by their names, likeliest first."""
    names = {column.casefold(): column for column in reversed(columns)}
    return [names[name] for name in _LABELS if name in names]


def label_column(columns: Sequence[str], option: str | None) -> str | None:
    """The column with the class: that of the option, or else the likeliest by its name, or None.

    Args:
        columns: of a file.
        option: label-column.
    """
    return option if option is not None else next(iter(label_columns(columns)), None)


def labels_of(file: Path, label: str) -> Iterator[str]:
    """The texts of the label column, without reading the frames."""
    index = None
    for _, cells in _lines(file):
        if index is None:
            index = [standard_name(cell) for cell in cells].index(label)
        elif index < len(cells) and cells[index].strip():
            yield cells[index].strip()


def read_rows(file: Path, columns: Sequence[str], label: str | None) -> Iterator[Row]:
    """The clips of a file, in its order.

    Args:
        file: the CSV file.
        columns: the columns of a frame, in order.
        label: the column of the label, or None.

    Raises:
        DataError: at the first fault, with file, line, column and clip.
    """
    header = columns_of(file)
    # A missing column has two letters in the file, and in memory as many zeros as the clip has frames.
    claimed, limit = 0, (32 << 20) + 5 * file.stat().st_size
    for number, (line, cells) in enumerate(_lines(file)):
        if number == 0 or not any(cells):
            continue  # the header, or an empty line at the end
        if len(cells) != len(header):
            raise DataError(f"{file} line {line}: {len(cells)} cells; expected {len(header)}, as many as line 1 has.")
        by_name = dict(zip(header, cells, strict=True))
        name = by_name.get("video_id", "").strip() or f"{file.stem}:{number}"
        frames = _frames(f"{file} line {line}", name, by_name, columns)
        claimed += frames.nbytes
        if claimed > limit:
            raise DataError(
                f"{file} line {line}: nearly all columns of its clips are missing, and would take {limit >> 20} MiB of "
                f"zeros; leave such clips out."
            )
        yield Row(
            id=name,
            line=line,
            label=by_name.get(label or "", "").strip() or None,
            signer=metadata_text(by_name.get("signer_id")),
            frames=frames,
        )


def _frames(where: str, clip: str, cells: Mapping[str, str], columns: Sequence[str]) -> np.ndarray:
    """(T, columns) of one row."""
    series = {}
    for column in columns:
        try:
            series[column] = read_cell(cells[column])
        except ValueError as fault:
            raise DataError(f"{where}, column {column} (clip {clip!r}): {fault}; expected [0.1, 0.2, …].") from fault
    lengths = {column: len(values) for column, values in series.items() if values is not None}
    if not lengths or not any(lengths.values()):
        raise DataError(f"{where}: clip {clip!r} has no frames, all of its cells are empty; leave the row out.")
    first, length = next(iter(lengths.items()))
    for column, other in lengths.items():
        if other != length:
            raise DataError(
                f"{where}: clip {clip!r} has {length} values in column {first} and {other} in column {column}; "
                f"expected one for each frame in all of them."
            )
    missing = np.zeros(length, dtype=np.float32)
    return np.stack([missing if values is None else values for values in series.values()], axis=1)


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """``(last line, cells)`` of every row, with the delimiter of the first line."""
    try:
        encoding = text_encoding(file)
        with file.open(newline="", encoding=encoding) as text:
            first = text.readline()
            text.seek(0)
            delimiter = csv_delimiter(first, _known(first))
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            for cells in reader:
                yield reader.line_num, cells
    except OSError as fault:
        raise DataError(f"{file} cannot be read ({fault.strerror}); expected a CSV file of landmarks.") from fault
    except UnicodeError as fault:
        raise DataError(
            f"{file} is not text in UTF-8 or UTF-16 ({fault}); expected a CSV file of landmarks.{_kind(file)}"
        ) from fault
    except csv.Error as fault:
        raise DataError(
            f"{file} line {reader.line_num}: is not CSV ({fault}); it may be damaged or cut short.{_kind(file)}"
        ) from fault


def _known(first: str) -> set[str]:
    """Names of coordinates in a first line, with any delimiter."""
    return {name.casefold() for name in re.findall(r"[A-Za-z0-9_]+_[XYxy]\b", first)}


def _kind(file: Path) -> str:
    """The format of a file that is not text."""
    kind = recognise_file(file)
    return f" It is {kind.what}. {kind.remedy}" if kind is not None and not kind.text else ""
