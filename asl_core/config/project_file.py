"""``asl.toml`` of the working folder: it is used without being named, and may be a stranger's, as the folder may.

So the first screen says what it sets, and it names no file outside of the folder. A user who means such a file names it
by a flag, or names ``asl.toml`` itself (``asl run asl.toml``), which is then a file like any other.
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
_ENTRIES = 100_000  #: of a folder that are looked at


def project_layer() -> Layer:
    """What ``asl.toml`` says; nothing where there is none.

    Raises:
        ConfigError: it is not TOML.
    """
    return merged_layer(file_layers(PROJECT_FILE, Kind.PROJECT)) if PROJECT_FILE.is_file() else {}


def project_note(origins: Mapping[str, Origin]) -> list[str]:
    """What is to be said of the settings that came from it."""
    keys = [shown(key) for key, origin in origins.items() if origin.kind is Kind.PROJECT]
    return [f"{PROJECT_FILE} of this folder is used; it sets {shortened(keys, 12)}"] if keys else []


def outside(project: Layer, stronger: Iterable[Layer]) -> list[str]:
    """A fault for each setting of the file that leads out of its folder, unless a stronger layer replaces it."""
    replaced = {key for layer in stronger for key in layer}
    root = project.get("dataset.root")
    # Names of files may be relative to the data set's root, too.
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
                f"without being named, and may name files of its own folder alone. If you mean it, type `{flag}`, or "
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
    """How a text, taken as a path below one of the bases, leads out of the working folder; None where it does not."""
    if not text or len(text) > 4096 or "\0" in text:
        return None
    windows = PureWindowsPath(text)
    if windows.drive or text.startswith(("/", "\\", "~")):
        return "a path of its own outside of this folder"
    if ".." in windows.parts:
        return "which leads out of this folder by .."
    try:
        inside = os.path.realpath(Path.cwd())
        for path in (p for base in bases for p in _meant(base / text)):
            real = os.path.realpath(path)
            if real != inside and not real.startswith(inside.rstrip(os.sep) + os.sep):
                return f"and {path} is a link that leads out of this folder"
    except (OSError, ValueError):  # no path at all, such as a name of 5,000 letters
        return None
    return None


def _meant(path: Path) -> Iterator[Path]:
    """A path, the files that it is a pattern of, and the links in it: what they lead to is what would be read."""
    yield path
    for found in itertools.islice(glob.iglob(str(path)), _ENTRIES):  # noqa: PTH207 - of any path, absolute or not
        yield Path(found)
    if path.is_dir():
        with os.scandir(path) as entries:
            for entry in itertools.islice(entries, _ENTRIES):
                if entry.is_symlink():
                    yield Path(entry.path)
