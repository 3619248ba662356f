"""``asl pack``: write a data set as memory-mapped files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import click

from asl_core.cli.flags import ConfiguredCommand, flags_of
from asl_core.cli.paths import check_data_paths
from asl_core.cli.showing import showing_progress
from asl_core.cli.wrapping import say
from asl_core.config.configure import configure
from asl_core.errors import as_word
from asl_core.text import one_line

__all__ = ["pack"]


@click.command(cls=ConfiguredCommand, slots=("dataset",))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="the written splits as JSON")
@click.pass_context
def pack(ctx: click.Context, /, out: Path, as_json: bool, **values: Any) -> None:
    """Write every clip of a data set into the new folder OUT, for `--dataset packed --dataset.root OUT`.

    Packed clips are read as batches need them, so a data set may be larger than memory. They are packed before any
    transform: transforms are settings of a run, which applies them at its start.
    """
    config = configure(flags=flags_of(ctx, values), registry=ctx.meta["asl.registry"])
    check_data_paths(config)
    for note in config.notes:
        click.echo(one_line(f"note: {note}"), err=True)
    with showing_progress(as_json=as_json):
        from asl_core.data.packing import pack as pack_clips

        origin = {key: value for key, value in config.values().items() if key.startswith("dataset.")}
        written = pack_clips(config.dataset.build(), out, origin)
    if as_json:
        click.echo(json.dumps([attrs.asdict(one, filter=lambda a, _: a.name != "layout") for one in written], indent=2))
        return
    for one in written:
        size = f"{one.size / 2**20:,.1f} MiB"
        say(one_line(f"{one.name}: {one.clips:,} clips, {one.frames:,} frames of {one.width} features, {size}"))
    for one in written:
        if one.name != "train":
            continue
        # Clips with a layout are points, NaN where not seen, and need the transforms of landmarks.
        recipe = "--recipe holistic " if one.layout is not None else ""
        say(one_line(f"train on them: asl run {recipe}--dataset packed --dataset.root {as_word(out)}"))
