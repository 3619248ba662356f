"""The environment of a run, as saved in environment.json.

``git`` is not run for the commit: ``.git/config`` can name programs that it starts (``core.fsmonitor``, hooks,
filters), and the directory may be of unknown origin. So uncommitted changes are not detected.
"""

from __future__ import annotations

import platform
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asl_core.registry.installed import BUILTIN, PLUGINS, installed, installed_version

__all__ = ["commit_of", "environment"]


def environment(fingerprints: Mapping[str, str], device: torch.device) -> dict[str, Any]:
    """Versions, plugins, device, threads, git commit, and the fingerprints of the data."""
    packages = (BUILTIN, "torch", "numpy", "pluggy", "attrs", "cattrs", "click", "safetensors")
    plugins = {f"{one.distribution}:{one.entry.name}": one.version for one in installed(PLUGINS)[0]}
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: installed_version(name) for name in packages},
        "plugins": plugins,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "data": dict(fingerprints),
        "git": commit_of(Path.cwd()),
    }


_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")  # SHA-1 or SHA-256
_REF = re.compile(r"refs(/(?!\.)[^\s\\:?*\[~^/\x00-\x1f\x7f]+)+")  # no part begins with a dot: none is ".."
_SHORT = 4096  #: bytes of a file that holds a reference or a path
_PACKED = 1 << 24  #: bytes of ``packed-refs``, some 200,000 references
_STEPS = 5  #: references that lead to others


def commit_of(folder: Path) -> str | None:
    """The hash of the commit checked out in ``folder`` or a parent; None where git's files do not give it."""
    try:
        for parent in (folder.absolute(), *folder.absolute().parents):
            marker = parent / ".git"
            if marker.is_dir():
                return _head(marker, marker)
            if marker.is_file():  # of a worktree or submodule: names the folder of its data
                inner = _path(parent, _text(marker).removeprefix("gitdir:"))
                common = inner / "commondir"
                return _head(inner, _path(inner, _text(common)) if common.is_file() else inner)
    except (OSError, ValueError):  # the commit is informative only
        pass
    return None


def _head(inner: Path, common: Path) -> str | None:
    """The commit of HEAD in ``inner``; ``common`` holds the references that all worktrees share."""
    content = _text(inner / "HEAD")
    for _ in range(_STEPS):
        if _HASH.fullmatch(content):
            return content
        name = content.removeprefix("ref:").strip()
        if not content.startswith("ref:") or not _REF.fullmatch(name):
            return None
        loose = next((p for p in (inner / name, common / name) if p.is_file()), None)
        if loose is None:
            return _packed(common / "packed-refs", name)
        content = _text(loose)
    return None


def _packed(file: Path, name: str) -> str | None:
    if not file.is_file():
        return None
    for line in _text(file, _PACKED).splitlines():
        commit, _, ref = line.partition(" ")
        if ref.strip() == name and _HASH.fullmatch(commit):
            return commit
    return None


def _path(base: Path, text: str) -> Path:
    return base / text.strip()


def _text(file: Path, most: int = _SHORT) -> str:
    """The text of a regular file.

    Raises:
        OSError: it cannot be read, or is not a regular file.
        ValueError: it is too long, or not text.
    """
    if not stat.S_ISREG(file.stat().st_mode):  # a pipe would block
        raise OSError(f"{file} is not a regular file")
    with file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{file} is longer than {most} bytes")
    return content.decode("utf-8").strip()
