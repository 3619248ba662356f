"""``asl runs``: runs with their figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click

from asl_core.cli.tables import table_lines
from asl_core.cli.wrapping import say
from asl_core.config.runs import RunSummary, list_runs, out_folder
from asl_core.evaluation.metrics import TOP1, WER, headlines, metric_of
from asl_core.text import json_text, one_line

__all__ = ["runs"]

_KEYS = ("date", "name", TOP1.name, WER.name)


@click.command("runs")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--sort", type=click.Choice(_KEYS), default="date", show_default=True, help="the newest or best is last")
@click.option("--json", "as_json", is_flag=True, help="a list of runs, with full paths and sizes in bytes")
def runs(folder: Path | None, sort: str, as_json: bool) -> None:
    """List the runs in FOLDER (default: the folder of new runs), with the figures of their last weights on val.

    A run is done, running, or cut off (`asl run --resume NAME` continues it). The stages of a curriculum are listed
    together. Every verb accepts a run by its name in this list.
    """
    folder = folder if folder is not None else out_folder()
    runs = _sorted(list_runs(folder), sort)
    if as_json:
        click.echo(json_text([run.to_json() for run in runs], indent=2))
        return
    if not runs:
        say(one_line(f"there is no run in {folder} yet; `asl run` makes one."))
        return
    for line in _lines(runs):
        say(line)
    for run in runs:
        if run.reason:
            say(one_line(f"{run.name} is damaged: {run.reason}"), err=True)


def _sorted(runs: Sequence[RunSummary], key: str) -> list[RunSummary]:
    if sign := metric_of(key).sign:  # runs without the figure first
        return sorted(runs, key=lambda r: (key in r.figures, sign * r.figures.get(key, 0.0)))
    if key == "name":
        return list(runs)
    newest: dict[Path, float] = {}  # the runs of a curriculum stay together
    for run in runs:
        newest[_group(run)] = max(newest.get(_group(run), 0.0), run.changed)
    return sorted(runs, key=lambda r: (newest[_group(r)], str(_group(r)), r.changed or math.inf))


def _group(run: RunSummary) -> Path:
    return run.path.parent if "/" in run.name else run.path


def _lines(runs: Sequence[RunSummary]) -> list[str]:
    figures = headlines(name for run in runs for name in run.figures)
    columns = [
        "run",
        "state",
        "epochs",
        *(metric.heading for metric in figures),
        "data",
        "model",
        "last change",
        "size",
    ]
    rows = [
        [
            run.name,
            run.state,
            f"{run.epochs}/{run.planned}" if run.planned else "",
            *(f"{100 * run.figures[m.name]:.1f}" if m.name in run.figures else "" for m in figures),
            run.dataset,
            " ".join(filter(None, (run.encoder, *run.heads))),
            run.date[2:],
            _size(run.size),
        ]
        for run in runs
    ]
    return table_lines(columns, rows)


def _size(size: int) -> str:
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.1f} MB" if size else ""
