"""``asl show recipe``: the settings of a recipe, by stage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from asl_core.cli.tables import table_lines
from asl_core.cli.wrapping import say
from asl_core.config.extends import merged_layer, table_layers
from asl_core.config.sources import shown
from asl_core.files.toml_file import read_toml
from asl_core.registry.recipes import Recipe
from asl_core.text import one_line

__all__ = ["show_recipe"]


def show_recipe(recipe: Recipe, as_json: bool) -> None:
    """Print it for people, or as JSON.

    Raises:
        ConfigError: it is not valid TOML.
    """
    content = read_toml(recipe.path)
    stages = content.values.get("stage")
    parts: dict[str, Mapping[str, Any]] = {"": content.values}
    if isinstance(stages, list):
        parts = {"every stage": content.values.get("common", {})}
        parts |= {f"stage {s.get('name')}": s for s in stages if isinstance(s, Mapping)}
    layers = {title: merged_layer(table_layers(table, content, recipe.path)) for title, table in parts.items()}
    settings = {title: {shown(key): setting.value for key, setting in layer.items()} for title, layer in layers.items()}
    if as_json:
        answer = {
            "recipe": recipe.name, "from": recipe.distribution, "path": str(recipe.path), "summary": recipe.summary,
            "settings": settings if isinstance(stages, list) else settings[""],
        }  # fmt: skip
        click.echo(json.dumps(answer, indent=2, default=str))
        return
    say(one_line(f"recipe {recipe.name} (from {recipe.distribution}, {recipe.path})"))
    say(one_line(recipe.summary))
    for title, values in settings.items():
        say("")
        rows = [[key, _text(value)] for key, value in values.items() if not (title and key == "name")]
        for line in table_lines([title or "setting", "value"], rows):
            say(line)
    say("")
    say(one_line(f"use it: asl run --recipe {recipe.name} --dataset.root FOLDER; a flag beats what it sets"))


def _text(value: Any) -> str:
    """A value as a flag's text."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
