"""Where settings come from: files, environment and flags as layers of dotted keys, each with its origin.

``[encoder] hidden-size = 256`` in a file, ``ASL_RUN__ENCODER__HIDDEN_SIZE=256`` in the environment and
``--encoder.hidden-size 256`` on the command line are all the key ``encoder.hidden-size``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.errors import ConfigError

__all__ = [
    "ENV_PREFIX",
    "LIST_SLOTS",
    "Layer",
    "Setting",
    "env_layer",
    "flag_layer",
    "merge",
    "shown",
    "toml_layer",
    "value_layer",
]

ENV_PREFIX = "ASL_RUN__"
LIST_SLOTS = ("transform", "augment", "observer")  #: slots that take several components, in order


@attrs.frozen
class Setting:
    """One value and where it was set."""

    value: Any
    origin: str  #: "flag --epochs", "asl.toml line 3", "default"
    text: bool = False  #: whether ``value`` is still text, to be read as the option's type


Layer = Mapping[str, Setting]


def flag_layer(flags: Mapping[str, str], spelled: Mapping[str, str] | None = None) -> Layer:
    """Settings from the command line; ``spelled`` gives the flag as the user typed it."""
    spelled = spelled or {}
    return {
        _canonical(k): Setting(_names(_canonical(k), v), f"flag {spelled.get(k, '--' + k)}", text=True)
        for k, v in flags.items()
    }


def value_layer(values: Mapping[str, Any], origin: str) -> Layer:
    """Settings from a script or a component's suggestions: dotted keys to typed values.

    ``{"encoder": "gru"}`` is short for ``{"encoder.name": "gru"}``; tables may be nested, and paths and numpy's
    numbers count as what they stand for.
    """
    return {key: Setting(_ordinary(value), origin) for key, value in flatten(values)}


def _ordinary(value: Any) -> Any:
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
    found = {}
    for name, value in environ.items():
        if name.startswith(ENV_PREFIX):
            key = _canonical(name.removeprefix(ENV_PREFIX).lower().replace("__", ".").replace("_", "-"))
            found[key] = Setting(_names(key, value), f"environment variable {name}", text=True)
    for name, key in (known or {}).items():
        if environ.get(name):
            found[key] = Setting(environ[name], f"environment variable {name}", text=True)
    return found


def toml_layer(path: Path) -> Layer:
    """Settings from a TOML file, each with its line.

    Raises:
        ConfigError: the file is missing or is not TOML.
    """
    if path.exists() and not path.is_file():
        raise ConfigError([f"{path}: is no file; name a TOML file with the run's settings"])
    try:
        if path.exists() and path.stat().st_size > _LARGEST:
            raise ValueError(f"it has {path.stat().st_size:,} bytes, and no settings take more than {_LARGEST:,}")
        raw = path.read_bytes()
        content = raw.decode("utf-8-sig")  # Windows editors put a byte order mark before it
        values = tomllib.loads(content)
    except OSError as fault:
        raise ConfigError(
            [f"{path}: cannot be read ({fault.strerror}); name a TOML file with the run's settings"]
        ) from fault
    except (ValueError, RecursionError) as fault:  # a number of thousands of digits is a ValueError, too
        raise ConfigError(
            [f'{path}: is not TOML ({str(fault)[:300]}); expected tables such as [encoder] with name = "gru"']
        ) from fault
    lines = _key_lines(content)
    try:
        settings = dict(flatten(values))
    except ConfigError as fault:
        raise ConfigError([f"{path}: {p}" for p in fault.problems]) from fault
    return {k: Setting(v, f"{path}{f' line {lines[k]}' if k in lines else ''}") for k, v in settings.items()}


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
_LARGEST = 1 << 20  #: bytes of a file of settings


_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def _key_lines(content: str) -> dict[str, int]:
    """Dotted key -> line. tomllib keeps no positions; a scan of headers and ``key =`` finds nearly all."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(content.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = header[1].replace('"', "").replace("'", "") + "."
        elif key := _KEY.match(line):
            lines.setdefault(_canonical(table + key[1].replace('"', "").replace("'", "")), number)
    return lines


def _canonical(key: str) -> str:
    """The one spelling of a key.

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
    """A key as a user would write it: the inverse of the short forms."""
    for short, long in reversed(_SHORT.items()):
        if key.startswith(f"{long}."):
            return f"{short}.{key[len(long) + 1 :]}"
    return key


def _names(key: str, value: Any) -> Any:
    """The list of components behind ``augment.names``, from text ``"speed,mask"`` or a TOML list."""
    slot, _, rest = key.partition(".")
    if slot in LIST_SLOTS and rest == "names" and isinstance(value, str):
        return tuple(n.strip() for n in value.split(",") if n.strip() and n.strip() != "none")
    if slot in LIST_SLOTS and rest == "names" and isinstance(value, list):
        return tuple(value)
    return value


def merge(layers: Iterable[Layer]) -> tuple[dict[str, Setting], list[str]]:
    """One layer from several, the later the stronger.

    Where a later layer chooses another component, the earlier options of that slot go with the component they
    were for, and with a head its losses; each is told in the returned notes.

    Returns:
        The settings, and notes on what was dropped.
    """
    merged: dict[str, Setting] = {}
    notes = []
    for layer in layers:
        for key, setting in layer.items():
            before = merged.get(key)
            if before is None or before.value == setting.value:
                continue
            for stem, was in _replaced(key, before.value, setting.value):
                for other in _belonging(merged, stem, layer):
                    dropped = merged.pop(other)
                    notes.append(
                        f"{shown(other)} = {dropped.value!r} ({dropped.origin}) is left out: it was for {was!r}, and "
                        f"{setting.origin} chooses {_said(setting.value)}"
                    )
        merged.update(layer)
    return merged, notes


def _replaced(key: str, before: Any, after: Any) -> list[tuple[str, Any]]:
    """``(stem, name)`` of the components that are no longer chosen when ``key`` changes, if it is a choice at all."""
    stem, _, last = key.rpartition(".")
    if last == "name" and (stem in ("dataset", "encoder") or stem.startswith("heads.")):
        return [(stem, before)]
    if last == "names" and stem in LIST_SLOTS and isinstance(before, tuple) and isinstance(after, tuple):
        return [(f"{stem}.{name}", name) for name in before if name not in after]
    return []


def _belonging(settings: Layer, stem: str, layer: Layer) -> list[str]:
    """Keys of a component's options; a head's losses were chosen for it and go too, unless ``layer`` names others."""

    def belongs(key: str) -> bool:
        above, _, last = key.rpartition(".")
        if above == stem:
            return last != "name" and not (last == "weight" and ".losses." in stem)
        # The weight of the one loss is of the sum, whatever is summed.
        return above.startswith(f"{stem}.losses.") and f"{above}.name" not in layer and shown(key) != "loss.weight"

    return [key for key in settings if belongs(key)]


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else repr(value)
