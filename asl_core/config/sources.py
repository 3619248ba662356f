"""Where settings come from: files, environment and flags as layers of dotted keys, each with its origin.

``[encoder] hidden-size = 256`` in a file, ``ASL_RUN__ENCODER__HIDDEN_SIZE=256`` in the environment and
``--encoder.hidden-size 256`` on the command line are all the key ``encoder.hidden-size``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.config.origins import Kind, Origin
from asl_core.errors import ConfigError
from asl_core.files.toml_file import Place, TomlFile, read_toml

__all__ = [
    "ENV_PREFIX",
    "LIST_SLOTS",
    "Layer",
    "Setting",
    "almost_settings",
    "env_layer",
    "flag_layer",
    "merge",
    "shown",
    "table_layer",
    "toml_layer",
    "value_layer",
]

ENV_PREFIX = "ASL_RUN__"
LIST_SLOTS = ("transform", "augment", "observer")  #: slots that take several components, in order


@attrs.frozen
class Setting:
    """One value and where it was set."""

    value: Any
    origin: Origin  #: reads "flag --epochs", "asl.toml line 3", "default"
    text: bool = False  #: whether ``value`` is still text, to be read as the option's type
    former: str = ""  #: the former key that the user gave, where the setting has a new one


Layer = Mapping[str, Setting]


def flag_layer(flags: Mapping[str, str], spelled: Mapping[str, str] | None = None) -> Layer:
    """Settings from the command line; ``spelled`` gives the flag as the user typed it."""
    spelled = spelled or {}
    return {
        _canonical(k): Setting(_names(_canonical(k), v), Origin(Kind.FLAG, spelled.get(k, f"--{k}")), text=True)
        for k, v in flags.items()
    }


def value_layer(values: Mapping[str, Any], origin: Origin | str) -> Layer:
    """Settings from a script or a component's suggestions: dotted keys to typed values.

    ``{"encoder": "gru"}`` is short for ``{"encoder.name": "gru"}``; tables may be nested; paths become text and numpy's
    scalars Python's. An origin given as text names a script or program.
    """
    origin = Origin(Kind.SCRIPT, origin) if isinstance(origin, str) else origin
    return {key: Setting(_plain_value(value), origin) for key, value in flatten(values)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    item = getattr(value, "item", None)  # numpy's scalars, without importing numpy
    return item() if callable(item) and getattr(value, "shape", None) == () else value


def env_layer(environ: Mapping[str, str], known: Mapping[str, str] | None = None) -> Layer:
    """Settings from ``ASL_RUN__TRAIN__EPOCHS=5`` and from variables that options name (``ASL_DATA``).

    Args:
        environ: the process's environment.
        known: variable -> dotted key, for those that options name.
    """
    layer = {}
    for name, value in environ.items():
        if name.startswith(ENV_PREFIX):
            key = _canonical(name.removeprefix(ENV_PREFIX).lower().replace("__", ".").replace("_", "-"))
            layer[key] = Setting(_names(key, value), Origin(Kind.ENVIRONMENT, name), text=True)
    for name, key in (known or {}).items():
        if environ.get(name):
            layer[key] = Setting(environ[name], Origin(Kind.ENVIRONMENT, name), text=True)
    return layer


def almost_settings(environ: Mapping[str, str]) -> list[str]:
    """A problem for each variable that lacks ``RUN__``, such as ``ASL_TRAIN__EPOCHS``, and would have no effect."""
    return [
        f"{name}: no such variable; settings are given as {ENV_PREFIX}{name.removeprefix('ASL_')}"
        for name in environ
        if re.match(r"ASL_[A-Z0-9]+__", name) and not name.startswith(ENV_PREFIX)
    ]


def toml_layer(path: Path) -> Layer:
    """Settings from a TOML file, each with its line.

    Raises:
        ConfigError: the file is missing or is not TOML.
    """
    content = read_toml(path)
    return table_layer(content.values, content, path)


def table_layer(
    table: Mapping[str, Any], content: TomlFile, path: Path, above: Place = (), part: str = "", kind: Kind = Kind.FILE
) -> Layer:
    """Settings from one table of a TOML file, each with its line.

    Args:
        table: of the file.
        content: of the whole file.
        path: of the file.
        above: place of the table in the file.
        part: name of the table, for settings whose line is not known.
        kind: of the file.

    Raises:
        ConfigError: the tables are nested deeper than any setting is.
    """
    lines: dict[str, int] = {}
    for position, line in content.lines.items():
        if position[: len(above)] == above:
            lines.setdefault(_canonical(".".join(map(str, position[len(above) :]))), line)
    try:
        settings = dict(flatten(table))
    except ConfigError as fault:
        raise ConfigError([f"{path}: {p}" for p in fault.problems]) from fault
    return {k: Setting(v, Origin.of_file(path, lines.get(k), kind=kind, part=part)) for k, v in settings.items()}


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested tables as ``(dotted key, value)``.

    Raises:
        ConfigError: they are nested deeper than any setting is.
    """
    if prefix.count(".") > _DEEPEST:
        raise ConfigError([f"{prefix[:60]}…: tables are nested more than {_DEEPEST} deep, and no setting is"])
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            dotted = _canonical(f"{prefix}{key}")
            yield dotted, _names(dotted, value)


_DEEPEST = 50  #: dots in a key


def _canonical(key: str) -> str:
    """The canonical spelling of a key.

    ``encoder`` means ``encoder.name``, ``augment`` means ``augment.names``, ``init`` means ``init.path``, and
    ``head`` and ``loss`` are short for the head named ``main`` and its loss named ``main``.
    """
    if key in ("dataset", "encoder", "head", "loss"):
        key = f"{key}.name"
    elif key in LIST_SLOTS:
        key = f"{key}.names"
    elif key == "init":
        key = "init.path"
    slot, _, rest = key.partition(".")
    return f"{_SHORT[slot]}.{rest}" if slot in _SHORT else key


_SHORT = {"head": "heads.main", "loss": "heads.main.losses.main"}


def shown(key: str) -> str:
    """A key as a user writes it, with ``head`` and ``loss`` as short forms."""
    for short, long in reversed(_SHORT.items()):
        if key.startswith(f"{long}."):
            return f"{short}.{key[len(long) + 1 :]}"
    return key


def _names(key: str, value: Any) -> Any:
    """The names of components in ``augment.names``, from the text ``"speed,mask"`` or a TOML list."""
    slot, _, rest = key.partition(".")
    if slot in LIST_SLOTS and rest == "names" and isinstance(value, str):
        return tuple(n.strip() for n in value.split(",") if n.strip() and n.strip() != "none")
    if slot in LIST_SLOTS and rest == "names" and isinstance(value, list):
        return tuple(value)
    return value


def merge(layers: Iterable[Layer]) -> tuple[dict[str, Setting], list[str]]:
    """One layer from several, the later the stronger.

    Where a later layer chooses another component, the options of the replaced one are dropped, and with a head its
    losses.

    Returns:
        The settings, and a note for each that was dropped.
    """
    merged: dict[str, Setting] = {}
    notes = []
    for layer in layers:
        for key, setting in layer.items():
            before = merged.get(key)
            if before is None or before.value == setting.value:
                continue
            for stem, replaced in _replaced(key, before.value, setting.value):
                for other in _belonging(merged, stem, layer):
                    dropped = merged.pop(other)
                    notes.append(
                        f"{shown(other)} = {dropped.value!r} ({dropped.origin}) is ignored: it was for {replaced!r}, "
                        f"and {setting.origin} chooses {_names_text(setting.value)}"
                    )
        merged.update(layer)
    return merged, notes


def _replaced(key: str, before: Any, after: Any) -> list[tuple[str, Any]]:
    """``(stem, name)`` of the components that are no longer chosen when ``key`` changes."""
    stem, _, last = key.rpartition(".")
    if last == "name" and (stem in ("dataset", "encoder") or stem.startswith("heads.")):
        return [(stem, before)]
    if last == "names" and stem in LIST_SLOTS and isinstance(before, tuple) and isinstance(after, tuple):
        return [(f"{stem}.{name}", name) for name in before if name not in after]
    return []


def _belonging(settings: Layer, stem: str, layer: Layer) -> list[str]:
    """Keys of a component's options, and of a head's losses unless ``layer`` names others."""

    def belongs(key: str) -> bool:
        above, _, last = key.rpartition(".")
        if above == stem:
            return last != "name" and not (last == "weight" and ".losses." in stem)
        # The weight belongs to the sum, not to the loss that was chosen.
        return above.startswith(f"{stem}.losses.") and f"{above}.name" not in layer and shown(key) != "loss.weight"

    return [key for key in settings if belongs(key)]


def _names_text(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else repr(value)
