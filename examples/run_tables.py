"""Shared by the scripts in this folder: runs that are trained once, and rows of Markdown tables of their figures."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import asl_core as asl

HEADER = "| | top-1 | of the seeds | 95 % over clips | top-5 | parameters | seconds to train |\n" + 7 * "|---" + "|"


def parser_of(
    description: str | None, *, root: str, out: str, seeds: Sequence[int] = (0, 1, 2)
) -> argparse.ArgumentParser:
    """A parser with the options of every script."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=root, help="folder with the WLASL100 pickles")
    parser.add_argument("--out", type=Path, default=Path(out), help="folder of the runs; finished ones are reused")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument(
        "--set", nargs="+", default=[], type=setting, metavar="KEY=VALUE", dest="settings",
        help="settings of all runs, with an --out of their own: train.epochs=5",
    )  # fmt: skip
    return parser


def setting(word: str) -> tuple[str, str]:
    """``KEY=VALUE`` as a pair."""
    key, _, value = word.partition("=")
    if not (key and value):
        raise argparse.ArgumentTypeError(f"{word}: expected KEY=VALUE, such as encoder=transformer")
    return key, value


def finished(options: argparse.Namespace, name: str, settings: dict[str, Any], recipe: str | None = None) -> Path:
    """The run of this name in ``--out``: trained, resumed, or reused where it is finished."""
    flags = dict(options.settings)  # as text; a setting of the script would be stronger
    settings = {key: value for key, value in settings.items() if key not in flags}
    settings |= {"run.out": str(options.out), "run.name": name}
    return asl.complete(asl.configure(settings, flags=flags, recipe=recipe))


def row_of(name: str, *members: list[Path]) -> str:
    """A row for the runs of all seeds. With the runs of several configurations, a row for their ensemble per seed."""
    top1, top5, seconds = [], [], []
    clips = len({clip for path in members[0] for clip in asl.right_answers(path)})  # each fold has its own clips
    for path, *others in zip(*members, strict=True):
        if others:
            report = asl.evaluate_run(path, device="cpu", ensemble=others)[0]
        else:
            report = json.loads((path / "summary.json").read_text(encoding="utf-8"))["report"]
        top1.append(report["metrics"]["top1"])
        top5.append(report["metrics"]["top5"])
        seconds.append(sum(training_seconds(run) for run in (path, *others)))
    mean = statistics.fmean(top1)
    low, high = asl.wilson_interval(mean * clips, clips)
    parameters = sum(asl.load(runs[0]).model.parameter_count() for runs in members)
    return (
        f"| {name} | **{100 * mean:.1f} %** | {percents(top1)} | {100 * low:.1f} to {100 * high:.1f} | "
        f"{100 * statistics.fmean(top5):.1f} % | {parameters:,} | {statistics.median(seconds):.0f} |"
    )


def print_ensembles(rows: Iterable[str], runs: Sequence[list[Path]], *, same_clips: bool) -> None:
    """A row for the ensemble of all rows per seed and, where all runs have the same clips, one for that of all runs."""
    if len(runs) > 1:
        print(row_of(" with ".join(rows), *runs), flush=True)
    if same_clips:
        members = [[run] for of_row in runs for run in of_row]
        print(row_of(f"all {len(members)} runs", *members), flush=True)


def training_seconds(run: Path, *, until: int | None = None) -> float:
    """Seconds of a run's epochs, up to epoch ``until``."""
    lines = map(json.loads, (run / "timings.jsonl").read_text(encoding="utf-8").splitlines())
    return float(sum(x["seconds"] for x in lines if "seconds" in x and (until is None or x["epoch"] <= until)))


def percents(shares: Iterable[float]) -> str:
    """``56.1, 57.9``."""
    return ", ".join(f"{100 * share:.1f}" for share in shares)


def percent_interval(interval: tuple[float, float]) -> str:
    """``-0.4 to +2.6``."""
    low, high = interval
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def fold_settings(options: argparse.Namespace, seed: int) -> tuple[str, dict[str, Any]]:
    """With ``--folds``: a prefix for the run's name, and the settings by which the seed holds out its fold."""
    if not options.folds:
        return "", {}
    fold = f"{seed % options.folds + 1}/{options.folds}"
    return f"fold{fold.replace('/', 'of')}-", {"split.fold": fold}
