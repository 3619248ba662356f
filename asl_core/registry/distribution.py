"""The name of our own distribution: ``asl-core``, which version 0.1 called ``asl``.

``asl`` on the public index is an unrelated project: a requirement of that name installs somebody else's package. The
old name is still accepted in saved configurations, in ``ASL_PLUGINS`` and in the metadata of an old installation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata

__all__ = ["BUILTIN", "FORMER", "canonical", "current_name", "former_requirement", "installed_version", "is_former"]

BUILTIN = "asl-core"  #: the distribution of the built-in plugins
FORMER = "asl"  #: its name in 0.1
_SCRIPT = "asl_core.cli:main"  #: the entry point that tells our ``asl`` from the unrelated one


def canonical(name: str) -> str:
    """``My_Plugin`` and ``my-plugin`` are one name, as they are for pip."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_former(name: str, dist: metadata.Distribution) -> bool:
    """Whether a distribution called ``asl`` is our version 0.1, and not the unrelated project."""
    if canonical(name) != FORMER:
        return False
    text = dist.read_text("entry_points.txt") or ""
    return _SCRIPT in text


def current_name(name: str) -> str:
    """``dist:name``, or a plain name, with the current name of the distribution."""
    dist, colon, rest = name.partition(":")
    return f"{BUILTIN}:{rest}" if colon and canonical(dist) == FORMER else name


def former_requirement(dist: metadata.Distribution | None) -> str | None:
    """The requirement ``asl…`` of a plugin's package, for which pip would install the unrelated project."""
    try:
        requires: Iterable[str] = (dist.requires if dist is not None else None) or ()
    except Exception:  # unreadable metadata are reported elsewhere
        return None
    return next((r for r in requires if re.fullmatch(r"asl\s*([^\w.\s-].*)?", r.strip(), re.IGNORECASE)), None)


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution; ours also under its old name."""
    for name in (distribution, FORMER) if distribution == BUILTIN else (distribution,):
        try:
            dist = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        try:
            if name != FORMER or is_former(name, dist):
                return dist.version
        except Exception:  # the standard library raises many kinds for a damaged METADATA
            return None
    return None
