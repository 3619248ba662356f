"""Recipe ``hands`` on raw hand landmarks: from scratch, after a stage 1 on other glosses, and without single parts.

    python examples/landmarks.py --root landmarks/ --pool pool/ --rows ctc "mean pooling" "ctc, after stage 1"

Prints a Markdown table with a row for each configuration (``--help`` lists them): top-1, top-5, parameters and seconds
to train over all seeds, of the last weights; then the difference of each row to ``ctc``, with a 95 % interval. Finished
runs are reused, so an interrupted command can be given again. With ``--folds`` each seed holds out another part of
train in place of val, to choose settings by; ``--fold-by signer`` holds out signers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from run_tables import (
    HEADER,
    finished,
    fold_settings,
    parser_of,
    percent_interval,
    print_ensembles,
    row_of,
    training_seconds,
)

from asl_core import compare

BLOCKS = ("shape", "path", "image", "distances", "seen")
MOVES = "mirror-hands,rotate,stretch,jitter,speed,crop"
#: row -> what it changes in the recipe
ROWS: dict[str, dict[str, Any]] = {
    "ctc": {},
    "mean pooling": {"head": "mean", "loss.consistency": 0.5},
    "ctc, after stage 1": {},
    "without mixup": {"train.mixup": 0.0},
    "without trim": {"transform": "landmarks,hand-features"},
    "with fill-gaps": {"transform": "landmarks,fill-gaps,trim,hand-features"},
    "with fill-gaps up to 5 frames": {
        "transform": "landmarks,fill-gaps,trim,hand-features", "transform.fill-gaps.max-gap": 5,
    },
    "without one side for all signers": {"transform.landmarks.dominant-right": False},
    **{
        f"without {block}": {"transform.hand-features.blocks": [name for name in BLOCKS if name != block]}
        for block in BLOCKS
    },
    **{
        f"with {block}": {"transform.hand-features.blocks": [*BLOCKS, block]} for block in ("between", "velocity")
    },
    **{f"without {name}": {"augment": ",".join(n for n in MOVES.split(",") if n != name)} for name in MOVES.split(",")},
    **{f"with {name}": {"augment": f"{MOVES},{name}"} for name in ("mask", "lose-hand", "lose-fingers")},
    "without the cross-entropy on frames": {"loss.frame-weight": 0.0},
    "without label smoothing": {"loss.label-smoothing": 0.0},
    "without consistency": {"loss.consistency": 0.0},
    "with consistency of frames": {"loss.consistency": 0.2, "loss.consistency-of": "frames"},
    "with a label prior": {"loss.label-prior": 0.3},
}  # fmt: skip


def pretrained(options: argparse.Namespace) -> Path:
    """Stage 1: the recipe's encoder on the glosses of the pool, one run for all seeds of stage 2."""
    settings = {
        "dataset.root": str(options.pool), "dataset.train": "features_pretrain_*_of_6.pkl", "dataset.val": "none",
        "head": "mean", "train.epochs": 40, "train.batch-size": 64,
    }  # fmt: skip
    return finished(options, "stage1", settings, "hands")


def run_of(row: str, seed: int, settings: dict[str, Any], options: argparse.Namespace) -> Path:
    """The run of a row and a seed."""
    name, settings = f"{row.replace(', ', '-').replace(' ', '-')}-{seed}", {**settings, "run.seed": seed}
    if options.epochs:
        name, settings["train.epochs"] = f"epochs{options.epochs}-{name}", options.epochs
    prefix, fold = fold_settings(options, seed)
    if fold:
        name = f"{options.fold_by}-{prefix}{name}"
        settings |= {**fold, "split.fold-by": options.fold_by}
    return finished(options, name, settings, "hands")


def time_to_reach(runs: list[Path], share: float) -> str:
    """The epoch, and the seconds of training, at which each run first had ``share`` of the val clips right."""
    times = []
    for run in runs:
        lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
        epoch = next((line["epoch"] for line in lines if line["val"]["top1"] >= share), None)
        times.append("never" if epoch is None else f"epoch {epoch} ({training_seconds(run, until=epoch):.0f} s)")
    return f"{share:.0%} of val first right: {', '.join(times)}"


def main() -> None:
    parser = parser_of(__doc__, root="../shared/data/wlasl100-hands", out="runs/landmarks", seeds=range(5))
    parser.add_argument("--pool", type=Path, default=Path("../shared/data/pretrain-hands"), help="pickles of stage 1")
    rows = ["ctc", "mean pooling", "ctc, after stage 1"]
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), metavar="ROW", default=rows, help="; ".join(ROWS))
    parser.add_argument("--folds", type=int, help="N: seed s holds out fold s mod N + 1 of train in place of val")
    parser.add_argument("--fold-by", default="gloss", choices=["gloss", "signer"], help="how folds are made")
    parser.add_argument("--epochs", type=int, help="fewer than in the recipe, for a table of many rows")
    parser.add_argument("--passed", type=float, metavar="SHARE", help="also print when a share of val was first right")
    parser.add_argument("--ensemble", "--together", action="store_true", help="add rows for ensembles of the runs")
    options = parser.parse_args()

    runs: dict[str, list[Path]] = {}
    print(HEADER)
    for row in options.rows:
        settings = {"dataset.root": options.root, **ROWS[row]}
        if row.endswith("after stage 1"):
            settings["init.path"] = f"run:{pretrained(options)}"
        runs[row] = [run_of(row, seed, settings, options) for seed in options.seeds]
        print(row_of(row, runs[row]), flush=True)
    if options.passed is not None:
        for row, of_row in runs.items():
            print(f"{row}: {time_to_reach(of_row, options.passed)}", flush=True)
    if options.ensemble:
        print_ensembles(runs, list(runs.values()), same_clips=not options.folds)
    for row, of_row in runs.items():
        if "ctc" in runs and row != "ctc":
            change = compare(runs["ctc"], of_row, options.seeds)
            interval = percent_interval(change.interval)
            print(f"{row} against ctc: {100 * change.difference:+.1f} ({interval})", flush=True)


if __name__ == "__main__":
    main()
