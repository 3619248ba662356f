"""What is installed and what of it is wanted, told from metadata alone: nothing here imports a plugin.

``importlib.metadata.entry_points`` is not used: it fails as a whole when one package's ``entry_points.txt`` is
damaged, and ``asl --help`` has to work even then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import NamedTuple

from asl_core.errors import nearest
from asl_core.registry.distribution import BUILTIN, FORMER, canonical, is_former

__all__ = ["ALLOW", "COMMANDS", "PLUGINS", "Damaged", "Installed", "Wanted", "installed", "unknown_names"]

PLUGINS = "asl.plugins"  #: entry points that name a plugin's module
COMMANDS = "asl.commands"  #: entry points by which a plugin adds a verb of its own
ALLOW = "ASL_PLUGINS"  #: the environment variable that says which plugins are used


class Installed(NamedTuple):
    """An entry point and the package it comes from."""

    entry: metadata.EntryPoint
    distribution: str
    version: str


class Damaged(NamedTuple):
    """A package whose list of entry points cannot be read."""

    distribution: str
    version: str
    reason: str


def installed(group: str) -> tuple[list[Installed], list[Damaged]]:
    """The entry points of a group, sorted by (distribution, name), and the packages that keep theirs from being read.

    Of two copies of a package the one that comes first on ``sys.path`` counts, as it does for ``import``.
    """
    found: dict[str, list[Installed]] = {}
    damaged = []
    former: list[Installed] = []
    for dist in metadata.distributions():
        try:
            text = dist.read_text("entry_points.txt") or ""
            entries = [e for e in dist.entry_points if e.group == group] if f"[{group}]" in text else []
        except Exception as fault:  # whatever a stranger's file makes the standard library raise
            damaged.append(Damaged(*name_and_version(dist), f"{type(fault).__name__}: {fault}"))
            continue
        if entries:
            name, version = name_and_version(dist)
            mine = [Installed(e, name, version) for e in entries]
            if name == BUILTIN and canonical(dist.name) == FORMER:
                former = former or mine  # what an old installation left behind counts only where there is no other
            else:
                found.setdefault(canonical(name), mine)
    if former:
        found.setdefault(BUILTIN, former)
    every = [one for entries in found.values() for one in entries]
    return sorted(every, key=lambda one: (one.distribution, one.entry.name)), sorted(damaged)


def name_and_version(dist: metadata.Distribution | None) -> tuple[str, str]:
    """Of a distribution; an interrupted uninstall leaves entry points without the metadata that name it."""
    try:
        described: Mapping[str, str] = (dist.metadata if dist is not None else None) or {}  # type: ignore[assignment]
        name, version = described.get("Name") or "unknown", described.get("Version") or "0"
        return BUILTIN if dist is not None and is_former(name, dist) else name, version
    except Exception:  # what is raised for a missing file differs between Python versions
        return "unknown", "0"


MERGED = {"layout36": "landmarks"}  #: plugins of earlier versions, and the one that has their components now


class Wanted(NamedTuple):
    """Which plugins are used, as ``ASL_PLUGINS`` says it.

    ``a,b`` allows only these beside the built-ins, ``-a`` (or ``no:a``) blocks one, ``none`` or nothing blocks
    everything foreign, and blocking beats allowing. A name is an entry point's, a distribution's, or both as
    ``distribution:name``.
    """

    allow: tuple[str, ...] | None  #: None where nothing foreign is kept out
    block: tuple[str, ...]

    @classmethod
    def parse(cls, spec: str | None, block: Iterable[str] = ()) -> Wanted:
        """From the variable's text (None: unset) and further names to block."""
        words = [re.sub("^no:", "-", w.strip()) for w in (spec or "").split(",") if w.strip()]
        allow = tuple(w for w in words if not w.startswith("-"))
        blocked = (*(w[1:] for w in words if w.startswith("-")), *block)
        return cls(allow if allow or (spec is not None and not words) else None, tuple(blocked))

    def takes(self, distribution: str, name: str, *, builtin: bool = False) -> bool:
        """Whether the plugin ``name`` of ``distribution`` is used; a built-in is, unless it is blocked itself."""
        names = _names(distribution, name)
        if names & {canonical(w) for w in self.block}:
            return False
        return self.allow is None or builtin or bool(names & {canonical(w) for w in self.allow})

    def unknown(self, there: Iterable[tuple[str, str]]) -> list[str]:
        """What is wrong with names that mean none of the ``(distribution, name)`` that are there."""
        there = list(there)
        known = {n for pair in there for n in _names(*pair)} | {"none"}
        said = {name for pair in there for name in pair}
        return [
            f"{ALLOW} or -P {verb} {word!r}, and no plugin or package of that name is installed{_instead(word, said)}"
            for words, verb in ((self.allow or (), "allows"), (self.block, "blocks"))
            for word in words
            if canonical(word) not in known
        ]


def unknown_names(spec: str | None) -> list[str]:
    """What is wrong with the names in ``ASL_PLUGINS``: those that no installed plugin, verb or package has."""
    wanted = Wanted.parse(spec)
    if not (wanted.allow or wanted.block):
        return []
    there: list[tuple[str, str]] = []
    for group in (PLUGINS, COMMANDS):
        found, damaged = installed(group)
        there += [(one.distribution, one.entry.name) for one in found]
        there += [(package.distribution, package.distribution) for package in damaged]
    return wanted.unknown(there)


def _instead(word: str, names: Iterable[str]) -> str:
    merged = MERGED.get(canonical(word).rpartition(":")[2])
    return f"; it is part of plugin {merged!r} now" if merged else nearest(word, names)


def _names(distribution: str, name: str) -> set[str]:
    """What may be said for a plugin; the old name of our distribution still means the built-ins."""
    dists = [canonical(distribution)] + ([FORMER] if distribution == BUILTIN else [])
    return {canonical(name), *dists, *(f"{d}:{canonical(name)}" for d in dists)}
