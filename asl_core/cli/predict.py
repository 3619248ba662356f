"""``asl predict``: the signs in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asl_core.cli.views_flag import average_views_flag, together_flag
from asl_core.errors import printable

if TYPE_CHECKING:
    from asl_core.alignment import Alignment, Placed

__all__ = ["predict"]


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--top", default=5, show_default=True, type=click.IntRange(min=1), help="glosses named for each clip")
@click.option("--weights", type=click.Choice(["final", "best"]), default="final", show_default=True)
@together_flag
@average_views_flag
@click.option("--alignment", is_flag=True, help="also say on which frames of the clip the glosses stand")
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda, cuda:1, mps")
@click.option("--json", "as_json", is_flag=True, help="a list of clips with their glosses and probabilities")
def predict(
    run: Path,
    file: Path,
    top: int,
    weights: str,
    together_with: tuple[Path, ...],
    average_views: tuple[str, ...] | None,
    alignment: bool,
    device: str,
    as_json: bool,
) -> None:
    """Name the sign of each clip in FILE with the model of RUN.

    FILE is a .npy of one clip (frames × numbers), or a file of the layout that the run's data set reads, such
    as a pickle of the reference layout.
    """
    from asl_core import prediction

    found = prediction.predict_file(
        run, file, top=top, weights=weights, device=device, average_views=average_views, alignment=alignment,
        together_with=together_with,
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps([p.to_json() for p in found], indent=2, ensure_ascii=False))
        return
    if together_with:
        click.echo(
            f"mean of {1 + len(together_with)} runs; alignments, texts and warnings are those of {run}", err=True
        )
    for clip in found:
        for warning in clip.warnings:
            click.echo(printable(f"warning: clip {clip.id!r}: {warning}"), err=True)
        click.echo(printable(clip.id) + (f" (is {' '.join(clip.glosses)})" if clip.glosses else ""))
        if clip.text is not None:
            click.echo(f"  reads {' '.join(clip.text) or 'nothing'}")
        for gloss, probability in clip.top:
            click.echo(f"  {100 * probability:5.1f} %  {printable(gloss)}")
        if clip.alignment is not None:
            for line in _told(clip.alignment):
                click.echo(f"  {printable(line)}")


def _told(found: Alignment) -> Iterable[str]:
    """An alignment in words."""
    first, last = found.best[0].first, found.best[-1].last
    cut = "" if (first, last) == (0, found.frames - 1) else f", of which the model saw {first} to {last}"
    whose = "" if found.of_file else " as the transforms left them, which do not say where they stood in the file"
    yield f"frames 0 to {found.frames - 1}{whose}{cut}"
    for span in found.named:
        if span.gloss is not None:
            yield f"{_frames(span)}: {span.gloss}, on the likeliest path through what it is taken for"
    yield "best symbol of every frame: " + ", ".join(f"{span.gloss or 'blank'} {_frames(span)}" for span in found.best)


def _frames(span: Placed) -> str:
    where = str(span.first) if span.first == span.last else f"{span.first} to {span.last}"
    return f"{where} ({100 * span.probability:.0f} %)"
