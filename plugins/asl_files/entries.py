"""One entry for each recording that a data set knows of, before its file is read."""

from __future__ import annotations

from pathlib import Path

import attrs

from asl_core import DataError

__all__ = ["Entry", "split_named", "within"]

_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@attrs.frozen(kw_only=True)
class Entry:
    """A recording: where it is, and what a folder or a list says of it."""

    id: str
    path: Path
    glosses: tuple[str, ...] = ()
    split: str | None = None
    signer: str | None = None
    session: str | None = None
    start: int = 1  #: first frame, counted from 1
    end: int = -1  #: last frame; -1 to the end
    fps: float | None = None
    member: str | None = None  #: id of the recording within a file that holds several
    where: str = ""  #: file and line that list it
    of_video: bool = False  #: whether its frames are counted in a video, of which the recording may hold a part only


def split_named(word: str) -> str | None:
    """The split that a word means, or None."""
    return _SPLITS.get(word.strip().lower())


def within(root: Path, name: str, where: str) -> Path:
    """The path that a list names, which may not lead out of its folder.

    Raises:
        DataError: it does.
    """
    name = name.replace("\\", "/")  # as Windows writes paths
    path = root / name
    if "\0" in name or not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{where} names {name!r:.100}, which is not in the folder {root}; expected a path within it.")
    return path
