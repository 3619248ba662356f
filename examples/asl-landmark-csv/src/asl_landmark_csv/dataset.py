"""The ``landmark-csv`` data set: files in, clips with gloss strings out, and what was noticed on the way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from asl_core import Clip, DataError, Finding, join_keys, recognise_file, split_of_name, unread_files

from asl_landmark_csv.names import read_names
from asl_landmark_csv.options import LandmarkCsvOptions
from asl_landmark_csv.points import frame_columns, require_columns
from asl_landmark_csv.table import Row, columns_of, label_column, label_columns, labels_of, read_rows

__all__ = ["LandmarkCsv", "hold_missing"]


class LandmarkCsv:
    """Clips of CSV files. Nothing is read before it is asked for.

    Args:
        options: where the files are and what is taken from them.
    """

    def __init__(self, options: LandmarkCsvOptions):
        self._options = options
        self._files: Mapping[str, list[Path]] | None = None
        self._names: Mapping[str, str] | None = None
        self._columns: tuple[str, ...] | None = None  # of the first train file, where points is "file"
        self._findings: dict[str, list[Finding]] = {}

    def splits(self) -> Sequence[str]:
        """The splits that have files, of train, val, test.

        Raises:
            DataError: no folder was named, or it has no file for train or for a split that was named.
        """
        return tuple(self._found())

    def clips(self, split: str) -> Iterator[Clip]:
        """The clips of a split, in the order of its files and of the rows in each.

        Raises:
            DataError: there is no such split, or a file of it is not of the layout.
        """
        files = self._found().get(split)
        if files is None:
            raise DataError(f"data set landmark-csv has no split {split!r}; there is {', '.join(self.splits())}.")
        missing, seen = 0, Counter[str]()
        columns: dict[str, list[str]] = {}
        for file in files:
            if self._options.label_column is None and (found := label_columns(columns_of(file))):
                columns.setdefault(found[0], found[1:])
            for row in self._rows(file):
                if row.label is None:
                    column = label_column(columns_of(file), self._options.label_column)
                    raise DataError(
                        f"{file} line {row.line}: clip {row.id!r} has no label in "
                        f"{'any column that is called so' if column is None else f'column {column!r}'}; "
                        f"--dataset.label-column names another one{self._others(file)}."
                    )
                seen[row.label] += 1
                missing += int((row.frames == 0).all(axis=1).sum())
                yield self._clip(row, file)
        self._findings[split] = list(self._notes(split, seen, missing))
        for name, others in columns.items():
            if name != "labels" or others:
                text = f"the classes of {split} are read from column {name!r}"
                text += f", not {', '.join(map(repr, others))} (--dataset.label-column)" if others else ""
                self._findings[split].append(Finding("note", "label-column", text))

    def findings(self) -> Sequence[Finding]:
        """What was noticed in the splits read so far, and files beside them that are of no split."""
        found = [finding for found in self._findings.values() for finding in found]
        return [*found, *self._beside()] if self._files is not None else found

    def _beside(self) -> Iterator[Finding]:
        """Tables in the folder that no split is read from, with the flag that would read the first."""
        root = Path(self._options.root or ".")
        read = [file for files in self._found().values() for file in files]
        if left := unread_files(root, read, (".csv", ".tsv", ".csv.gz", ".zip")):
            names = [path.relative_to(root).as_posix() for path in left]
            split = split_of_name(left[0], root) or "val"
            text = (
                f"{len(left)} files of {root} are not read ({', '.join(map(repr, names[:10]))}); --dataset.{split} "
                f"{names[0]!r} reads the first"
            )
            if (kind := recognise_file(left[0])) is not None and not kind.text:
                text = f"{text.partition('; ')[0]}; the first is {kind.what}. {kind.remedy}"
            missing = split not in self._found() and split_of_name(left[0], root) is not None
            yield Finding("warning" if missing else "note", "files-not-read", text, {"files": names})

    def read(self, path: Path) -> Sequence[Clip]:
        """Every clip of one file, for prediction; glosses where it has labels.

        Raises:
            DataError: the file is not of the layout.
        """
        return [self._clip(row, path) for row in self._rows(path)]

    def _found(self) -> Mapping[str, list[Path]]:
        if self._files is None:
            if self._options.root is None:
                raise DataError(
                    "data set landmark-csv needs its folder: --dataset.root FOLDER, or the variable LANDMARK_CSV."
                )
            asked = {"train": self._options.train, "val": self._options.val, "test": self._options.test}
            found = {split: _matching(Path(self._options.root), split, name) for split, name in asked.items()}
            self._files = {split: files for split, files in found.items() if files}
        return self._files

    def _rows(self, file: Path) -> Iterator[Row]:
        there = columns_of(file)
        if self._options.points == "file" and self._columns is None:
            self._columns = frame_columns("file", columns_of(self._found()["train"][0]))
        columns = self._columns or frame_columns(self._options.points, there)
        require_columns(columns, there, file)
        return read_rows(file, columns, label_column(there, self._options.label_column))

    def _others(self, file: Path) -> str:
        """Columns that are no coordinates, one of which may be meant."""
        names = [column for column in columns_of(file) if column[-2:] not in ("_X", "_Y")]
        return f" (of {', '.join(map(repr, names[:8]))})" if names else ""

    def _clip(self, row: Row, file: Path) -> Clip:
        frames = hold_missing(row.frames) if self._options.missing == "hold" else row.frames
        glosses = () if row.label is None else (self._gloss(row.label, row, file),)
        return Clip(id=row.id, features=frames, glosses=glosses, signer=row.signer, source=f"{file} line {row.line}")

    def _gloss(self, label: str, row: Row, file: Path) -> str:
        """The gloss of a label: by ``names`` where they are given, else the label itself."""
        label = _plain(label)
        if self._options.names is None:
            return label
        names = self._read_names()
        if label not in names:
            column = label_column(columns_of(file), self._options.label_column) or ""
            joined = join_keys(dict.fromkeys(map(_plain, labels_of(file, column))), names)
            near = f" {joined.near_miss()}." if joined.near else ""
            raise DataError(
                f"{file} line {row.line}: clip {row.id!r} has label {label!r}, which {self._options.names} does not "
                f"name: {joined.counts('labels of the file', 'numbers that it names')}.{near} Expected numbers "
                f"that count in the same way, from 0 or from 1, or glosses in --dataset.label-column."
            )
        return names[label]

    def _read_names(self) -> Mapping[str, str]:
        if self._names is None:
            self._names = read_names(Path(self._options.names or ""))
            if shared := [gloss for gloss, n in Counter(self._names.values()).items() if n > 1]:
                text = f"{len(shared)} glosses stand for several numbers, {shared[0]!r} among them: each is one class"
                self._findings["names"] = [Finding("warning", "shared-glosses", text, {"glosses": shared})]
        return self._names

    def _notes(self, split: str, seen: Counter[str], missing: int) -> Iterator[Finding]:
        if self._names is not None:
            joined = join_keys(map(_plain, seen), self._names)
            if joined.unused:
                given = f"numbers of {Path(self._options.names or '').name}"
                text = f"{split}: {joined.counts('labels', given)}"
                yield Finding("note", "names-unused", text, {"unused": len(joined.unused)})
        if missing:
            text = f"{missing} frames of {split} hold no point at all"
            yield Finding("note", "empty-frames", text, {"split": split, "frames": missing})
        if self._options.names is None and all(label.replace(".", "").isdigit() for label in seen):
            text = f"the classes of {split} are called by their numbers; --dataset.names FILE gives them glosses"
            yield Finding("note", "numbers-as-glosses", text)


def _plain(label: str) -> str:
    """A number as whole numbers are written: a column with a gap holds 5.0."""
    whole = re.fullmatch(r"(\d+)(?:\.0*)?", label)
    return str(int(whole[1])) if whole else label


def _matching(root: Path, split: str, asked: str | None) -> list[Path]:
    """The files of a split, sorted: those that a name or a glob means, or where nothing is ``asked``, what there is.

    Raises:
        DataError: what is asked for is not there.
    """
    if asked == "none" and split != "train":
        return []
    pattern = asked or f"*{split}*.csv"
    whole = Path(pattern)
    start, rest = (Path(whole.anchor), whole.relative_to(whole.anchor)) if whole.is_absolute() else (root, whole)
    exact = start / rest
    try:
        # A name with brackets in it means itself, where there is such a file.
        found = [exact] if exact.is_file() else sorted(p for p in start.glob(str(rest)) if p.is_file())
    except (ValueError, OSError) as fault:
        raise DataError(f"--dataset.{split} {pattern!r} is no file name and no glob ({fault}).") from fault
    if not found and asked:
        there = ", ".join(sorted(p.name for p in root.glob("*.csv"))[:5]) or "no CSV file"
        raise DataError(f"no file matches {exact}, for --dataset.{split}; {root} holds {there}.")
    return found


def hold_missing(frames: np.ndarray) -> np.ndarray:
    """(T, 2·points) with every point that was not found where it was last seen, or first seen if it was not yet.

    A point counts as missing where both of its coordinates are 0; one that is never found stays 0.
    """
    points = frames.reshape(len(frames), -1, 2)
    found = (points != 0).any(axis=2)
    places = np.where(found, np.arange(len(frames))[:, None], -1)
    last = np.maximum.accumulate(places, axis=0)
    source = np.where(last >= 0, last, found.argmax(axis=0)[None, :])
    held: np.ndarray = np.take_along_axis(points, source[:, :, None], axis=0).reshape(frames.shape)
    return held
