"""The library without the command line, on a data set of your own.

    python examples/script.py --out runs

Trains on two synthetic signs, a hand that circles one way or the other. Prints the run's folder with its top-1 on val,
and the probabilities of both signs for a new clip.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import asl_core as asl


class Circles:
    """Clips of 2 features per frame. ``asl_core/contracts.py`` has the whole contract of a data set."""

    def splits(self) -> list[str]:
        return ["train", "val"]

    def clips(self, split: str) -> Iterator[asl.Clip]:
        random = np.random.default_rng(len(split))
        for number in range(40 if split == "train" else 10):
            gloss, turn = ("clockwise", -1) if number % 2 else ("anticlockwise", 1)
            angle = turn * np.linspace(0, random.uniform(4, 8), random.integers(20, 40)) + random.uniform(0, 6)
            frames = np.stack([np.cos(angle), np.sin(angle)], axis=1) + random.normal(0, 0.1, (len(angle), 2))
            yield asl.Clip(id=f"{split}-{number}", features=frames, glosses=(gloss,))

    def findings(self) -> list[asl.Finding]:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    out = parser.parse_args().out

    # A plugin offers its components by a hook; a script gives a class, or an object, in place of a name.
    result = asl.run(dataset=Circles, encoder="gru", encoder__hidden_size=16, epochs=10, out=out)
    print(f"{result.path}: top-1 {result.last['top1']:.0%} of the val clips")

    unseen = asl.Clip(id="unseen", features=np.stack([np.cos(t := np.linspace(0, 6, 30)), np.sin(t)], axis=1))
    model = result.load()  # in another process: asl.load(path, registry=asl.registry_with(dataset=Circles))
    (prediction,) = asl.predict_clips(model, [unseen])
    print("an unseen clip: " + ", ".join(f"{gloss} {probability:.0%}" for gloss, probability in prediction.top))


if __name__ == "__main__":
    main()
