"""The data set ``landmark-csv``: clips with glosses from CSV files, and findings about the files."""

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
    """Clips of CSV files. A file is read when its clips are first needed.

    Args:
        options: where the files are, and what to take from them.
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
            DataError: no folder was given, or it has no file for train or for a given split.
        """
        return tuple(self._splits())

    def clips(self, split: str) -> Iterator[Clip]:
        """The clips of a split, in the order of its files and of the rows in each.

        Raises:
            DataError: there is no such split, or a file has another layout.
        """
        files = self._splits().get(split)
        if files is None:
            raise DataError(f"data set landmark-csv has no split {split!r}; it has {', '.join(self.splits())}.")
        empty_frames, labels = 0, Counter[str]()
        columns: dict[str, list[str]] = {}
        for file in files:
            if self._options.label_column is None and (candidates := label_columns(columns_of(file))):
                columns.setdefault(candidates[0], candidates[1:])
            for row in self._rows(file):
                if row.label is None:
                    column = label_column(columns_of(file), self._options.label_column)
                    raise DataError(
                        f"{file} line {row.line}: clip {row.id!r} has no label in "
                        f"{'any column with a usual name' if column is None else f'column {column!r}'}; "
                        f"--dataset.label-column names another one{self._others(file)}."
                    )
                labels[row.label] += 1
                empty_frames += int((row.frames == 0).all(axis=1).sum())
                yield self._clip(row, file)
        self._findings[split] = list(self._notes(split, labels, empty_frames))
        for name, others in columns.items():
            if name != "labels" or others:
                text = f"the classes of {split} are read from column {name!r}"
                text += f", not {', '.join(map(repr, others))} (--dataset.label-column)" if others else ""
                self._findings[split].append(Finding("note", "label-column", text))

    def findings(self) -> Sequence[Finding]:
        """Findings on the splits read so far, and on other tables in the folder."""
        findings = [finding for of_split in self._findings.values() for finding in of_split]
        return [*findings, *self._unread()] if self._files is not None else findings

    def _unread(self) -> Iterator[Finding]:
        """A finding on tables in the folder that are not read, with the flag that would read the first."""
        root = Path(self._options.root or ".")
        read = [file for files in self._splits().values() for file in files]
        if unread := unread_files(root, read, (".csv", ".tsv", ".csv.gz", ".zip")):
            names = [path.relative_to(root).as_posix() for path in unread]
            split = split_of_name(unread[0], root) or "val"
            text = (
                f"{len(unread)} files of {root} are not read ({', '.join(map(repr, names[:10]))}); --dataset.{split} "
                f"{names[0]!r} reads the first"
            )
            if (kind := recognise_file(unread[0])) is not None and not kind.text:
                text = f"{text.partition('; ')[0]}; the first is {kind.what}. {kind.remedy}"
            missing = split not in self._splits() and split_of_name(unread[0], root) is not None
            yield Finding("warning" if missing else "note", "files-not-read", text, {"files": names})

    def read(self, path: Path) -> Sequence[Clip]:
        """The clips of one file, for prediction; with glosses where it has labels.

        Raises:
            DataError: the file has another layout.
        """
        return [self._clip(row, path) for row in self._rows(path)]

    def _splits(self) -> Mapping[str, list[Path]]:
        if self._files is None:
            if self._options.root is None:
                raise DataError(
                    "data set landmark-csv needs its folder: --dataset.root FOLDER, or the variable LANDMARK_CSV."
                )
            names = {"train": self._options.train, "val": self._options.val, "test": self._options.test}
            matching = {split: _matching(Path(self._options.root), split, name) for split, name in names.items()}
            self._files = {split: files for split, files in matching.items() if files}
        return self._files

    def _rows(self, file: Path) -> Iterator[Row]:
        available = columns_of(file)
        if self._options.points == "file" and self._columns is None:
            self._columns = frame_columns("file", columns_of(self._splits()["train"][0]))
        columns = self._columns or frame_columns(self._options.points, available)
        require_columns(columns, available, file)
        return read_rows(file, columns, label_column(available, self._options.label_column))

    def _others(self, file: Path) -> str:
        """The columns that are no coordinates, for a message."""
        names = [column for column in columns_of(file) if column[-2:] not in ("_X", "_Y")]
        return f" (of {', '.join(map(repr, names[:8]))})" if names else ""

    def _clip(self, row: Row, file: Path) -> Clip:
        frames = hold_missing(row.frames) if self._options.missing == "hold" else row.frames
        glosses = () if row.label is None else (self._gloss(row.label, row, file),)
        return Clip(id=row.id, features=frames, glosses=glosses, signer=row.signer, source=f"{file} line {row.line}")

    def _gloss(self, label: str, row: Row, file: Path) -> str:
        """The gloss of a label from ``--dataset.names``, or else the label itself."""
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

    def _notes(self, split: str, labels: Counter[str], empty_frames: int) -> Iterator[Finding]:
        if self._names is not None:
            joined = join_keys(map(_plain, labels), self._names)
            if joined.unused:
                given = f"numbers of {Path(self._options.names or '').name}"
                text = f"{split}: {joined.counts('labels', given)}"
                yield Finding("note", "names-unused", text, {"unused": len(joined.unused)})
        if empty_frames:
            text = f"{empty_frames} frames of {split} have no point"
            yield Finding("note", "empty-frames", text, {"split": split, "frames": empty_frames})
        if self._options.names is None and all(label.replace(".", "").isdigit() for label in labels):
            text = f"the classes of {split} are numbers; --dataset.names FILE gives them glosses"
            yield Finding("note", "numbers-as-glosses", text)


def _plain(label: str) -> str:
    """A number as an integer: pandas writes 5.0 in a column with a gap."""
    whole = re.fullmatch(r"(\d+)(?:\.0*)?", label)
    return str(int(whole[1])) if whole else label


def _matching(root: Path, split: str, option: str | None) -> list[Path]:
    """The files of a split, sorted: those that the option, a name or a glob, matches, or by default ``*SPLIT*.csv``.

    Raises:
        DataError: the option matches no file.
    """
    if option == "none" and split != "train":
        return []
    pattern = option or f"*{split}*.csv"
    whole = Path(pattern)
    start, rest = (Path(whole.anchor), whole.relative_to(whole.anchor)) if whole.is_absolute() else (root, whole)
    exact = start / rest
    try:
        # The name of an existing file is no glob, even with brackets in it.
        files = [exact] if exact.is_file() else sorted(p for p in start.glob(str(rest)) if p.is_file())
    except (ValueError, OSError) as fault:
        raise DataError(f"--dataset.{split} {pattern!r} is no file name and no glob ({fault}).") from fault
    if not files and option:
        available = ", ".join(sorted(p.name for p in root.glob("*.csv"))[:5]) or "no CSV file"
        raise DataError(f"no file matches {exact}, for --dataset.{split}; {root} has {available}.")
    return files


def hold_missing(frames: np.ndarray) -> np.ndarray:
    """(T, 2·points) with every missing point at its last position, or at its first one before that.

    A point is missing where both of its coordinates are 0; one that is missing throughout stays 0.
    """
    points = frames.reshape(len(frames), -1, 2)
    present = (points != 0).any(axis=2)
    indices = np.where(present, np.arange(len(frames))[:, None], -1)
    last = np.maximum.accumulate(indices, axis=0)
    source = np.where(last >= 0, last, present.argmax(axis=0)[None, :])
    held: np.ndarray = np.take_along_axis(points, source[:, :, None], axis=0).reshape(frames.shape)
    return held
