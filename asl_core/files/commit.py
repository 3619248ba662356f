"""The commit of the working folder, read from git's own files.

``git`` itself is not run: ``.git/config`` may name programs that it starts (``core.fsmonitor``, hooks, filters), and
the folder may be a stranger's. So whether files differ from the commit is not known here.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

__all__ = ["commit_of"]

_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")  # SHA-1 or SHA-256
_REF = re.compile(r"refs(/(?!\.)[^\s\\:?*\[~^/\x00-\x1f\x7f]+)+")  # no part begins with a dot: none is ".."
_SHORT = 4096  #: bytes of a file that holds a reference or a path
_PACKED = 1 << 24  #: bytes of ``packed-refs``, some 200,000 references
_STEPS = 5  #: references that lead to others


def commit_of(folder: Path) -> str | None:
    """The hash of what is checked out in ``folder`` or one above it; None where git's files do not say it."""
    try:
        for place in (folder.absolute(), *folder.absolute().parents):
            marker = place / ".git"
            if marker.is_dir():
                return _head(marker, marker)
            if marker.is_file():  # of a worktree or a submodule: a line that says where the rest is
                inner = _path(place, _text(marker).removeprefix("gitdir:"))
                common = inner / "commondir"
                return _head(inner, _path(inner, _text(common)) if common.is_file() else inner)
    except (OSError, ValueError):  # the commit is a note; nothing depends on it
        pass
    return None


def _head(inner: Path, common: Path) -> str | None:
    """What HEAD of ``inner`` comes to; ``common`` holds the references that all worktrees share."""
    said = _text(inner / "HEAD")
    for _ in range(_STEPS):
        if _HASH.fullmatch(said):
            return said
        name = said.removeprefix("ref:").strip()
        if not said.startswith("ref:") or not _REF.fullmatch(name):
            return None
        loose = next((p for p in (inner / name, common / name) if p.is_file()), None)
        if loose is None:
            return _packed(common / "packed-refs", name)
        said = _text(loose)
    return None


def _packed(file: Path, name: str) -> str | None:
    if not file.is_file():
        return None
    for line in _text(file, _PACKED).splitlines():
        found, _, ref = line.partition(" ")
        if ref.strip() == name and _HASH.fullmatch(found):
            return found
    return None


def _path(base: Path, text: str) -> Path:
    return base / text.strip()


def _text(file: Path, most: int = _SHORT) -> str:
    """The text of a regular file.

    Raises:
        OSError: it cannot be read, or is no file.
        ValueError: it is longer than such a file is, or no text.
    """
    if not stat.S_ISREG(file.stat().st_mode):  # a pipe would be waited for
        raise OSError(f"{file} is no file")
    with file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{file} is longer than {most} bytes")
    return content.decode("utf-8").strip()
