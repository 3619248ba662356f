"""Which files each split is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from asl_core import DataError, Finding
from asl_wlasl.beside import beside, instead
from asl_wlasl.options import WlaslOptions

__all__ = ["SPLITS", "find_file", "find_splits", "missing_split", "unread_findings"]

SPLITS = ("train", "val", "test")


def find_splits(options: WlaslOptions) -> Mapping[str, list[Path]]:
    """The files of each split there is, sorted by name.

    Raises:
        DataError: no folder was named, a named file or glob matches nothing, or there is no split at all.
    """
    found: dict[str, list[Path]] = {}
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
            found[split] = files
    if not found:
        raise missing_split(options, "train")
    return found


def find_file(options: WlaslOptions, name: str, split_or_option: str) -> Path:
    """One file that an option names."""
    files = _matches(options, name, split_or_option)
    if len(files) != 1:
        raise DataError(
            f"--dataset.{split_or_option} {name!r} matches {len(files)} files{_in_root(options)}; expected one, "
            "relative to --dataset.root or absolute."
        )
    return files[0]


def missing_split(options: WlaslOptions, split: str) -> DataError:
    """What to say where a split was asked for that is not there."""
    return DataError(
        f"there are no {split} clips{_in_root(options)}: features_{split}_*.pkl matches no file there. "
        f"{_pickles_there(options, split)}"
    )


def unread_findings(options: WlaslOptions, files: Mapping[str, Sequence[Path]], unlabelled: bool) -> list[Finding]:
    """Every file of the data set's folder that is of a known kind and was not read.

    Args:
        options: what was asked for.
        files: the files that are read, by split.
        unlabelled: whether some clips have no gloss, so that a label file is of use.
    """
    if not options.root:
        return []
    root = _root(options)
    off = [s for s in SPLITS if (getattr(options, s) or "").lower() == "none"]
    others = [root / "vocabulary.json"] + [path for split in off for path in root.glob(f"features_{split}_*.pkl")]
    others += _matches(options, options.labels, "labels") if options.labels else []
    return beside(root, files, others, labels=unlabelled, off=off)


def _root(options: WlaslOptions) -> Path:
    if not options.root:
        raise DataError(
            "the wlasl data set was not told where its feature pickles are: give --dataset.root DIR, or set the "
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
    """The files that a name or a glob means; a name that exists is never taken for a glob."""
    path = Path(pattern).expanduser()
    if not path.is_absolute():
        path = _root(options) / path
    if path.is_file():
        return [path]
    base = path
    if not Path(pattern).expanduser().is_absolute():
        base = _root(options)  # whose own name may hold such marks and means itself
    else:
        while any(mark in str(base) for mark in "*?[") and base != base.parent:
            base = base.parent  # the part of the path before its first wildcard
    if base == path or not any(mark in str(path.relative_to(base)) for mark in "*?["):
        return []
    try:
        return sorted(found for found in base.glob(str(path.relative_to(base))) if found.is_file())
    except (ValueError, NotImplementedError) as fault:
        raise DataError(
            f"--dataset.{option} {pattern!r} is no usable glob ({fault}); expected such as 'features_*.pkl'."
        ) from fault


def _in_root(options: WlaslOptions) -> str:
    return f" in {Path(options.root).expanduser()}" if options.root else ""


def _pickles_there(options: WlaslOptions, split: str = "train") -> str:
    return instead(_root(options), split) if options.root else "There is no --dataset.root to look in."
