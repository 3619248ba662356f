"""Recordings found in folders: the sign is the folder that a recording lies in."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs

from asl_core import Format, Formats
from asl_files.entries import Entry, natural, split_named

__all__ = ["Found", "find_recordings"]

#: files that lie beside recordings and are none
_BESIDE = (
    ".md",
    ".txt",
    ".json",
    ".toml",
    ".yaml",
    ".yml",
    ".py",
    ".ipynb",
    ".png",
    ".jpg",
    ".log",
    ".task",
    ".tflite",
)
_DEEPEST = 12  #: folders below one another


@attrs.define
class Found:
    """What a walk through a folder found."""

    entries: list[Entry] = attrs.field(factory=list)
    formats: Counter[str] = attrs.field(factory=Counter)  #: recordings by format
    of_path: dict[Path, tuple[str, Format]] = attrs.field(factory=dict)
    unknown: list[Path] = attrs.field(factory=list)  #: files that no format recognises
    outside: list[Path] = attrs.field(factory=list)  #: links that lead out of the folder


def find_recordings(root: Path, formats: Formats, only: Format | None, name: str) -> Found:
    """Every file or folder of a known format below ``root``, in the order that people count in.

    Args:
        root: of the data set.
        formats: to ask.
        only: the format that all recordings have, where the user says so.
        name: of that format.
    """
    found = Found()
    for path in _walk(root, root.resolve(), found, 0):
        taker = (name, only) if only is not None and _takes(only, path) else None
        if only is None:
            taker = formats.of(path)
        if taker is not None:
            found.formats[taker[0]] += 1
            found.of_path[path] = taker
            found.entries.append(_entry(root, path))
        elif path.is_dir():
            continue
        elif not path.name.lower().endswith(_BESIDE) and not path.name.lower().endswith(".csv"):
            found.unknown.append(path)
    return found


def _takes(only: Format, path: Path) -> bool:
    suffixes = tuple(getattr(only, "suffixes", ()))
    named = path.is_dir() or not suffixes or path.name.lower().endswith(suffixes)
    return named and only.recognises(path)


def _walk(folder: Path, inside: Path, found: Found, depth: int) -> Iterator[Path]:
    """Folders and files below a folder; what lies in a folder that turns out to be a recording is not looked at."""
    with os.scandir(folder) as scan:
        listed = sorted(scan, key=lambda entry: natural(entry.name))
    for entry in listed:
        if entry.name.startswith((".", "__MACOSX")):
            continue
        path = Path(entry.path)
        if entry.is_symlink() and not path.resolve().is_relative_to(inside):
            found.outside.append(path)
            continue
        if not entry.is_dir():
            yield path
            continue
        yield path
        if path not in found.of_path and depth < _DEEPEST:
            yield from _walk(path, inside, found, depth + 1)


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
