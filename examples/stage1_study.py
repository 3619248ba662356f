"""Does stage 1 help? ``python examples/stage1_study.py --pool POOL.pkl --root features/``.

Pre-trains the encoder once with each objective on the pool, fine-tunes it with every seed on the WLASL100 pickles,
and compares with the same runs from scratch, paired by seed and clip; then the same with a quarter and a tenth of
the training clips. Runs that are done are not run again, so the command may be given until the tables are whole.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from wlasl100 import finished

from asl_core import compare

#: what each objective changes in the settings of stage 1
OBJECTIVES: dict[str, dict[str, object]] = {
    "contrast-time": {"head": "projection", "loss": "contrast-time"},
    # With the augmentation of stage 2 two views are told apart after an epoch; stronger ones leave work to do.
    "contrast-views": {
        "head": "projection", "loss": "contrast-views", "augment": "speed,crop,scale,noise,drop,mask,mirror36",
        "augment.crop.min": 0.5, "augment.noise.std": 0.3, "augment.scale.gain": 0.2, "augment.scale.offset": 0.3,
        "augment.drop.share": 0.2, "augment.mask.max-share": 0.3,
    },
    "masked-frames": {"head": "reconstruct", "loss": "masked-frames"},
    "phonology": {"head": "codes", "loss": "phonology"},
    "supervised": {"head": "mean", "loss": "cross-entropy"},
    # The signs of the pool and its codes at once: the glosses give meaning, the codes a target for every frame.
    "joint": {
        "heads.gloss.name": "mean", "heads.gloss.losses.main.name": "cross-entropy",
        "heads.codes.name": "codes", "heads.codes.losses.main.name": "phonology",
    },
}  # fmt: skip


def pretrained(objective: str, pool: Path, out: Path, epochs: int, batch: int) -> Path:
    """The stage-1 run of an objective, one for all seeds of stage 2."""
    settings = {
        "dataset": "wlasl", "dataset.root": str(pool.parent), "dataset.train": pool.name, "dataset.val": "none",
        "encoder": "gru", "train.epochs": epochs, "train.batch-size": batch, "train.learning-rate": 3e-3,
        **OBJECTIVES[objective],
    }  # fmt: skip
    return finished(out, f"pre-{objective}", settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, default=Path("../shared/data/pretrain/features_pretrain_wlasl2000.pkl"))
    parser.add_argument("--root", default="../shared/data/wlasl100", help="folder with the WLASL100 pickles")
    parser.add_argument("--out", type=Path, default=Path("runs/stage1"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0], help="of the training clips of stage 2")
    parser.add_argument("--objectives", nargs="+", choices=list(OBJECTIVES), default=list(OBJECTIVES))
    parser.add_argument("--fold", default=None, help="K/N: on a fold of train instead of val, to choose by")
    parser.add_argument("--epochs", type=int, default=30, help="of stage 1")
    parser.add_argument("--batch", type=int, default=64, help="clips a batch of stage 1")
    options = parser.parse_args()

    print("| stage 1 | clips | top-1 | of the seeds | gain | 95 % over seeds and clips | over seeds alone |")
    print("|---|---|---|---|---|---|---|")
    for share in options.shares:
        sides: dict[str, list[Path]] = {}
        for objective in ["none", *options.objectives]:
            init: dict[str, object] = {}
            if objective != "none":
                run = pretrained(objective, options.pool, options.out, options.epochs, options.batch)
                init = {"init.path": f"run:{run}"}
            sides[objective] = []
            for seed in options.seeds:
                settings = {
                    "dataset": "wlasl", "dataset.root": options.root, "encoder": "gru", "head": "ctc",
                    "run.seed": seed, "split.train-share": share, **init,
                }  # fmt: skip
                if options.fold:
                    settings["split.fold"] = options.fold
                where = f"fold{options.fold.replace('/', 'of')}-" if options.fold else ""
                sides[objective].append(finished(options.out, f"{where}{objective}-{share:g}-{seed}", settings))
            found = compare(sides["none"], sides[objective], options.seeds)
            top1 = found.second if objective != "none" else found.first
            each = ", ".join(f"{100 * v:.1f}" for v in top1)
            row = f"| {objective} | {share:.0%} | **{100 * statistics.fmean(top1):.1f} %** | {each} |"
            if objective == "none":
                print(f"{row} | | |", flush=True)
                continue
            low, high = (100 * v for v in found.interval)
            lo, hi = (100 * v for v in found.seed_interval)
            print(
                f"{row} {100 * found.difference:+.1f} | {low:+.1f} to {high:+.1f} | {lo:+.1f} to {hi:+.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
