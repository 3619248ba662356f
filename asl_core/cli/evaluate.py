"""``asl eval``: the figures of a run on a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from asl_core.cli.averaging import ensemble_flag, tta_flag
from asl_core.cli.paths import check_run
from asl_core.cli.run_argument import RUN
from asl_core.cli.showing import showing_progress
from asl_core.cli.wrapping import say
from asl_core.text import json_text, one_line

__all__ = ["evaluate"]


@click.command("eval")
@click.argument("run", type=RUN)
@click.option("--split", default="val", show_default=True, help="val, train, or test (noted in the run's log)")
@click.option("--weights", type=click.Choice(["final", "best"]), default="final", show_default=True)
@ensemble_flag
@tta_flag
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps")
@click.option("--root", "root", help="where the data set's files are now (--dataset.root of the run otherwise)")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="also write every clip's prediction here")
@click.option("--errors", is_flag=True, help="analyse the errors: kinds of clips, signers, signs, confusions")
@click.option("--json", "as_json", is_flag=True, help="the whole report as JSON, with --errors its analysis too")
def evaluate(
    run: Path,
    split: str,
    weights: str,
    ensemble: tuple[Path, ...],
    tta: tuple[str, ...] | None,
    device: str,
    root: str | None,
    csv_path: Path | None,
    errors: bool,
    as_json: bool,
) -> None:
    """Evaluate RUN (a run directory or a .safetensors file) on a split of its data set, alone or in an ensemble."""
    for one in (run, *ensemble):
        check_run(one, "eval")
    options: dict[str, Any] = {
        "split": split, "weights": weights, "device": device, "values": {"dataset.root": root} if root else None,
        "tta": tta, "ensemble": ensemble,
    }  # fmt: skip
    errors_found = None
    with showing_progress(as_json=as_json):
        from asl_core import api
        from asl_core.evaluation.error_analysis import explain_run
        from asl_core.evaluation.predictions_csv import predictions_csv
        from asl_core.files.atomic import write_text

        if errors:
            explained = explain_run(run, **options)
            report, predictions, store = explained.report, explained.predictions, explained.store
            errors_found = explained.mistakes
        else:
            report, predictions, store = api.evaluate_run(run, **options)
    if csv_path is not None:
        write_text(csv_path, predictions_csv(predictions, store))
    if as_json:
        whole = report if errors_found is None else {**report, "why": errors_found.to_json()}
        click.echo(json_text(whole, indent=2))
        return
    from rich.console import Console

    from asl_core.cli.console import print_report
    from asl_core.evaluation.evaluating import weights_used

    views = report.get("average_views")
    title = f"{split}, {weights_used(run, weights)}" + (f", averaged with views {', '.join(views)}" if views else "")
    title += f", ensemble with {', '.join(map(str, ensemble))}" if ensemble else ""
    print_report(report, Console(highlight=False, soft_wrap=True), title)
    for note in report.get("notes", ()):
        say(one_line(f"note: {note}"))
    if errors_found is not None:
        from asl_core.cli.error_analysis import error_lines

        for line in error_lines(errors_found):
            say(line)
