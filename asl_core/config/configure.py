"""From settings of all sources, also a script's, to a checked configuration.

``asl.run({"encoder.hidden-size": 256})``, ``asl.run({"encoder": {"name": "gru", "hidden_size": 256}})`` and
``asl.run(encoder="gru", encoder__hidden_size=256)`` are the same: ``__`` is a dot, ``_`` a hyphen, and settings of the
tables train, run and split need no table (``epochs=2``), as on the command line.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core.config.extends import file_layers
from asl_core.config.given import take_objects
from asl_core.config.project_file import PROJECT_FILE, outside, project_layer, project_note
from asl_core.config.resolve import current_layers, resolve
from asl_core.config.run_config import RunConfig, is_resolved
from asl_core.config.sources import Layer, almost_settings, env_layer, flag_layer, value_layer
from asl_core.config.tables import TABLES
from asl_core.errors import ConfigError, as_word
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover
from asl_core.registry.options import former_options, option_specs
from asl_core.registry.recipes import find_recipe

__all__ = ["configure", "dotted"]


def configure(
    values: Mapping[str, Any] | None = None,
    *,
    file: str | os.PathLike[str] | None = None,
    recipe: str | None = None,
    flags: Layer | Mapping[str, str] | None = None,
    registry: Registry | None = None,
    environ: Mapping[str, str] | None = None,
    project_file: bool = True,
    **settings: Any,
) -> RunConfig:
    """A checked configuration: defaults < ``asl.toml`` < ``file`` < environment < ``flags`` < ``values``.

    Settings are given as ``values`` or as keyword arguments, which are stronger. A component is given by name, or as a
    class or object, see :mod:`asl_core.config.given`.

    Args:
        values: keys to values, ``{"encoder": "gru", "encoder.hidden-size": 256}``; tables may be nested.
        file: a TOML file of settings, such as a run's ``config.toml``.
        recipe: name of a recipe that a plugin ships, instead of a file.
        flags: settings as text, as on a command line: ``{"train.epochs": "2"}``.
        registry: components (default: those of the installed plugins).
        environ: environment (default: the process's).
        project_file: whether ``asl.toml`` in the working directory counts.
        settings: ``encoder="gru", encoder__hidden_size=256, epochs=2``.

    Raises:
        ConfigError: with every fault found.
    """
    if recipe is not None:
        if file is not None:
            raise ConfigError([f"recipe {recipe!r} is a file of settings, and so is {file}: give one of them"])
        file = find_recipe(recipe).path
    registry = discover().registry if registry is None else registry
    environ = os.environ if environ is None else environ
    layers: list[Layer] = []
    # A resolved configuration is complete: asl.toml must not change what it repeats.
    saved = file is not None and is_resolved(Path(file))
    by_name = file is not None and Path(file).resolve() == PROJECT_FILE.resolve()
    project = project_layer() if project_file and not saved and not by_name else {}
    layers += [project] if project else []
    if file is not None:
        read = file_layers(Path(file))
        if "stage" in read[-1]:  # an array of tables
            what = f"recipe {recipe!r}" if recipe is not None else str(file)
            raise ConfigError(
                [
                    f"{what} is a curriculum, which has several configurations: run it by "
                    f"asl_core.run_curriculum(asl_core.load_curriculum({os.fspath(file)!r})), or by `asl run "
                    f"{f'--recipe {recipe}' if recipe is not None else as_word(file)}`"
                ]
            )
        layers += read
    stronger: list[Layer] = [env_layer(environ), _typed(flags or {})]
    notes: list[str] = []
    for given in (values or {}, settings):
        named, registry, more = take_objects(dotted(given), registry)
        stronger.append(value_layer(named, "script"))
        notes += more
    current, problems = current_layers([*layers, *stronger], registry, saved=saved)
    layers, stronger = current[: len(layers)], current[len(layers) :]
    stronger = _with_variables(layers, stronger, environ, registry)
    problems += almost_settings(environ)
    if project:
        problems += outside(layers[0], [*layers[1:], *stronger])
    try:
        config = resolve([*layers, *stronger], registry, saved=saved)
    except ConfigError as fault:
        raise ConfigError([*problems, *fault.problems]) from fault
    if problems:
        raise ConfigError(problems)
    return attrs.evolve(config, notes=(*project_note(config.origins), *config.notes, *notes))


def _typed(flags: Layer | Mapping[str, str]) -> Layer:
    """A layer of flags, also from a script's plain texts."""
    texts = {key: value for key, value in flags.items() if isinstance(value, str)}
    return {**{k: s for k, s in flags.items() if not isinstance(s, str)}, **flag_layer(texts)}


def _with_variables(
    layers: Sequence[Layer], stronger: list[Layer], environ: Mapping[str, str], registry: Registry
) -> list[Layer]:
    """Environment, flags and script with the variables that the chosen data set's options name (``ASL_DATA``).

    They join the strongest layer that chooses the data set, and are weaker than its own settings: in the layer of the
    environment, a later ``--dataset`` would drop them with the options of the replaced data set.
    """
    chosen = next((m["dataset.name"].value for m in reversed([*layers, *stronger]) if "dataset.name" in m), None)
    try:
        offer = registry.find("dataset", chosen) if isinstance(chosen, str) else None
    except ConfigError:
        offer = None  # resolve reports it, with its origin
    if offer is None:
        return stronger
    named = {s.rule.env: f"dataset.{s.key}" for s in option_specs(offer.component.options) if s.rule.env}
    variables = {k: s for k, s in env_layer(environ, named).items() if k in named.values()}
    index = max(i for i, layer in enumerate(stronger) if i == 0 or "dataset.name" in layer)
    stronger[index] = {**variables, **stronger[index]}
    return stronger


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
            yield written + name, _short().get(key, key), value


_DEEPEST = 20  #: dots in a key


def _hyphened(key: str) -> str:
    """``_`` as ``-``, except in names of heads and losses, which are the user's."""
    parts = key.split(".")
    named = (1, 3) if parts[0] == "heads" else ()
    return ".".join(part if index in named else part.replace("_", "-") for index, part in enumerate(parts))


@functools.cache
def _short() -> dict[str, str]:
    """``epochs`` -> ``train.epochs``; of ``init`` only ``freeze``, since ``init`` alone is its path."""
    tables = {t: cls for t, cls in TABLES.items() if t != "init"}
    keys = {s.key: f"{table}.{s.key}" for table, cls in tables.items() for s in option_specs(cls)}
    keys |= {old: f"{table}.{old}" for table, cls in tables.items() for old in former_options(cls)}
    return {**keys, "freeze": "init.freeze"}
