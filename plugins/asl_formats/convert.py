"""``asl convert``: recordings of any format written as another one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import asl_core as asl

__all__ = ["convert"]

_LISTED = ("npz", "pose")  #: kinds that state the split of each file in ``list.csv``


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--to", "kind", type=click.Choice(["packed", "npz", "pose", "pickle"]), required=True, help="format to write"
)
@click.option("--dataset", "name", default="auto", show_default=True, help="data set that reads SOURCE")
@click.option("--format", "form", default="auto", show_default=True, help="format of SOURCE, as `asl ls format` lists")
@click.option("--fps", metavar="RATE", help="frames per second, where files do not say")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="a setting of the data set, such as hand=left"
)
def convert(
    source: Path, target: Path, kind: str, name: str, form: str, fps: str | None, settings: tuple[str, ...]
) -> None:
    """Write the recordings in SOURCE, of any format, into the new folder TARGET.

    \b
    packed  mapped files, for --dataset packed
    npz     a file per recording and list.csv, for --dataset files; the same numbers, bit for bit
    pose    likewise; x and y become pixels, and what was not seen has confidence 0
    pickle  feature pickles of the reference layout, for --dataset wlasl

    What was not seen is NaN in all but pose. Splits that SOURCE states are kept. A val split that data set files makes
    is kept in packed and pickle; in npz and pose none is stated, and data set files makes it again.
    """  # noqa: D301 - click knows the character \b, not two of them
    _check_target(source, target)
    listed = kind in _LISTED
    dataset, values = _dataset(source, name, form, fps, settings, made_split=not listed)
    with asl.showing_progress():
        if kind == "packed":
            written = asl.pack(dataset, target, values)
            counts, layout = {split.name: split.clips for split in written}, written[0].layout
        else:
            counts, layout = _write(dataset, kind, target)
    for split, count in counts.items():
        click.echo(f"{split}: {count:,} clips")
    if listed and list(counts) == ["train"]:
        click.echo("no split is stated in list.csv: data set files makes val of these clips (--dataset.val-share)")
    click.echo(_next_command(layout, kind, target))


def _check_target(source: Path, target: Path) -> None:
    """Refuse a folder that exists, and one that would be read while it is written."""
    if target.exists() or target.is_symlink():
        raise asl.UsageError(f"{target} exists, and is not overwritten; choose another folder, or remove it.")
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise asl.UsageError(
            f"{target} lies in {source}, and would be read as one of its recordings; choose a folder outside it."
        )


def _write(dataset: asl.Dataset, kind: str, target: Path) -> tuple[dict[str, int], asl.Layout | None]:
    """Write the splits; the folder appears when it is complete.

    Returns:
        The number of clips of each split, and the layout of the first one.

    Raises:
        RunError: it cannot be written.
    """
    from asl_formats.writers import WRITERS

    part = target.with_name(f"{target.name}.part")
    if part.exists() or part.is_symlink():
        raise asl.UsageError(f"{part} is needed for writing, and is left of an earlier try; remove it.")
    try:
        part.mkdir(parents=True)
        layouts: list[asl.Layout | None] = []
        counts = WRITERS[kind]({split: _clips(dataset, split, layouts) for split in dataset.splits()}, part)
        part.rename(target)
    except OSError as fault:
        shutil.rmtree(part, ignore_errors=True)
        raise asl.RunError(
            f"{target} cannot be written ({fault.strerror or fault}); make room, or choose another folder."
        ) from fault
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return counts, layouts[0] if layouts else None


def _dataset(
    source: Path, name: str, form: str, fps: str | None, settings: tuple[str, ...], *, made_split: bool
) -> tuple[asl.Dataset, dict[str, Any]]:
    """The data set that reads the source, and the settings that it was made with."""
    if name == "auto":
        name = asl.data_set_of(source)
    values: dict[str, Any] = {"dataset.root": str(source)}
    flags = {"dataset.name": _flag(name, "--dataset")}
    if name == "files":
        flags["dataset.format"] = _flag(form, "--format")
        if not made_split:
            values["dataset.val-share"] = 0.0  # list.csv states only what the source states
    if fps is not None:
        flags["dataset.fps"] = _flag(fps, "--fps")
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise asl.UsageError(f"--set {setting}: expected KEY=VALUE, such as hand=left.")
        key = f"dataset.{key.removeprefix('dataset.').replace('_', '-')}"
        values.pop(key, None)
        flags[key] = _flag(value, "--set")
    config = asl.configure(values, flags=flags)
    return config.dataset.build(), {k: v for k, v in config.values().items() if k.startswith("dataset.")}


def _flag(text: str, flag: str) -> asl.Setting:
    return asl.Setting(text, asl.Origin(asl.Kind.FLAG, flag), text=True)


def _next_command(layout: asl.Layout | None, kind: str, target: Path) -> str:
    """The command that trains on the written clips; the layout of the first stands for all."""
    reader = {"packed": "packed", "pickle": "wlasl"}.get(kind, "files")
    if kind == "pickle" and layout is not None and not _known_by_width(layout):
        return (
            f"note: pickles do not state what the numbers are, and transform landmarks does not know these by their "
            f"count ({layout.width} features per frame): to train on them, use --to packed."
        )
    # Data set files suggests the transforms that NaN needs; the others do not.
    recipe = "--recipe holistic " if layout is not None and reader != "files" else ""
    return f"train on them: asl run {recipe}--dataset {reader} --dataset.root {asl.as_word(target)}"


def _known_by_width(layout: asl.Layout) -> bool:
    """Whether clips of the layout are read without it: raw landmarks of a detector in the order that it writes."""
    from asl_formats.layouts import layout_of

    return layout in [layout_of(name) for name in ("detected", "hands", "openhands", "kaggle")]


def _clips(dataset: asl.Dataset, split: str, layouts: list[asl.Layout | None]) -> Iterator[asl.Clip]:
    """The clips of a split; the layout of the first one of all goes to ``layouts``."""
    for clip in asl.track(dataset.clips(split), f"writing {split}"):
        if not layouts:
            layouts.append(clip.layout)
        yield clip
