"""``asl check``: a configuration file, without running it."""

from __future__ import annotations

from pathlib import Path

import click

from asl_core.cli.paths import check_settings_file
from asl_core.cli.wrapping import say
from asl_core.errors import as_word
from asl_core.plugins import discover
from asl_core.text import one_line, printable

__all__ = ["check"]


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--resolved", is_flag=True, help="print the whole configuration, each value with its origin")
def check(file: Path, resolved: bool) -> None:
    """Check a TOML file of settings: names, options, types and ranges, all faults at once."""
    check_settings_file(file, "check")

    from asl_core.layers import toml_layer
    from asl_core.resolve import resolve

    config = resolve([toml_layer(file)], discover().registry)
    for note in config.notes:
        say(one_line(f"note: {note}"))
    sound = f"{file} is sound; `asl run {as_word(file)}` would run it."
    click.echo(printable(config.to_toml()) if resolved else one_line(sound))
