"""Settings that extend a recipe: ``extends = "hands"`` in a settings file, or in a curriculum's ``[common]`` or stage.

The recipe's settings are a weaker layer below the table's own. A recipe may extend another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asl_core.config.origins import Kind
from asl_core.config.sources import Layer, merge, table_layer
from asl_core.errors import ConfigError
from asl_core.files.toml_file import Place, TomlFile, read_toml
from asl_core.registry.recipes import find_recipe

__all__ = ["file_layers", "merged_layer", "table_layers"]


def file_layers(path: Path, kind: Kind = Kind.FILE) -> list[Layer]:
    """The settings of a TOML file above those of the recipes that it extends, weakest first.

    Raises:
        ConfigError: the file is missing or is not TOML, or there is no such recipe.
    """
    content = read_toml(path)
    return table_layers(content.values, content, path, kind=kind)


def table_layers(
    table: Mapping[str, Any],
    content: TomlFile,
    path: Path,
    above: Place = (),
    part: str = "",
    kind: Kind = Kind.FILE,
    chain: tuple[Path, ...] = (),
) -> list[Layer]:
    """The settings of one table above those of the recipes that it extends; ``chain`` holds the files that led here."""
    settings = dict(table_layer(table, content, path, above, part, kind))
    extends = settings.pop("extends", None)
    if extends is None:
        return [settings]
    try:
        if not isinstance(extends.value, str):
            raise ConfigError([f"{str(extends.value)[:80]!r} is not the name of a recipe"])
        base = find_recipe(extends.value).path
        chain = (*chain, path)
        if base.resolve() in (p.resolve() for p in chain):
            raise ConfigError([f"recipe {extends.value!r} extends itself ({' → '.join(p.name for p in chain)})"])
        read = read_toml(base)
        if "stage" in read.values:
            raise ConfigError([f"recipe {extends.value!r} is a curriculum; only one without stages can be extended"])
    except ConfigError as fault:
        raise ConfigError([f"{extends.origin}: extends: {p}" for p in fault.problems]) from fault
    return [*table_layers(read.values, read, base, kind=kind, chain=chain), settings]


def merged_layer(layers: list[Layer]) -> Layer:
    """One layer of several, without the notes on replaced components."""
    return merge(layers)[0]
