"""The README's table on the WLASL100 pickles: ``python examples/wlasl100.py --root features/ --seeds 0 1 2``.

Each row is a configuration, trained with every seed; the last weights are evaluated, not the epoch that val likes
best. Runs that are done are not run again, so the command may be given until the table is whole.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import asl_core as asl

ROWS: dict[str, dict[str, Any]] = {
    "gru, ctc": {"encoder": "gru", "head": "ctc"},
    "transformer, ctc": {"encoder": "transformer", "head": "ctc"},
    "gru, mean pooling": {"encoder": "gru", "head": "mean"},
    "recipe numbers36": {"recipe": "numbers36"},
    "recipe numbers36, convformer": {
        "recipe": "numbers36", "encoder": "convformer", "encoder.downsample": 1, "train.batch-size": 32,
        "train.clip-norm": 1.0,
    },
    "gru, ctc, plain CTC loss": {"encoder": "gru", "head": "ctc", "loss": "ctc"},
    "gru, ctc, numbers as stored": {"encoder": "gru", "head": "ctc", "dataset.class-key": "stored-number"},
}  # fmt: skip

HEADER = "| | top-1 | of the seeds | 95 % over clips | top-5 | parameters | seconds to train |\n" + 7 * "|---" + "|"


def finished(
    out: Path, name: str, settings: dict[str, object], recipe: str | None = None, words: Sequence[str] = ()
) -> Path:
    """The run of this name: found done, resumed, or made. ``words`` are further settings as KEY=VALUE."""
    flags = dict(word.split("=", 1) for word in words)
    return asl.complete(asl.configure({**settings, "run.out": str(out), "run.name": name}, flags=flags, recipe=recipe))


def row_of(name: str, *sides: list[Path]) -> str:
    """One line of the table, of the runs of all seeds; of several rows' runs, those of a seed asked together."""
    top1, top5, seconds = [], [], []
    clips = len({clip for path in sides[0] for clip in asl.right_answers(path)})  # folds have clips of their own
    for path, *others in zip(*sides, strict=True):
        if others:
            report = asl.evaluate_run(path, device="cpu", ensemble=others)[0]
        else:
            report = json.loads((path / "summary.json").read_text(encoding="utf-8"))["report"]
        top1.append(report["metrics"]["top1"])
        top5.append(report["metrics"]["top5"])
        seconds.append(sum(seconds_of(run) for run in (path, *others)))
    mean = statistics.fmean(top1)
    low, high = asl.wilson_interval(mean * clips, clips)
    each = ", ".join(f"{100 * v:.1f}" for v in top1)
    parameters = sum(asl.load(runs[0]).model.parameter_count() for runs in sides)
    return (
        f"| {name} | **{100 * mean:.1f} %** | {each} | {100 * low:.1f} to {100 * high:.1f} | "
        f"{100 * statistics.fmean(top5):.1f} % | {parameters:,} | {statistics.median(seconds):.0f} |"
    )


def print_together(rows: Iterable[str], sides: Sequence[list[Path]], *, everything: bool) -> None:
    """A line of the rows asked together, seed by seed, and, where all were asked about the same clips, of all runs."""
    if len(sides) > 1:
        print(row_of(" with ".join(rows), *sides), flush=True)
    if everything:
        alone = [[run] for side in sides for run in side]
        print(row_of(f"all {len(alone)} runs", *alone), flush=True)


def seconds_of(run: Path) -> float:
    """How long a run's epochs took."""
    lines = (run / "timings.jsonl").read_text(encoding="utf-8").splitlines()
    return float(sum(json.loads(line).get("seconds", 0.0) for line in lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="../shared/data/wlasl100", help="folder with the pickles")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/wlasl100"))
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument(
        "--together", action="store_true", help="also lines of runs asked together, seed by seed and all of them"
    )
    parser.add_argument("--folds", type=int, help="N: seed s holds out fold s mod N + 1 of train in place of val")
    options = parser.parse_args()

    print(HEADER)
    sides = []
    for row in options.rows:
        runs = []
        for seed in options.seeds:
            settings = {"dataset": "wlasl", "dataset.root": options.root, "run.seed": seed, **ROWS[row]}
            recipe, name = settings.pop("recipe", None), f"{row.replace(', ', '-').replace(' ', '-')}-{seed}"
            if options.folds:
                fold = f"{seed % options.folds + 1}/{options.folds}"
                name, settings["split.fold"] = f"fold{fold.replace('/', 'of')}-{name}", fold
            runs.append(finished(options.out, name, settings, recipe))
        print(row_of(row, runs), flush=True)
        sides.append(runs)
    if options.together:
        print_together(options.rows, sides, everything=not options.folds)


if __name__ == "__main__":
    main()
