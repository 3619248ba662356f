"""Does stage 1 help? Pre-trains with each objective, fine-tunes with every seed, and compares with runs from scratch.

    python examples/stage1_study.py --pool pool/features_pretrain.pkl --root features/ --shares 1 0.25 0.1

Prints a Markdown table with a row for each share of the training clips and each objective: top-1 over all seeds, the
gain over runs from scratch, and its 95 % intervals, paired by seed and clip. Finished runs are reused, so an
interrupted command can be given again.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from run_tables import finished, parser_of, percent_interval, percents

from asl_core import compare

#: what each objective changes in the settings of stage 1
OBJECTIVES: dict[str, dict[str, Any]] = {
    "contrast-time": {"head": "projection", "loss": "contrast-time"},
    # With the augmentation of stage 2 the loss is near zero after one epoch; these are stronger.
    "contrast-views": {
        "head": "projection", "loss": "contrast-views", "augment": "speed,crop,scale,noise,drop,mask,mirror36",
        "augment.crop.min": 0.5, "augment.noise.std": 0.3, "augment.scale.gain": 0.2, "augment.scale.offset": 0.3,
        "augment.drop.share": 0.2, "augment.mask.max-share": 0.3,
    },
    "masked-frames": {"head": "reconstruct", "loss": "masked-frames"},
    "phonology": {"head": "codes", "loss": "phonology"},
    "supervised": {"head": "mean", "loss": "cross-entropy"},
    # The glosses and the phonological codes of the pool at once: the codes are a target for every frame.
    "joint": {
        "heads.gloss.name": "mean", "heads.gloss.losses.main.name": "cross-entropy",
        "heads.codes.name": "codes", "heads.codes.losses.main.name": "phonology",
    },
}  # fmt: skip


def pretrained(objective: str, options: argparse.Namespace) -> Path:
    """The stage-1 run of an objective, one for all seeds of stage 2."""
    settings = {
        "dataset": "wlasl", "dataset.root": str(options.pool.parent), "dataset.train": options.pool.name,
        "dataset.val": "none", "encoder": "gru", "train.epochs": options.epochs, "train.batch-size": options.batch,
        "train.learning-rate": 3e-3, **OBJECTIVES[objective],
    }  # fmt: skip
    return finished(options, f"pre-{objective}", settings)


def fine_tuned(objective: str, share: float, seed: int, options: argparse.Namespace) -> Path:
    """The stage-2 run of a share of the training clips and a seed; from scratch for objective ``none``."""
    settings: dict[str, Any] = {
        "dataset": "wlasl", "dataset.root": options.root, "encoder": "gru", "head": "ctc", "run.seed": seed,
        "split.train-share": share,
    }  # fmt: skip
    if objective != "none":
        settings["init.path"] = f"run:{pretrained(objective, options)}"
    name = f"{objective}-{share:g}-{seed}"
    if options.fold:
        name, settings["split.fold"] = f"fold{options.fold.replace('/', 'of')}-{name}", options.fold
    return finished(options, name, settings)


def main() -> None:
    parser = parser_of(__doc__, root="../shared/data/wlasl100", out="runs/stage1")
    parser.add_argument("--pool", type=Path, default=Path("../shared/data/pretrain/features_pretrain_wlasl2000.pkl"))
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0], help="of the training clips of stage 2")
    parser.add_argument("--objectives", nargs="+", choices=list(OBJECTIVES), default=list(OBJECTIVES))
    parser.add_argument("--fold", default=None, help="K/N: a fold of train in place of val, to choose settings by")
    parser.add_argument("--epochs", type=int, default=30, help="of stage 1")
    parser.add_argument("--batch", type=int, default=64, help="clips per batch of stage 1")
    options = parser.parse_args()

    print("| stage 1 | clips | top-1 | of the seeds | gain | 95 % over seeds and clips | over seeds alone |")
    print("|---|---|---|---|---|---|---|")
    for share in options.shares:
        scratch: list[Path] = []
        for objective in ["none", *options.objectives]:
            runs = [fine_tuned(objective, share, seed, options) for seed in options.seeds]
            scratch = scratch or runs
            change = compare(scratch, runs, options.seeds)
            row = f"| {objective} | {share:.0%} | **{100 * statistics.fmean(change.second):.1f} %** | "
            row += f"{percents(change.second)} | "
            if objective != "none":
                row += f"{100 * change.difference:+.1f} | {percent_interval(change.interval)} | "
                row += f"{percent_interval(change.seed_interval)} |"
            else:
                row += "| | |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
