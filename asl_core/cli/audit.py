"""``asl audit``: what is in a data set, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from asl_core.cli.flags import ConfiguredCommand, flags_of
from asl_core.cli.paths import check_data_folder, check_data_paths, data_set_of
from asl_core.cli.showing import showing_progress
from asl_core.cli.wrapping import say
from asl_core.config.configure import configure
from asl_core.config.sources import value_layer
from asl_core.text import json_text, one_line

__all__ = ["audit"]


@click.command(cls=ConfiguredCommand, slots=("dataset", "transform"))
@click.argument("directory", required=False, metavar="[DIR]")
@click.option("--json", "as_json", is_flag=True, help="figures and findings as JSON")
@click.pass_context
def audit(ctx: click.Context, /, directory: str | None, as_json: bool, **values: Any) -> None:
    """Audit a data set: what is in it, and what is wrong with it. The exit code is 2 if a run would refuse it.

    DIR is short for --dataset NAME --dataset.root DIR, with the data set that reads what lies in DIR: packed for
    packed clips, wlasl for feature pickles, files for everything else.
    """
    flags = flags_of(ctx, values)
    if directory is not None:
        check_data_folder(Path(directory))
        chosen = {"dataset": data_set_of(Path(directory)), "dataset.root": directory}
        flags = {**value_layer(chosen, "argument DIR"), **flags}
    config = configure(flags=flags, registry=ctx.meta["asl.registry"])
    check_data_paths(config)
    for note in config.notes:
        click.echo(one_line(f"note: {note}"), err=True)
    with showing_progress(as_json=as_json):
        from asl_core import api
        from asl_core.cli.console import audit_lines

        report = api.audit_data(config)
    if as_json:
        click.echo(json_text(report.to_json(), indent=2))
    else:
        for line in audit_lines(report):
            say(line)
    if report.of_level("error"):
        ctx.exit(2)
