"""Files beside those that a data set reads: a split under another name must not be passed over without a word."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

__all__ = ["split_of_name", "unread_files"]

_MOST = 20_000  #: entries of a folder that are looked at: it may be anybody's home
#: words in names of files and folders that say which split they hold, the surer first
_WORDS = {
    "val": ("val", "dev", "valid", "validation", "devel"),
    "test": ("test", "tst", "testing", "eval", "evaluation"),
    "train": ("train", "training", "trn", "tr"),
}


def unread_files(folder: Path, read: Collection[Path], endings: Collection[str]) -> list[Path]:
    """Files of a folder and of the folders in it that have a known ending and are not read, sorted.

    Args:
        folder: of the data set.
        read: the files that it reads.
        endings: in small letters with their dot, such as ``.pkl`` and ``.pkl.gz``.
    """
    known = {path.resolve() for path in read}
    found: list[Path] = []
    left = _MOST
    waiting = [folder]
    for place in waiting:
        try:
            entries = sorted(place.iterdir())
        except OSError:
            continue  # a folder that may not be read holds nothing that a run could read either
        for path in entries:
            left -= 1
            if left < 0:
                return found
            if path.is_dir():
                if place == folder and not path.name.startswith("."):
                    waiting.append(path)
            elif path.name.lower().endswith(tuple(endings)) and path.resolve() not in known:
                found.append(path)
    return found


def split_of_name(path: Path, folder: Path) -> str | None:
    """The split that the name of a file, or else of the folder it lies in, speaks of: train, val or test."""
    for part in reversed(path.relative_to(folder).parts):
        words = re.split(r"[^a-z]+", part.lower())
        for split, names in _WORDS.items():
            if any(name in words for name in names):
                return split
    return None
