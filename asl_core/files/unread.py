"""Files beside those that a data set reads, so that a split under another name is reported."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

__all__ = ["split_of_name", "unread_files"]

_MOST = 20_000  #: entries of a folder that are listed: it may be a home directory
#: words in names of files and folders -> split, the more certain first
_WORDS = {
    "val": ("val", "dev", "valid", "validation", "devel"),
    "test": ("test", "tst", "testing", "eval", "evaluation"),
    "train": ("train", "training", "trn", "tr"),
}


def unread_files(folder: Path, read: Collection[Path], endings: Collection[str]) -> list[Path]:
    """Unread files with a known ending in a folder and its subfolders, sorted.

    Args:
        folder: of the data set.
        read: the files that it reads.
        endings: in lower case with their dot, such as ``.pkl`` and ``.pkl.gz``.
    """
    known = {path.resolve() for path in read}
    unread: list[Path] = []
    left = _MOST
    waiting = [folder]
    for current in waiting:
        try:
            entries = sorted(current.iterdir())
        except OSError:
            continue  # a run could not read it either
        for path in entries:
            left -= 1
            if left < 0:
                return unread
            if path.is_dir():
                if current == folder and not path.name.startswith("."):
                    waiting.append(path)
            elif path.name.lower().endswith(tuple(endings)) and path.resolve() not in known:
                unread.append(path)
    return unread


def split_of_name(path: Path, folder: Path) -> str | None:
    """The split that the name of a file, or else of its folder, contains: train, val or test."""
    for part in reversed(path.relative_to(folder).parts):
        words = re.split(r"[^a-z]+", part.lower())
        for split, names in _WORDS.items():
            if any(name in words for name in names):
                return split
    return None
