"""Recordings found in folders: the sign is the folder that a recording lies in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import attrs

from asl_core import Format, Formats, track
from asl_files.entries import Entry, split_named

__all__ = ["FolderContent", "find_recordings"]

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
    outside: list[Path] = attrs.field(factory=list)  #: links that lead out of the folder


def find_recordings(root: Path, formats: Formats) -> FolderContent:
    """Every file or folder of a known format below ``root``, in the order that people count in."""
    folder, inside = FolderContent(), root.resolve()
    for path, taken in track(formats.walk(root), f"looking through {root.name}"):
        if taken is not None:
            folder.formats[taken[0]] += 1
            folder.of_path[path] = taken
            folder.entries.append(_entry(root, path))
        elif path.is_symlink() and not path.resolve().is_relative_to(inside):
            folder.outside.append(path)
        elif not path.name.lower().endswith(_BESIDE):
            folder.unknown.append(path)
    return folder


def _entry(root: Path, path: Path) -> Entry:
    parts = list(path.relative_to(root).parts)
    split = split_named(parts[0]) if len(parts) > 1 else None
    folders = parts[1 if split else 0 : -1]
    stem = path.name if path.is_dir() else path.name.split(".")[0] or path.stem
    return Entry(
        id="/".join([*parts[:-1], stem]),
        path=path,
        glosses=(folders[0],) if folders else (),
        split=split,
        session="/".join(folders[1:]) or None,
    )
