"""Settings in Python: mappings and keyword arguments, with Python's spelling.

``asl.run({"encoder.hidden-size": 256})``, ``asl.run({"encoder": {"name": "gru", "hidden_size": 256}})`` and
``asl.run(encoder="gru", encoder__hidden_size=256)`` are the same: ``__`` is a dot, ``_`` a hyphen, and settings of the
tables train, run and split need no table (``epochs=2``), as on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from asl_core.config.tables import TABLES
from asl_core.errors import ConfigError
from asl_core.registry.former import former_options
from asl_core.registry.options import option_specs

__all__ = ["dotted"]


def dotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by dotted keys, as in a settings file.

    Raises:
        ConfigError: a key is not text, or two spellings of one setting have two values.
    """
    settings: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    problems = []
    for written, key, value in _flat(values, "", ""):
        if key in settings and settings[key] is not value and settings[key] != value:
            problems.append(f"script: {spelled[key]} and {written} are one setting with two values: leave one out")
        settings[key], spelled[key] = value, written
    if problems:
        raise ConfigError(problems)
    return settings


def _flat(values: Mapping[str, Any], written: str, stem: str) -> Iterator[tuple[str, str, Any]]:
    """``(key as it was written, dotted key, value)`` of nested tables."""
    if stem.count(".") > _DEEPEST:
        raise ConfigError([f"script: {written[:60]}…: tables are nested more than {_DEEPEST} deep, and no setting is"])
    for name, value in values.items():
        if not isinstance(name, str):
            raise ConfigError(
                [f"script: {written}{name!r}: expected the name of a setting, not a {type(name).__name__}"]
            )
        key = _hyphened(stem + name.replace("__", "."))
        if isinstance(value, Mapping):
            yield from _flat(value, f"{written}{name}.", f"{key}.")
        else:
            yield written + name, _whole(key), value


_DEEPEST = 20  #: dots in a key


def _hyphened(key: str) -> str:
    """``_`` as ``-``, except in names of heads and losses, which are the user's."""
    parts = key.split(".")
    named = (1, 3) if parts[0] == "heads" else ()
    return ".".join(part if index in named else part.replace("_", "-") for index, part in enumerate(parts))


def _whole(key: str) -> str:
    """With its table, where it was left out."""
    return _short().get(key, key)


def _short() -> dict[str, str]:
    """``epochs`` -> ``train.epochs``; of ``init`` only ``freeze``, since ``init`` alone is its path."""
    tables = {t: cls for t, cls in TABLES.items() if t != "init"}
    keys = {s.key: f"{table}.{s.key}" for table, cls in tables.items() for s in option_specs(cls)}
    keys |= {old: f"{table}.{old}" for table, cls in tables.items() for old in former_options(cls)}
    return {**keys, "freeze": "init.freeze"}
