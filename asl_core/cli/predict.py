"""``asl predict``: the signs in a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from asl_core.errors import printable

__all__ = ["predict"]


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--top", default=5, show_default=True, type=click.IntRange(min=1), help="glosses named for each clip")
@click.option("--weights", type=click.Choice(["final", "best"]), default="final", show_default=True)
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda, cuda:1, mps")
@click.option("--json", "as_json", is_flag=True, help="a list of clips with their glosses and probabilities")
def predict(run: Path, file: Path, top: int, weights: str, device: str, as_json: bool) -> None:
    """Name the sign of each clip in FILE with the model of RUN.

    FILE is a .npy of one clip (frames × numbers), or a file of the layout that the run's data set reads, such
    as a pickle of the reference layout.
    """
    from asl_core import prediction

    found = prediction.predict_file(run, file, top=top, weights=weights, device=device)
    if as_json:
        click.echo(json.dumps([p.to_json() for p in found], indent=2, ensure_ascii=False))
        return
    for clip in found:
        click.echo(printable(clip.id) + (f" (is {' '.join(clip.glosses)})" if clip.glosses else ""))
        if clip.text is not None:
            click.echo(f"  reads {' '.join(clip.text) or 'nothing'}")
        for gloss, probability in clip.top:
            click.echo(f"  {100 * probability:5.1f} %  {printable(gloss)}")
