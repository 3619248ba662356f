"""Plugins in isolation: the built-ins and the given plugins, whatever else is installed or in the environment."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import attrs

from asl_core.errors import UsageError, nearest
from asl_core.files.toml_file import read_toml
from asl_core.registry.discovery import PluginReport, discover
from asl_core.registry.installed import BUILTIN, FORMER, PLUGINS, canonical, installed

__all__ = ["PluginPackage", "isolated", "locate"]


@attrs.frozen
class PluginPackage:
    """A package with plugins, installed or not."""

    name: str  #: of the distribution, or of the module where there is none
    entry_points: tuple[metadata.EntryPoint, ...]
    roots: tuple[Path, ...] = ()  #: folders that must be on sys.path to import it
    chosen: tuple[str, ...] = ()  #: names of the entry points to check; empty for all

    def checks(self, name: str) -> bool:
        """Whether an entry point is to be checked."""
        return not self.chosen or name in self.chosen

    @contextmanager
    def importable(self) -> Iterator[None]:
        """With its folders on sys.path."""
        added = [str(r) for r in self.roots]
        sys.path[:0] = added
        try:
            yield
        finally:
            for folder in added:
                with suppress(ValueError):  # a plugin may have changed it
                    sys.path.remove(folder)


def isolated(*plugins: str | os.PathLike[str] | PluginPackage, builtins: bool = True) -> PluginReport:
    """The report as if only the built-ins and these plugins were installed; the environment is ignored.

    Args:
        plugins: as :func:`locate` takes them. The source of one that is not installed must be on sys.path.
        builtins: whether to include the built-in components.

    Raises:
        UsageError: there is no such plugin.
    """
    packages = [p if isinstance(p, PluginPackage) else locate(p) for p in plugins]
    entries = [e for package in packages for e in package.entry_points]
    if builtins and not any(package.name == BUILTIN for package in packages):
        entries += _packages().get(BUILTIN, [])
    return discover(entries, {})


def locate(plugin: str | os.PathLike[str]) -> PluginPackage:
    """The package of a plugin.

    Args:
        plugin: a folder with a ``pyproject.toml``, installed or not; or the name of an installed distribution or of
            an entry point of the group ``asl.plugins``; or a module that can be imported and marks hooks. Nothing is
            imported here.

    Raises:
        UsageError: it is none of these.
    """
    text, path = os.fspath(plugin), Path(plugin)
    if path.is_dir() and (path / "pyproject.toml").is_file():
        return _source(path.resolve())
    packages = _packages()
    for name, entries in packages.items():
        if canonical(text) in _names_of(name):
            return PluginPackage(name, tuple(entries))
    named = [
        (name, e)
        for name, entries in packages.items()
        for e in entries
        if {text, canonical(text)} & _names_for(name, e)
    ]
    if len(owners := dict.fromkeys(name for name, _ in named)) > 1:
        choices = " or ".join(f"{name}:{entry.name}" for name, entry in named)
        raise UsageError(f"{text!r} is a plugin of {len(owners)} packages: say {choices}.")
    if named:
        return PluginPackage(named[0][0], tuple(packages[named[0][0]]), chosen=tuple(e.name for _, e in named))
    if text.isidentifier() and (spec := importlib.util.find_spec(text)) is not None:
        if not _marks_hooks(spec):
            raise UsageError(
                f"{text!r} is a module ({spec.origin or 'without a file'}) and no plugin: nothing in it is marked with "
                f"@asl_core.hookimpl, so it is not imported. Expected a folder with a pyproject.toml, an installed "
                f"package with an entry point of the group {PLUGINS}, or a module that marks hooks."
            )
        return PluginPackage(text, tuple(_Described(text, "0", {text: text}).entry_points))
    if path.is_dir():
        raise UsageError(
            f"{path} has no pyproject.toml, which lists the entry points; expected the folder of a package."
        )
    known = {*packages, *(e.name for entries in packages.values() for e in entries)}
    raise UsageError(
        f"there is no plugin {text!r}: neither a folder with a pyproject.toml, nor an installed package with an entry "
        f"point of the group {PLUGINS}{nearest(text, known)}. Give the folder of its source, or install it first."
    )


def _names_for(distribution: str, entry: metadata.EntryPoint) -> set[str]:
    """The names of one plugin of a package: its own, its module's, ``distribution:name``."""
    module = entry.value.partition(":")[0]
    names = {entry.name, canonical(entry.name), canonical(entry.name).replace("-", "_")}
    return {module, *names, *(f"{d}:{n}" for d in (distribution, *_names_of(distribution)) for n in names)}


def _marks_hooks(spec: ModuleSpec) -> bool:
    """Whether the source of a module, or of a file of its package, contains ``hookimpl``."""
    files = [Path(spec.origin)] if spec.origin is not None and spec.has_location else []
    for folder in spec.submodule_search_locations or ():
        files += sorted(Path(folder).rglob("*.py"))
    return any("hookimpl" in f.read_text(encoding="utf-8", errors="ignore") for f in files if f.suffix == ".py")


def _packages() -> dict[str, list[metadata.EntryPoint]]:
    """The plugins of every installed distribution, by its name."""
    packages: dict[str, list[metadata.EntryPoint]] = {}
    for one in installed(PLUGINS)[0]:
        packages.setdefault(one.distribution, []).append(one.entry)
    return packages


def _names_of(distribution: str) -> tuple[str, ...]:
    """The names of a distribution, old ones included."""
    return (canonical(distribution), *((FORMER,) if distribution == BUILTIN else ()))


class _Described(metadata.Distribution):
    """A distribution that is not installed."""

    def __init__(self, name: str, version: str, plugins: Mapping[str, str], requires: Iterable[str] = ()):
        lines = [f"{key} = {value}" for key, value in plugins.items()]
        self._texts = {
            "METADATA": "\n".join(
                [
                    "Metadata-Version: 2.1",
                    f"Name: {name}",
                    f"Version: {version}",
                    *(f"Requires-Dist: {r}" for r in requires),
                ]
            ),
            "entry_points.txt": "\n".join([f"[{PLUGINS}]", *lines]),
        }

    def read_text(self, filename: str) -> str | None:
        return self._texts.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Any:
        return Path(path)


def _source(folder: Path) -> PluginPackage:
    """A package from its pyproject.toml.

    Raises:
        UsageError: not TOML, without plugins, or the modules it names do not exist.
    """
    file = folder / "pyproject.toml"
    content = read_toml(file, "[project], as a package's pyproject.toml").values
    project = content.get("project", {})
    plugins = project.get("entry-points", {}).get(PLUGINS, {})
    if not plugins:
        raise UsageError(
            f'{file} names no plugin; expected [project.entry-points."{PLUGINS}"] with NAME = "module". A package '
            f"that declares its entry points elsewhere must be installed: then give its name."
        )
    roots: dict[Path, None] = {}
    for name, value in plugins.items():
        top = value.partition(":")[0].partition(".")[0]
        modules = (Path(top) / "__init__.py", Path(f"{top}.py"))
        with_module = [r for r in _roots(folder, content) if any((r / m).is_file() for m in modules)]
        if not with_module:
            raise UsageError(
                f"{file}: plugin {name!r} is the module {value!r}, and there is no {top} in the folder, its src, or "
                f"where the file says its packages are; expected src/{top}/__init__.py."
            )
        roots[with_module[0]] = None
    name, version = project.get("name", folder.name), str(project.get("version", "0"))
    described = _Described(name, version, plugins, map(str, project.get("dependencies", [])))
    return PluginPackage(described.name, tuple(described.entry_points), tuple(roots))


def _roots(folder: Path, content: Mapping[str, Any]) -> list[Path]:
    """Folders that may have the top-level modules of a project: src, the project, and those of its build back end."""
    tool = content.get("tool", {})
    wheel = tool.get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    named = [str(Path(p).parent) for p in wheel.get("packages", [])]
    setuptools = tool.get("setuptools", {})
    packages = setuptools.get("packages")
    named += packages.get("find", {}).get("where", []) if isinstance(packages, dict) else []
    named += [v for k, v in setuptools.get("package-dir", {}).items() if k == ""]
    return [folder / part for part in dict.fromkeys(["src", ".", *named])]
