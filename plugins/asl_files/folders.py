"""Recordings found in folders: the sign is the folder that a recording lies in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import attrs

from asl_core import Format, Formats, track
from asl_files.entries import Entry, split_named

__all__ = ["FolderContent", "find_recordings", "name_of"]

#: endings of files that lie beside recordings and are none
_BESIDE = (
    ".md", ".txt", ".json", ".toml", ".yaml", ".yml", ".py", ".ipynb", ".png", ".jpg", ".log", ".task", ".tflite",
    ".csv", ".tsv",
)  # fmt: skip


@attrs.define
class FolderContent:
    """What a walk through a folder found."""

    entries: list[Entry] = attrs.field(factory=list)
    formats: Counter[str] = attrs.field(factory=Counter)  #: recordings by format
    of_path: dict[Path, tuple[str, Format]] = attrs.field(factory=dict)
    unknown: list[Path] = attrs.field(factory=list)  #: files that no format recognises
    links: list[Path] = attrs.field(factory=list)  #: links to folders, or out of the folder
    top: Path = attrs.field(factory=Path)  #: the folder whose folders are signs


def find_recordings(root: Path, formats: Formats) -> FolderContent:
    """Every file or folder of a known format below ``root``, in the order that people count in.

    Where all of them lie in one folder of ``root`` and in folders of that, as in an archive that was unpacked, the
    signs are the folders in it.
    """
    content = FolderContent()
    for path, taken in track(formats.walk(root), f"looking through {root.name}"):
        if taken is not None:
            content.formats[taken[0]] += 1
            content.of_path[path] = taken
        elif path.is_symlink():
            content.links.append(path)
        elif not path.name.lower().endswith(_BESIDE):
            content.unknown.append(path)
    content.top = _top(root, list(content.of_path))
    content.entries = [_entry(root, content.top, path) for path in content.of_path]
    return content


def _top(root: Path, paths: Sequence[Path]) -> Path:
    """The folder whose folders are signs or splits."""
    places = [path.relative_to(root).parts for path in paths]
    first = {parts[0] for parts in places}
    nested = len(first) == 1 and all(len(parts) > 2 for parts in places) and len({parts[1] for parts in places}) > 1
    return root / first.pop() if nested and split_named(next(iter(first))) is None else root


def _entry(root: Path, top: Path, path: Path) -> Entry:
    parts = path.relative_to(top).parts
    # A sign may be called "test": a split is a folder of folders of recordings.
    split = split_named(parts[0]) if len(parts) > 2 else None
    folders = parts[1 if split else 0 : -1]
    return Entry(
        id="/".join([*path.relative_to(root).parts[:-1], name_of(path)]),
        path=path,
        glosses=(folders[0],) if folders else (),
        split=split,
        session="/".join(folders[1:]) or None,
    )


def name_of(path: Path) -> str:
    """The name of a recording: that of its folder, or of its file without the ending."""
    if path.is_dir():
        return path.name
    return re.sub(r"\.[A-Za-z0-9]+(\.gz)?$", "", path.name, flags=re.IGNORECASE) or path.name
