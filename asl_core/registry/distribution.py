"""The name of our own distribution: ``asl-core``, which version 0.1 called ``asl``.

``asl`` on the public index is a project of somebody else: whoever depends on that name installs a stranger's package.
The old name is still read in saved configurations, in ``ASL_PLUGINS`` and in the metadata of an old installation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata

__all__ = ["BUILTIN", "FORMER", "canonical", "current_name", "former_requirement", "installed_version", "is_former"]

BUILTIN = "asl-core"  #: the distribution whose components keep their plain names
FORMER = "asl"  #: what it was called in 0.1
_SCRIPT = "asl_core.cli:main"  #: in the entry points of ours, and of nobody else's ``asl``


def canonical(name: str) -> str:
    """``My_Plugin`` and ``my-plugin`` are one name, as they are for pip."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_former(name: str, dist: metadata.Distribution) -> bool:
    """Whether a distribution called ``asl`` is an installation of ours from 0.1, rather than the stranger's."""
    if canonical(name) != FORMER:
        return False
    text = dist.read_text("entry_points.txt") or ""
    return _SCRIPT in text


def current_name(name: str) -> str:
    """``dist:name``, or a name alone, with the distribution as it is called now."""
    dist, colon, rest = name.partition(":")
    return f"{BUILTIN}:{rest}" if colon and canonical(dist) == FORMER else name


def former_requirement(dist: metadata.Distribution | None) -> str | None:
    """The requirement ``asl…`` of a plugin's package, by which pip fetches the stranger's."""
    try:
        requires: Iterable[str] = (dist.requires if dist is not None else None) or ()
    except Exception:  # metadata that cannot be read are told elsewhere
        return None
    return next((r for r in requires if re.fullmatch(r"asl\s*([^\w.\s-].*)?", r.strip(), re.IGNORECASE)), None)


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution; of ours also where it was installed under its old name."""
    for name in (distribution, FORMER) if distribution == BUILTIN else (distribution,):
        try:
            dist = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        try:
            if name != FORMER or is_former(name, dist):
                return dist.version
        except Exception:  # whatever a damaged METADATA makes the standard library raise
            return None
    return None
