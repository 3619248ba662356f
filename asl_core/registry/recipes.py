"""Recipes: settings that work well together, as TOML files in the folder ``recipes`` of a plugin.

A recipe is a settings file or a curriculum with a name: ``asl run --recipe NAME`` is ``asl run PATH`` of that file, and
a flag beats it. Its first line is a comment that states its purpose.
"""

from __future__ import annotations

import sys
from pathlib import Path

import attrs

from asl_core.errors import ConfigError, nearest
from asl_core.registry.discovery import PluginReport, discover
from asl_core.registry.installed import current_name

__all__ = ["Recipe", "find_recipe", "recipes"]


@attrs.frozen
class Recipe:
    """A recipe of a plugin."""

    name: str
    path: Path
    distribution: str
    summary: str  #: its first line

    @property
    def qualified(self) -> str:
        """``dist:name``, which means this recipe whatever else is installed."""
        return f"{self.distribution}:{self.name}"


def recipes(report: PluginReport | None = None) -> list[Recipe]:
    """Every recipe of every working plugin, in the order of the plugins."""
    report = discover() if report is None else report
    every = []
    for record in report.records:
        module = sys.modules.get(record.module) if record.status == "ok" else None
        for folder in getattr(module, "__path__", ()):
            for path in sorted((Path(folder) / "recipes").glob("*.toml")):
                # A file that is not UTF-8 is refused when it is used; the list must work.
                with path.open(encoding="utf-8-sig", errors="replace") as file:
                    summary = file.readline(500).lstrip("# ").rstrip()
                every.append(Recipe(path.stem, path, record.distribution, summary))
    return every


def find_recipe(name: str, report: PluginReport | None = None) -> Recipe:
    """The recipe of a name, plain or ``dist:name``.

    Raises:
        ConfigError: there is none, or several plugins ship one of that name.
    """
    every = recipes(report)
    matches = [r for r in every if name in (r.name, r.qualified) or current_name(name) == r.qualified]
    if not matches:
        raise ConfigError([f"there is no recipe {name!r}{nearest(name, {r.name for r in every})}"])
    if len(matches) > 1:
        raise ConfigError([f"recipe {name!r} is shipped twice: choose {' or '.join(r.qualified for r in matches)}"])
    return matches[0]
