"""Packages and plugins that are installed, and plugins that are used; from metadata alone, without importing any.

``importlib.metadata.entry_points`` is not used: it fails when one package's ``entry_points.txt`` is damaged, and ``asl
--help`` must work even then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import NamedTuple

from asl_core.errors import nearest

__all__ = [
    "ALLOW", "BUILTIN", "COMMANDS", "FORMER", "PLUGINS", "Damaged", "Installed", "Wanted", "canonical",
    "current_name", "former_requirement", "installed", "installed_version", "is_former", "unknown_names",
]  # fmt: skip

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


PLUGINS = "asl.plugins"  #: group of entry points that name plugin modules
COMMANDS = "asl.commands"  #: group of entry points that add verbs
ALLOW = "ASL_PLUGINS"  #: environment variable that selects plugins


class Installed(NamedTuple):
    """An entry point and its package."""

    entry: metadata.EntryPoint
    distribution: str
    version: str


class Damaged(NamedTuple):
    """A package whose list of entry points cannot be read."""

    distribution: str
    version: str
    reason: str


def installed(group: str) -> tuple[list[Installed], list[Damaged]]:
    """The entry points of a group, sorted by (distribution, name), and the packages whose entry points are unreadable.

    Of two copies of a package the first on ``sys.path`` counts, as for ``import``.
    """
    packages: dict[str, list[Installed]] = {}
    damaged = []
    former: list[Installed] = []
    for dist in metadata.distributions():
        try:
            text = dist.read_text("entry_points.txt") or ""
            entries = [e for e in dist.entry_points if e.group == group] if f"[{group}]" in text else []
        except Exception as fault:  # the standard library raises many kinds for damaged files
            damaged.append(Damaged(*name_and_version(dist), f"{type(fault).__name__}: {fault}"))
            continue
        if entries:
            name, version = name_and_version(dist)
            mine = [Installed(e, name, version) for e in entries]
            if name == BUILTIN and canonical(dist.name) == FORMER:
                former = former or mine  # left by an old installation: counts only where there is no new one
            else:
                packages.setdefault(canonical(name), mine)
    if former:
        packages.setdefault(BUILTIN, former)
    every = [one for entries in packages.values() for one in entries]
    return sorted(every, key=lambda one: (one.distribution, one.entry.name)), sorted(damaged)


def name_and_version(dist: metadata.Distribution | None) -> tuple[str, str]:
    """Of a distribution, or ``unknown``: an interrupted uninstall can leave entry points without metadata."""
    try:
        described: Mapping[str, str] = (dist.metadata if dist is not None else None) or {}  # type: ignore[assignment]
        name, version = described.get("Name") or "unknown", described.get("Version") or "0"
        return BUILTIN if dist is not None and is_former(name, dist) else name, version
    except Exception:  # differs between Python versions
        return "unknown", "0"


MERGED = {"layout36": "landmarks"}  #: plugins of earlier versions, and the one that has their components now


class Wanted(NamedTuple):
    """Which plugins are used, from ``ASL_PLUGINS``.

    ``a,b`` allows only these besides the built-ins, ``-a`` (or ``no:a``) blocks one, ``none`` or an empty text blocks
    all third-party plugins; blocking beats allowing. A name is that of an entry point, a distribution, or both as
    ``distribution:name``.
    """

    allow: tuple[str, ...] | None  #: None allows all
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

    def unknown(self, pairs: Iterable[tuple[str, str]]) -> list[str]:
        """A problem for each name that matches none of the installed ``(distribution, name)``."""
        pairs = list(pairs)
        known = {n for pair in pairs for n in _names(*pair)} | {"none"}
        plain = {name for pair in pairs for name in pair}
        return [
            f"{ALLOW} or -P {verb} {word!r}, and no plugin or package of that name is installed{_instead(word, plain)}"
            for words, verb in ((self.allow or (), "allows"), (self.block, "blocks"))
            for word in words
            if canonical(word) not in known
        ]


def unknown_names(spec: str | None) -> list[str]:
    """A problem for each name in ``ASL_PLUGINS`` that no installed plugin, verb or package has."""
    wanted = Wanted.parse(spec)
    if not (wanted.allow or wanted.block):
        return []
    plugins: list[tuple[str, str]] = []
    for group in (PLUGINS, COMMANDS):
        entries, damaged = installed(group)
        plugins += [(one.distribution, one.entry.name) for one in entries]
        plugins += [(package.distribution, package.distribution) for package in damaged]
    return wanted.unknown(plugins)


def _instead(word: str, names: Iterable[str]) -> str:
    merged = MERGED.get(canonical(word).rpartition(":")[2])
    return f"; it is part of plugin {merged!r} now" if merged else nearest(word, names)


def _names(distribution: str, name: str) -> set[str]:
    """The names of a plugin; the old name of our distribution still means the built-ins."""
    dists = [canonical(distribution)] + ([FORMER] if distribution == BUILTIN else [])
    return {canonical(name), *dists, *(f"{d}:{canonical(name)}" for d in dists)}
