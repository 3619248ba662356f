"""Settings given by a former name: each gets its current name, and the user one notice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from asl_core.config.sources import Layer, Setting, shown
from asl_core.registry.options import LAST, former_keys, ignored_options

__all__ = ["current_names", "former_notes"]


def current_names(
    layers: Sequence[Layer], classes: Iterable[tuple[str, type]], *, saved: bool = False
) -> tuple[list[Layer], list[str]]:
    """The layers with the current name of every setting; each remembers the former name that it was given by.

    Args:
        layers: weakest first.
        classes: ``(stem, options class)`` of all tables and chosen components.
        saved: whether a run wrote the weakest layer; the user need not hear of the names in it.

    Returns:
        The layers, and a problem for each setting that one layer gives by two names.
    """
    classes = list(classes)
    renamed = former_keys(classes)
    ignored = {f"{stem}.{key}" for stem, cls in classes for key in ignored_options(cls)}
    renewed: list[Layer] = []
    problems = []
    for index, layer in enumerate(layers):
        by_run = saved and index == 0
        current: dict[str, Setting] = {}
        for key, setting in layer.items():
            now = renamed.get(key, key)
            if now == key:
                if not (by_run and key in ignored):
                    current[key] = setting
            elif other := layer.get(now, current.get(now)):
                problems.append(
                    f"{setting.origin}: {shown(key)} is the former name of {shown(now)}, which is given too "
                    f"({other.origin}): leave out {shown(key)}"
                )
            else:
                current[now] = attrs.evolve(setting, former="" if by_run else key)
        renewed.append(current)
    return renewed, problems


def former_notes(settings: Mapping[str, Setting]) -> list[str]:
    """The notice of all settings that were given by a former name; none where there is no such."""
    given = {key: setting for key, setting in settings.items() if setting.former}
    parts = [f"`{shown(s.former)}` is now `{shown(key)}`" for key, s in given.items()]
    if not parts:
        return []
    names = "old name works" if len(parts) == 1 else "old names work"
    origins = ", ".join(dict.fromkeys(str(s.origin) for s in given.values()))
    return [f"{', '.join(parts)}; the {names} until {LAST} ({origins})"]
