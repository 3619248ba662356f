"""The README's table on raw hand landmarks: ``python examples/landmarks.py --root features/ --pool pool/``.

Recipe ``hands`` from scratch, after a stage 1 on other glosses, with mean pooling in place of CTC, and without one part
at a time; every seed, the last weights. Runs that are done are not run again, so the command may be given until the
table is whole. With ``--folds`` every seed holds out another part of train and val is not looked at: so settings are
chosen, and ``--fold-by signer`` tells how signs of unknown signers are recognised.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from wlasl100 import HEADER, finished, print_together, row_of

from asl_core import compare

BLOCKS = ("shape", "path", "image", "distances", "seen")
MOVES = "mirror-hands,rotate,stretch,jitter,speed,crop"
#: row -> what it changes in the recipe
ROWS: dict[str, dict[str, object]] = {
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


def pretrained(out: Path, pool: Path) -> Path:
    """Stage 1: the recipe's encoder on the glosses of the pool, one run for all seeds of stage 2."""
    settings = {
        "dataset.root": str(pool), "dataset.train": "features_pretrain_*_of_6.pkl", "dataset.val": "none",
        "head": "mean", "train.epochs": 40, "train.batch-size": 64,
    }  # fmt: skip
    return finished(out, "stage1", settings, "hands")


def one(row: str, seed: int, settings: dict[str, object], options: argparse.Namespace) -> Path:
    """The run of a row and a seed."""
    name, settings = f"{row.replace(', ', '-').replace(' ', '-')}-{seed}", {**settings, "run.seed": seed}
    if options.epochs:
        name, settings["train.epochs"] = f"epochs{options.epochs}-{name}", options.epochs
    if options.folds:
        fold = f"{seed % options.folds + 1}/{options.folds}"
        name = f"{options.fold_by}-fold{fold.replace('/', 'of')}-{name}"
        settings |= {"split.fold": fold, "split.fold-by": options.fold_by}
    return finished(options.out, name, settings, "hands", options.settings)


def passed(runs: list[Path], share: float) -> str:
    """When runs first had so many of the val clips right: epochs and seconds of training, of each."""
    found = []
    for run in runs:
        metrics, timings = (
            [json.loads(line) for line in (run / name).read_text(encoding="utf-8").splitlines()]
            for name in ("metrics.jsonl", "timings.jsonl")
        )
        epoch = next((line["epoch"] for line in metrics if line["val"]["top1"] >= share), None)
        seconds = sum(line["seconds"] for line in timings if "seconds" in line and line["epoch"] <= (epoch or 0))
        found.append("never" if epoch is None else f"epoch {epoch} ({seconds:.0f} s)")
    return f"{share:.0%} of val first right: {', '.join(found)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="../shared/data/wlasl100-hands", help="folder with the pickles")
    parser.add_argument("--pool", type=Path, default=Path("../shared/data/pretrain-hands"), help="those of stage 1")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path("runs/landmarks"))
    parser.add_argument(
        "--rows",
        nargs="+",
        choices=list(ROWS),
        metavar="ROW",
        default=["ctc", "mean pooling", "ctc, after stage 1"],
        help="; ".join(ROWS),
    )
    parser.add_argument("--folds", type=int, help="N: seed s holds out fold s mod N + 1 of train in place of val")
    parser.add_argument("--fold-by", default="gloss", choices=["gloss", "signer"], help="what the folds part")
    parser.add_argument("--epochs", type=int, help="fewer than the recipe has, for a table of many rows")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", dest="settings",
        help="settings of all rows (in an --out of their own): loss.consistency=0",
    )  # fmt: skip
    parser.add_argument("--passed", type=float, metavar="SHARE", help="also tell when so many val clips were right")
    parser.add_argument("--together", action="store_true", help="also lines of runs asked together")
    options = parser.parse_args()

    sides: dict[str, list[Path]] = {}
    print(HEADER)
    for row in options.rows:
        settings = {"dataset.root": options.root, **ROWS[row]}
        if row.endswith("after stage 1"):
            settings["init.path"] = f"run:{pretrained(options.out, options.pool)}"
        sides[row] = [one(row, seed, settings, options) for seed in options.seeds]
        print(row_of(row, sides[row]), flush=True)
    if options.passed:
        for row, runs in sides.items():
            print(f"{row}: {passed(runs, options.passed)}", flush=True)
    if options.together:
        print_together(sides, list(sides.values()), everything=not options.folds)
    if "ctc" in sides:
        for row, runs in sides.items():
            if row == "ctc":
                continue
            found = compare(sides["ctc"], runs, options.seeds)
            low, high = (100 * v for v in found.interval)
            print(f"{row} against ctc: {100 * found.difference:+.1f} ({low:+.1f} to {high:+.1f})", flush=True)


if __name__ == "__main__":
    main()
