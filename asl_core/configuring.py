"""From layers of settings to a checked configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asl_core.component import Registry
from asl_core.config import RunConfig, is_resolved
from asl_core.errors import ConfigError
from asl_core.layers import Layer, env_layer, toml_layer, value_layer
from asl_core.options import option_specs
from asl_core.plugins import discover
from asl_core.recipes import find_recipe
from asl_core.resolve import resolve

__all__ = ["configure"]


def configure(
    values: Mapping[str, Any] | None = None,
    *,
    file: str | os.PathLike[str] | None = None,
    recipe: str | None = None,
    flags: Layer | None = None,
    registry: Registry | None = None,
    environ: Mapping[str, str] | None = None,
    project_file: bool = True,
) -> RunConfig:
    """A checked configuration: defaults < ``asl.toml`` < ``file`` < environment < ``flags`` < ``values``.

    Args:
        values: dotted keys to values, ``{"encoder": "gru", "encoder.hidden-size": 256}``.
        file: a TOML file of settings, such as a run's ``config.toml``.
        recipe: instead of a file, one that a plugin ships, by its name.
        flags: a layer from the command line.
        registry: components (default: those of the installed plugins).
        environ: environment (default: the process's).
        project_file: whether ``asl.toml`` in the working directory counts.

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
    # A resolved configuration is whole: what asl.toml says now must not change what it repeats.
    saved = file is not None and is_resolved(Path(file))
    if project_file and Path("asl.toml").is_file() and not saved:
        layers.append(toml_layer(Path("asl.toml")))
    if file is not None:
        layers.append(toml_layer(Path(file)))
    said = [env_layer(environ), flags or {}, value_layer(values or {}, "script")]
    return resolve([*layers, *_with_variables(layers, said, environ, registry)], registry, saved=saved)


def _with_variables(
    layers: Sequence[Layer], said: list[Layer], environ: Mapping[str, str], registry: Registry
) -> list[Layer]:
    """Environment, flags and script with the variables that the chosen data set's options name (``ASL_DATA``).

    They join the strongest layer that chooses the data set, weaker than what that layer says itself: in the
    environment's own place a later ``--dataset`` would take them for options of the data set before.
    """
    chosen = next((m["dataset.name"].value for m in reversed([*layers, *said]) if "dataset.name" in m), None)
    try:
        offer = registry.find("dataset", chosen) if isinstance(chosen, str) else None
    except ConfigError:
        offer = None  # told by resolve, with its origin
    if offer is None:
        return said
    named = {s.rule.env: f"dataset.{s.key}" for s in option_specs(offer.component.options) if s.rule.env}
    found = {k: s for k, s in env_layer(environ, named).items() if k in named.values()}
    place = max(i for i, layer in enumerate(said) if i == 0 or "dataset.name" in layer)
    said[place] = {**found, **said[place]}
    return said
