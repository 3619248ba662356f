"""``asl.toml`` of the working directory: used without being named, and possibly of unknown origin.

So the first screen lists what it sets, and it may not name files outside of the directory. To use such a file, name it
by a flag, or name ``asl.toml`` itself (``asl run asl.toml``), which is then an ordinary settings file.
"""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from asl_core.config.extends import file_layers, merged_layer
from asl_core.config.origins import Kind, Origin
from asl_core.config.sources import Layer, shown
from asl_core.errors import as_word
from asl_core.text import shortened

__all__ = ["PROJECT_FILE", "outside", "project_layer", "project_note"]

PROJECT_FILE = Path("asl.toml")
_ENTRIES = 100_000  #: of a folder that are examined


def project_layer() -> Layer:
    """The settings of ``asl.toml``, if it exists.

    Raises:
        ConfigError: it is not TOML.
    """
    return merged_layer(file_layers(PROJECT_FILE, Kind.PROJECT)) if PROJECT_FILE.is_file() else {}


def project_note(origins: Mapping[str, Origin]) -> list[str]:
    """A note that lists the settings from it."""
    keys = [shown(key) for key, origin in origins.items() if origin.kind is Kind.PROJECT]
    return [f"{PROJECT_FILE} of this folder is used; it sets {shortened(keys, 12)}"] if keys else []


def outside(project: Layer, stronger: Iterable[Layer]) -> list[str]:
    """A problem for each setting that leads out of the directory, unless a stronger layer replaces it."""
    replaced = {key for layer in stronger for key in layer}
    root = project.get("dataset.root")
    # File names may also be relative to the data set's root.
    bases = (Path(), *([Path(root.value)] if root is not None and isinstance(root.value, str) else []))
    problems = []
    for key, setting in project.items():
        if key in replaced:
            continue
        reason = next((r for text in _texts(setting.value) if (r := _leads_out(text, bases))), None)
        if reason is not None:
            flag = f"--{shown(key)} {as_word(setting.value) if isinstance(setting.value, str) else '…'}"
            problems.append(
                f"{setting.origin}: {shown(key)} is {_shortened(setting.value)}, {reason}; {PROJECT_FILE} is used "
                f"without being named, and may name files in its folder only. If it is intended, type `{flag}`, or "
                f"name the file: `asl run {PROJECT_FILE}`"
            )
    return problems


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from dict.fromkeys((value, value.partition(":")[2], value.partition("=")[2]))  # LOADER:PATH, NAME=PATH
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _leads_out(text: str, bases: Iterable[Path]) -> str | None:
    """How a text, as a path below one of the bases, leads out of the working directory; None where it does not."""
    if not text or len(text) > 4096 or "\0" in text:
        return None
    windows = PureWindowsPath(text)
    if windows.drive or text.startswith(("/", "\\", "~")):
        return "an absolute path"
    if ".." in windows.parts:
        return "which leads out of this folder by .."
    try:
        inside = os.path.realpath(Path.cwd())
        for path in (p for base in bases for p in _meant(base / text)):
            real = os.path.realpath(path)
            if real != inside and not real.startswith(inside.rstrip(os.sep) + os.sep):
                return f"and {path} is a link that leads out of this folder"
    except (OSError, ValueError):  # not a path, such as a name of 5,000 letters
        return None
    return None


def _meant(path: Path) -> Iterator[Path]:
    """A path, the files that it matches as a pattern, and the links in it, whose targets would be read."""
    yield path
    for match in itertools.islice(glob.iglob(str(path)), _ENTRIES):  # noqa: PTH207 - also of absolute paths
        yield Path(match)
    if path.is_dir():
        with os.scandir(path) as entries:
            for entry in itertools.islice(entries, _ENTRIES):
                if entry.is_symlink():
                    yield Path(entry.path)
