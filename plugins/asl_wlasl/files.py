"""Which files each split is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from asl_core import DataError, Finding
from asl_wlasl.options import WlaslOptions
from asl_wlasl.unread import pickles_instead, unread_findings

__all__ = ["SPLITS", "find_labels", "find_splits", "missing_split", "other_files"]

SPLITS = ("train", "val", "test")


def find_splits(options: WlaslOptions) -> Mapping[str, list[Path]]:
    """The files of each split, sorted by name.

    Raises:
        DataError: no folder was given, a given file or glob matches nothing, or no split has files.
    """
    splits: dict[str, list[Path]] = {}
    for split in SPLITS:
        named: str | None = getattr(options, split)
        if named is not None and named.lower() == "none":
            continue
        files = _matches(options, named or f"features_{split}_*.pkl", split)
        if named is not None and not files:
            raise DataError(
                f"--dataset.{split} {named!r} matches no file{_in_root(options)}; expected a file name or a glob, "
                f"relative to --dataset.root or absolute. {_pickles_there(options)}"
            )
        if files:
            splits[split] = files
    if not splits:
        raise missing_split(options, "train")
    return splits


def find_labels(options: WlaslOptions) -> Path:
    """The file that ``--dataset.labels`` names, in the data set's folder or else in the working directory.

    Raises:
        DataError: it matches none or several.
    """
    name = str(options.labels)
    files = _matches(options, name, "labels") or _in_working_directory(name)
    if len(files) != 1:
        raise DataError(
            f"--dataset.labels {name!r} matches {len(files)} files{_in_root(options)}, and there is none in the "
            "working directory; expected one file, relative to --dataset.root or to the working directory, or absolute."
            if not files
            else f"--dataset.labels {name!r} matches {len(files)} files{_in_root(options)}; expected one."
        )
    return files[0]


def _in_working_directory(name: str) -> list[Path]:
    path = Path(name)
    return [path.absolute()] if not path.is_absolute() and path.is_file() else []


def _labels_findings(options: WlaslOptions) -> list[Finding]:
    """A note where the label file's name is that of two files: which one is read."""
    if options.labels is None or not options.root:
        return []
    read = _matches(options, options.labels, "labels")
    other = [path for path in _in_working_directory(options.labels) if read and not path.samefile(read[0])]
    if not other:
        return []
    message = (
        f"--dataset.labels {options.labels!r} names two files: {read[0]} is read, in --dataset.root, and {other[0]} in "
        f"the working directory is not; give a whole path to read that one"
    )
    return [Finding("warning", "labels-twice", message)]


def missing_split(options: WlaslOptions, split: str) -> DataError:
    """The error for a split without files."""
    return DataError(
        f"there are no {split} clips{_in_root(options)}: features_{split}_*.pkl matches no file there. "
        f"{_pickles_there(options, split)}"
    )


def other_files(options: WlaslOptions, files: Mapping[str, Sequence[Path]], unlabelled: bool) -> list[Finding]:
    """Findings on the files of the data set's folder that were not read.

    Args:
        options: of the data set.
        files: the files read, by split.
        unlabelled: whether some clips have no gloss, so that a label file is of use.
    """
    if not options.root:
        return []
    root = _root(options)
    off = [s for s in SPLITS if (getattr(options, s) or "").lower() == "none"]
    others = [root / "vocabulary.json"] + [path for split in off for path in root.glob(f"features_{split}_*.pkl")]
    others += _matches(options, options.labels, "labels") if options.labels else []
    return _labels_findings(options) + unread_findings(root, files, others, labels=unlabelled, off=off)


def _root(options: WlaslOptions) -> Path:
    if not options.root:
        raise DataError(
            "the wlasl data set needs the folder of its feature pickles: give --dataset.root DIR, or set the "
            "environment variable ASL_DATA to that folder."
        )
    root = Path(options.root).expanduser()
    if root.is_file():
        raise DataError(
            f"--dataset.root {options.root!r} is a file; expected the folder with the feature pickles. Say "
            f"--dataset.root {str(root.parent)!r} --dataset.train {root.name!r}."
        )
    if not root.is_dir():
        raise DataError(
            f"--dataset.root {options.root!r} is no folder; expected the one with the feature pickles "
            "(features_train_*.pkl). Check the path, or the variable ASL_DATA."
        )
    return root


def _matches(options: WlaslOptions, pattern: str, option: str) -> list[Path]:
    """The files that a name or a glob matches; a name that exists is never taken for a glob."""
    path = Path(pattern).expanduser()
    if not path.is_absolute():
        path = _root(options) / path
    if path.is_file():
        return [path]
    base = path
    if not Path(pattern).expanduser().is_absolute():
        base = _root(options)  # wildcards in its own name are plain characters
    else:
        while any(mark in str(base) for mark in "*?[") and base != base.parent:
            base = base.parent  # the part of the path before its first wildcard
    if base == path or not any(mark in str(path.relative_to(base)) for mark in "*?["):
        return []
    try:
        return sorted(file for file in base.glob(str(path.relative_to(base))) if file.is_file())
    except (ValueError, NotImplementedError) as fault:
        raise DataError(
            f"--dataset.{option} {pattern!r} is no usable glob ({fault}); expected such as 'features_*.pkl'."
        ) from fault


def _in_root(options: WlaslOptions) -> str:
    return f" in {Path(options.root).expanduser()}" if options.root else ""


def _pickles_there(options: WlaslOptions, split: str = "train") -> str:
    return pickles_instead(_root(options), split) if options.root else "There is no --dataset.root to look in."
