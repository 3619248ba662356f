"""``asl convert``: recordings of any format written as another one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import asl_core as asl

__all__ = ["convert"]


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--to", "kind", type=click.Choice(["packed", "npz", "pose", "pickle"]), required=True, help="format to write"
)
@click.option("--dataset", "name", default="auto", show_default=True, help="data set that reads SOURCE")
@click.option("--format", "form", default="auto", show_default=True, help="format of SOURCE, as `asl ls format` lists")
@click.option("--fps", type=click.FloatRange(0, 1000, min_open=True), help="frames per second, where files do not say")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="a setting of the data set, such as hand=left"
)
def convert(
    source: Path, target: Path, kind: str, name: str, form: str, fps: float | None, settings: tuple[str, ...]
) -> None:
    """Write the recordings in SOURCE, of any format, into the new folder TARGET.

    \b
    packed  mapped files, for --dataset packed
    npz     a file per recording and list.csv, for --dataset files; the same numbers, bit for bit
    pose    likewise; x and y become pixels, and what was not seen has confidence 0
    pickle  feature pickles of the reference layout, for --dataset wlasl

    What was not seen is NaN in all but pose. Splits are kept where SOURCE says them.
    """  # noqa: D301 - click takes \\b for a paragraph that is not wrapped
    dataset, values = _dataset(source, name, form, fps, settings)
    if target.exists():
        raise click.UsageError(f"{target} exists, and is not overwritten; choose another folder, or remove it.")
    with asl.showing_progress():
        if kind == "packed":
            counts = {split.name: split.clips for split in asl.pack(dataset, target, values)}
        else:
            from asl_formats.writers import WRITERS

            part = target.with_name(f"{target.name}.part")
            if part.exists():
                raise click.UsageError(f"{part} is needed for writing, and is left of an earlier try; remove it.")
            part.mkdir(parents=True)
            try:
                splits = {split: _clips(dataset, split) for split in dataset.splits()}
                counts = WRITERS[kind](splits, part)
                part.rename(target)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    for split, count in counts.items():
        click.echo(f"{split}: {count:,} clips")
    reader = {"packed": "packed", "pickle": "wlasl"}.get(kind, "files")
    click.echo(f"train on them: asl run --dataset {reader} --dataset.root {asl.as_word(target)}")


def _dataset(
    source: Path, name: str, form: str, fps: float | None, settings: tuple[str, ...]
) -> tuple[asl.Dataset, dict[str, Any]]:
    """The data set that reads the source, and the settings that it was made with."""
    if name == "auto":
        name = asl.data_set_of(source)
    values: dict[str, Any] = {"dataset": name, "dataset.root": str(source)}
    if name == "files":
        values["dataset.val-share"] = 0.0  # a val split that nobody said is not written down as if somebody had
        values["dataset.format"] = form
    if fps is not None:
        values["dataset.fps"] = fps
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"--set {setting}: expected KEY=VALUE, such as hand=left.")
        values[key if key.startswith("dataset.") else f"dataset.{key}"] = value
    config = asl.configure(values)
    return config.dataset.build(), {k: v for k, v in config.values().items() if k.startswith("dataset.")}


def _clips(dataset: asl.Dataset, split: str) -> Iterator[asl.Clip]:
    yield from asl.track(dataset.clips(split), f"writing {split}")
