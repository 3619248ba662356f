"""``asl eval``: a run's figures on a split."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["evaluate"]


@click.command("eval")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--split", default="val", show_default=True, help="val, train, or test (noted in the run's log)")
@click.option("--weights", type=click.Choice(["final", "best"]), default="final", show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps")
@click.option("--root", "root", help="where the data set's files are now (--dataset.root of the run otherwise)")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="also write every clip's prediction here")
@click.option("--json", "as_json", is_flag=True, help="the whole report as JSON")
def evaluate(
    run: Path, split: str, weights: str, device: str, root: str | None, csv_path: Path | None, as_json: bool
) -> None:
    """Evaluate RUN (a run directory or a .safetensors file) on a split of its data set."""
    from asl_core import api
    from asl_core.atomic import write_text
    from asl_core.rundir import predictions_csv

    values = {"dataset.root": root} if root else None
    report, predictions, store = api.evaluate_run(run, split=split, weights=weights, device=device, values=values)
    if csv_path is not None:
        write_text(csv_path, predictions_csv(predictions, store))
    if as_json:
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    from asl_core.cli.console import print_report

    print_report(report, Console(highlight=False, soft_wrap=True), f"{split}, {weights} weights")
