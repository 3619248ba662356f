"""Recordings made one after the other: what blocks of neighbours, held out once each, say; and what chance would say.

    python examples/mp_folds.py --root TREE --epochs 6 --out runs/mp

TREE is a tree SIGN/SEQUENCE/FRAME.npy (``examples/mp_tree.py`` writes it of an archive). Prints a row for the nearest
neighbour on raw frames (1-NN, Euclidean, clips cut or filled to the median length) and for the recogniser: top-1 of
each fold and of all clips, by blocks of neighbours and, for the neighbour alone, by a random split. Finished runs are
reused.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import asl_core as asl


def nearest(train: np.ndarray, glosses: Sequence[str], held: np.ndarray, truth: Sequence[str]) -> np.ndarray:
    """(N,) whether the gloss of the nearest train clip is that of each held-out clip."""
    squares = (train**2).sum(1)
    right = []
    for clip, gloss in zip(held, truth, strict=True):
        right.append(glosses[int((squares - 2 * train @ clip).argmin())] == gloss)
    return np.array(right)


def flat(clips: Sequence[asl.Clip]) -> np.ndarray:
    """(N, T · D) frames of each clip, cut or filled with its last frame to the median length; 0 where not seen."""
    length = int(np.median([len(clip.features) for clip in clips]))
    rows = [np.nan_to_num(clip.features[np.minimum(np.arange(length), len(clip.features) - 1)]) for clip in clips]
    return np.stack(rows).reshape(len(rows), -1)


def folds_of(clips: Sequence[asl.Clip], count: int, random: np.random.Generator | None) -> np.ndarray:
    """(N,) the fold of each clip: by the block of its group, or by chance."""
    if random is not None:
        return random.permutation(len(clips)) % count
    return np.array([(int(str(clip.group).rsplit(" ", 1)[1]) - 1) % count for clip in clips])


def row(name: str, parts: Sequence[np.ndarray]) -> None:
    """Print the figures of one method."""
    each = ", ".join(f"{100 * part.mean():.1f}" for part in parts)
    whole = np.concatenate(parts)
    low, high = asl.wilson_interval(int(whole.sum()), len(whole))
    print(f"| {name} | {100 * whole.mean():.1f} % | {100 * low:.1f} to {100 * high:.1f} | {each} |", flush=True)


def main() -> None:
    """Read the tree, run the folds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/mp"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="*", help="these folds alone, from 1")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--recipe", help="settings of the runs (default: those that the data set suggests)")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", dest="settings", help="as TOML")
    options = parser.parse_args()
    base: dict[str, Any] = {"dataset": "files", "dataset.root": str(options.root), "dataset.val-share": 0.0}
    clips = list(asl.configure(base).dataset.build().clips("train"))
    glosses = [clip.glosses[0] for clip in clips]
    print(f"{len(clips)} recordings of {len(set(glosses))} signs\n")
    print(f"| {options.root.name} | top-1 | 95 % | folds |\n|---|---|---|---|")
    frames = flat(clips)
    for name, random in (("1-NN, random split", np.random.default_rng(0)), ("1-NN, blocks", None)):
        fold = folds_of(clips, options.folds, random)
        parts = []
        for number in range(options.folds):
            train, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            parts.append(nearest(frames[train], [glosses[i] for i in train], frames[held], [glosses[i] for i in held]))
        row(name, parts)
    parts = []
    for number in options.only or range(1, options.folds + 1):
        run = options.out / f"fold{number}of{options.folds}"
        values = base | {
            "split.fold": f"{number}/{options.folds}", "train.epochs": options.epochs, "run.out": str(options.out),
            "run.name": run.name, "run.threads": 1,
        }  # fmt: skip
        values |= tomllib.loads("\n".join(options.settings))
        if not (run / "final.safetensors").is_file():
            asl.run(values, **({"recipe": options.recipe} if options.recipe else {}))
        _, predictions, store = asl.evaluate_run(run)
        best = predictions.scores.argmax(1).tolist()
        names = store.vocabulary.glosses
        parts.append(np.array([names[b] == g[0] for b, g in zip(best, store.glosses, strict=True)]))
    row(f"{options.recipe or 'default'}, {options.epochs} epochs, blocks", parts)


if __name__ == "__main__":
    main()
