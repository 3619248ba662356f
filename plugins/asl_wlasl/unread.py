"""Files in the folder of a data set that are not read, and the flag that would read them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from asl_core import Finding, as_word, recognise_file, split_of_name, unread_files
from asl_wlasl.records import name_some

__all__ = ["pickles_instead", "unread_findings"]

_PICKLES = (".pkl", ".pickle", ".p")
_PACKED = tuple(f"{ending}{by}" for ending in _PICKLES for by in (".gz", ".bz2", ".xz", ".lzma", ".z", ".zst", ".lz4"))
_LABELS = (".csv", ".tsv", ".json")
_OTHER = (
    ".npy", ".npz", ".joblib", ".h5", ".hdf5", ".mat", ".parquet", ".pose", ".mp4", ".mov", ".avi", ".webm", ".mkv",
)  # fmt: skip
_SHOWN = 20  #: names of files in a message; its data has all


def unread_findings(
    root: Path, files: Mapping[str, Sequence[Path]], others: Collection[Path], *, labels: bool, off: Collection[str]
) -> list[Finding]:
    """Findings on the files of a folder that are not read, one for each kind of file.

    Args:
        root: the folder.
        files: the files read, by split.
        others: files that are read otherwise, or switched off.
        labels: whether a label file would be of use.
        off: splits that were switched off.
    """
    read = [path for of_split in files.values() for path in of_split]
    unread = unread_files(root, [*read, *others], (*_PICKLES, *_PACKED, *_LABELS, *_OTHER))
    findings = []
    for endings in (_PICKLES, _PACKED, _OTHER, _LABELS if labels else ()):
        paths = [path for path in unread if path.name.lower().endswith(endings)]
        if not paths:
            continue
        missing = {split_of_name(path, root) for path in paths} - {None, *files, *off}
        names = [path.relative_to(root).as_posix() for path in paths]
        if endings == _PICKLES:
            advice = f"{_flags(paths, [*unread, *read], root, files)} reads them."
        elif endings == _LABELS:
            advice = f"--dataset.labels {as_word(names[0])} reads the glosses of clips from one."
        else:
            advice = _of_kind(paths[0])
        count = f"1 file of {root} is" if len(paths) == 1 else f"{len(paths)} files of {root} are"
        message = f"{count} not read ({name_some(names, _SHOWN)}). {advice}"
        level = "warning" if missing and endings != _LABELS else "note"
        findings.append(Finding(level, "files-not-read", message.rstrip(". "), {"files": names}))
    return findings


def pickles_instead(root: Path, split: str) -> str:
    """Which files a folder has in place of those of a split, and the flag that would read them."""
    files = unread_files(root, (), (*_PICKLES, *_PACKED, *_OTHER))
    names = [path.relative_to(root).as_posix() for path in files]
    pickles = [path for path in files if path.name.lower().endswith(_PICKLES)]
    if pickles:
        likely = [path for path in pickles if split_of_name(path, root) == split]
        # The names of shards of one set begin alike.
        likely = likely or (pickles if len(_common([path.name for path in pickles])) > 3 else pickles[:1])
        shown = name_some([path.relative_to(root).as_posix() for path in pickles], 10)
        return (
            f"Pickles there: {shown}. Name the right one, such as --dataset.{split} "
            f"{as_word(_pattern(likely, files, root))}"
        )
    if files:
        return f"There are no pickles in that folder, but {name_some(names, 10)}. {_of_kind(files[0])}"
    return "There are no pickles in that folder."


def _of_kind(path: Path) -> str:
    """The format of a file, and what to do with it."""
    kind = recognise_file(path)
    return f"{path.name!r} is {kind.what}. {kind.remedy}" if kind else f"{path.name!r} is of a kind that is not known."


def _flags(paths: Sequence[Path], every: Sequence[Path], root: Path, files: Mapping[str, Sequence[Path]]) -> str:
    """``--dataset.val 'features_dev_*.pkl'``: the flags that name pickles, by the split in their names."""
    every = [path for path in every if path.is_relative_to(root)]
    flags = []
    for split in ("train", "val", "test", None):
        new = [path for path in paths if split_of_name(path, root) == split]
        if new:
            # One glob for new shards and those that are read already, where there is one.
            old = [path for path in files.get(split or "", ()) if path.is_relative_to(root)]
            both = _pattern([*old, *new], every, root)
            name = both if both and _matched(both, every, root) == {*old, *new} else _pattern(new, every, root)
            flags.append(f"--dataset.{split or 'train (or val, test)'} {as_word(name)}")
    return " and ".join(flags)


def _pattern(paths: Sequence[Path], every: Sequence[Path], root: Path) -> str:
    """The name of one path; the glob that matches several and no other; or else the name of the first."""
    names = [path.relative_to(root).as_posix() for path in paths]
    if len(names) == 1:
        return names[0]
    start = _common(names)
    end = _common([name[len(start) :][::-1] for name in names])[::-1]
    glob = f"{start}*{end}"
    return glob if _matched(glob, every, root) == set(paths) else names[0]


def _matched(glob: str, every: Sequence[Path], root: Path) -> set[Path]:
    return {path for path in every if fnmatchcase(path.relative_to(root).as_posix(), glob)}


def _common(names: Sequence[str]) -> str:
    """The common prefix."""
    return os.path.commonprefix(names)  # noqa: RUF071  # of characters is meant
