"""Clips and what happens to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from asl_core import Batch, Clip, ClipRandom, DataError, EpochReport, Finding

from asl_frozen.options import AugmentOptions, DataOptions


class Data:
    """Clips that rise or fall."""

    def __init__(self, options: DataOptions):
        self.options = options

    def splits(self) -> Sequence[str]:
        return ("train", "val")

    def clips(self, split: str) -> Iterable[Clip]:
        if split not in self.splits():
            raise DataError(f"there is no split {split!r}; expected train or val.")
        for number in range(self.options.clips * 2):
            length, sign = 4 + number % 3, 1 if number % 2 else -1
            ramp = sign * np.linspace(0.0, 1.0, length)[:, None] + 0.01 * number + len(split)
            gloss = self.options.glosses[number % 2]
            yield Clip(
                id=f"{split}-{number}",
                features=np.repeat(ramp, 4, axis=1) * np.arange(1, 5),
                glosses=(gloss,),
                signer=str(number % 2),
                source="made up",
            )

    def findings(self) -> Sequence[Finding]:
        return [Finding("note", "made-up", "the clips are made up", {"clips": self.options.clips})]

    def read(self, path: Path) -> Sequence[Clip]:
        raise DataError(f"{path}: clips of this data set stand in no file.")


class Half:
    """Every second number of a frame."""

    def __init__(self, options: object):
        pass

    def unfit(self, width: int) -> str | None:
        return None if width % 2 == 0 else f"{width} is odd"

    def __call__(self, clip: Clip) -> Clip:
        return Clip(
            id=clip.id, features=clip.features[:, ::2], glosses=clip.glosses, signer=clip.signer, source=clip.source
        )


class Shift:
    """One offset a clip."""

    raw = True

    def __init__(self, options: AugmentOptions):
        self.size = options.size

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        offset = random.stream("shift").uniform(1, 1) * self.size
        return batch.with_features((batch.features + offset) * batch.mask[:, :, None])


class Count:
    """Counts the epochs."""

    def __init__(self, options: object):
        self.epochs = 0

    def on_start(self, config: object, summary: Mapping[str, object]) -> None:
        self.epochs = 0

    def on_epoch(self, report: EpochReport) -> None:
        self.epochs += 1

    def on_end(self, summary: Mapping[str, object]) -> None:
        if self.epochs != summary["epochs"]:
            raise RuntimeError(f"told of {self.epochs} epochs")
