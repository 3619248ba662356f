"""What recognition loses at other frame rates, on held-out folds of WLASL100's train and val clips together.

    python examples/rates.py --root ../shared/data/wlasl100-hands --folds 5 --seeds 0 --out runs/rates

Trains on the other folds at 30 frames per second. The held-out clips are then thinned to lower rates, or every frame is
doubled, and predicted twice: with their true rate, so that they are resampled, and without. Prints a row for each rate:
top-1 over all clips, and the difference to the unchanged clips, paired by clip. Finished runs are reused.
"""

from __future__ import annotations

import argparse
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

import asl_core as asl

#: clips that occur twice -> their original; None where that is in train and the copy in val
COPIES = {"40118": None, "40130": "40129", "32338": "32337", "49181": "33273", "57283": "26980"}


def pooled(root: Path) -> list[asl.Clip]:
    """All clips of train and val, without the copy of a train clip in val."""
    dataset = asl.configure({"dataset": "wlasl", "dataset.root": str(root)}).dataset.build()
    clips = [clip for split in ("train", "val") for clip in dataset.clips(split)]
    return [clip for clip in clips if COPIES.get(clip.id, "") is not None]


def fold_of(clips: Sequence[asl.Clip], folds: int, seed: int) -> list[int]:
    """The fold of each clip: every gloss spread evenly, in an order of the seed; copies with their original."""
    by_gloss = defaultdict(list)
    for n, clip in enumerate(clips):
        by_gloss[clip.glosses].append(n)
    random = np.random.default_rng(seed)
    fold, count = [0] * len(clips), 0
    for gloss in sorted(by_gloss):
        for n in random.permutation(by_gloss[gloss]):
            fold[n], count = count % folds, count + 1
    of_id = {clip.id: fold[n] for n, clip in enumerate(clips)}
    return [of_id[COPIES.get(clip.id) or clip.id] for clip in clips]


class Fold:
    """The pool as a data set: one fold is val, the others are train."""

    def __init__(self, clips: Sequence[asl.Clip], folds: Sequence[int], held_out: int):
        self.parts = {
            "train": [c for c, f in zip(clips, folds, strict=True) if f != held_out],
            "val": [c for c, f in zip(clips, folds, strict=True) if f == held_out],
        }

    def splits(self) -> Sequence[str]:
        return ("train", "val")

    def clips(self, split: str) -> Sequence[asl.Clip]:
        return self.parts[split]

    def findings(self) -> Sequence[asl.Finding]:
        return ()

    def read(self, path: Path) -> Sequence[asl.Clip]:
        raise asl.DataError(f"{path}: this data set reads no files.")


def at_rate(clip: asl.Clip, rate: float, phase: int) -> asl.Clip:
    """The clip as from a camera of ``rate`` frames per second: frames left out from ``phase`` on, or repeated."""
    if rate > 30:
        return attrs.evolve(clip, features=np.repeat(clip.features, round(rate / 30), axis=0), fps=rate)
    step = round(30 / rate)
    return attrs.evolve(clip, features=clip.features[phase % min(step, len(clip.features)) :: step], fps=rate)


def correct(loaded: asl.LoadedRun, clips: Sequence[asl.Clip]) -> np.ndarray:
    """(N,) bool: whether the most probable gloss is the right one."""
    return np.array([p.top[0][0] == p.glosses[0] for p in asl.predict_clips(loaded, list(clips), top=1)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of wlasl100-hands")
    parser.add_argument("--out", type=Path, default=Path("runs/rates"))
    parser.add_argument("--recipe", default="hands")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="*", help="only these folds, from 0")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", dest="settings", help="as TOML")
    parser.add_argument("--rates", type=float, nargs="+", default=[15, 10, 5, 60])
    parser.add_argument("--known", action="store_true", help="only with the rate given")
    parser.add_argument("--name", default="hands")
    options = parser.parse_args()
    clips = pooled(options.root)
    results: dict[str, list[np.ndarray]] = defaultdict(list)
    for seed in options.seeds:
        folds = fold_of(clips, options.folds, seed)
        for fold in options.only or range(options.folds):
            data = Fold(clips, folds, fold)
            name = f"{options.name}-seed{seed}-fold{fold}of{options.folds}"
            settings = {
                "run.name": name,
                "run.out": str(options.out),
                "run.seed": seed,
                "run.threads": 1,
                "run.device": "cpu",
            }
            settings |= tomllib.loads("\n".join(options.settings))
            registry = asl.registry_with(dataset=data)
            if not (options.out / name / "final.safetensors").is_file():
                asl.run({"dataset": data, **settings}, recipe=options.recipe)
            loaded = asl.load(options.out / name, registry=registry)
            held_out = data.clips("val")
            results["30"].append(correct(loaded, [attrs.evolve(c, fps=30.0) for c in held_out]))
            for rate in options.rates:
                thinned = [at_rate(c, rate, n) for n, c in enumerate(held_out)]
                results[f"{rate:g}"].append(correct(loaded, thinned))
                results[f"{rate:g}, not said"].append(correct(loaded, [attrs.evolve(c, fps=None) for c in thinned]))
            print(f"{name}: {', '.join(f'{k} {100 * v[-1].mean():.1f}' for k, v in results.items())}", flush=True)
    base = np.concatenate(results["30"]).astype(float)
    print(f"\n| frames per second | top-1 of {len(base)} held-out clips | against 30 |\n|---|---|---|")
    for key, parts in results.items():
        shares = np.concatenate(parts).astype(float)
        gap = shares - base
        error = 1.96 * gap.std() / np.sqrt(len(gap))
        print(f"| {key} | {100 * shares.mean():.1f} % | {100 * gap.mean():+.1f} ± {100 * error:.1f} |")


if __name__ == "__main__":
    main()
