"""The data set ``demo``: clips generated on demand, the same ones every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from asl_core import Clip, ClipRandom, DataError, Finding
from asl_demo.lexicon import Lexicon
from asl_demo.motion import Course
from asl_demo.options import DemoOptions
from asl_demo.performance import Cast, perform

__all__ = ["DemoDataset"]

_BLOCK = 256  #: clips generated at a time


class DemoDataset:
    """Synthetic signs in the 36-feature layout, of any number of glosses and clips.

    Families of eight signs share their poses and differ in order and movement only (see :mod:`asl_demo.lexicon`).
    Train has the first three quarters of the signers, val and test all of them, so that about a quarter of their clips
    has a new signer. Clip ``k`` of gloss ``g`` depends on ``seed``, ``g`` and ``k``, not on the number of clips or
    glosses; in sentences, the glosses after ``g`` do depend on the number of glosses.
    """

    def __init__(self, options: DemoOptions):
        self.options = options
        self.lexicon = Lexicon(options.glosses, options.seed)
        self._clips = {"train": options.train, "val": options.val, "test": options.test}
        signers = torch.arange(options.signers)
        self._cast = Cast.of(ClipRandom.of(signers, options.seed, "demo signers"), options)

    def splits(self) -> Sequence[str]:
        """The splits that have clips."""
        return [split for split, clips in self._clips.items() if clips]

    def findings(self) -> Sequence[Finding]:
        """None: synthetic clips have no faults."""
        return []

    def read(self, path: Path) -> Sequence[Clip]:
        """Not possible: the demo generates its clips.

        Raises:
            DataError: always.
        """
        raise DataError(
            f"{path}: the data set 'demo' generates its clips and reads no files. To have a clip recognised, save "
            "its frames as a .npy file, a float32 array (frames, 36) in the reference layout, and give that."
        )

    def clips(self, split: str) -> Iterator[Clip]:
        """The clips of one split, gloss by gloss, generated in blocks on demand.

        Raises:
            DataError: there is no such split.
        """
        if split not in self.splits():
            raise DataError(
                f"the data set 'demo' has no split {split!r} with these settings; it has {', '.join(self.splits())}. "
                f"Set --dataset.{split} to 1 or more clips per gloss."
            )
        return self._blocks(split)

    def _blocks(self, split: str) -> Iterator[Clip]:
        each = self._clips[split]
        total = self.options.glosses * each
        for start in range(0, total, _BLOCK):
            index = np.arange(start, min(start + _BLOCK, total))
            yield from self._block(split, index // each, index % each)

    def _block(self, split: str, gloss: np.ndarray, take: np.ndarray) -> Iterator[Clip]:
        """Clips ``take`` (B,) of the glosses ``gloss`` (B,)."""
        options = self.options
        index = torch.from_numpy((gloss << 32) | take)
        random = ClipRandom.of(index, options.seed, "demo", split)
        signers = options.signers - options.signers // 4 if split == "train" else options.signers
        signer = _choose(random.stream("signer").uniform(), signers)
        counts = 1 + _choose(random.stream("count").uniform(), options.sentence_length)
        # The next gloss is any but the last one: a repeated sign needs a pause, which the demo does not generate.
        steps = 1 + _choose(random.stream("glosses").uniform(options.sentence_length), options.glosses - 1)
        steps[:, 0] = gloss
        signs = np.cumsum(steps, axis=1) % options.glosses

        course = Course.of(self.lexicon.signs(signs), counts, options.frames)
        features, lengths = perform(course, self._cast, signer, random, options)
        names = self.lexicon.names(signs.ravel())
        most = options.sentence_length
        end = 0
        for i, length in enumerate(lengths.tolist()):
            start, end = end, end + length
            yield Clip(
                id=f"{split}-{gloss[i]:05d}-{take[i]:05d}",
                features=features[start:end].copy(),  # a view would keep the whole block in memory
                glosses=tuple(names[i * most : i * most + counts[i]]),
                signer=f"signer-{signer[i]:02d}",
                source="demo",
            )


def _choose(uniform: torch.Tensor, choices: int) -> np.ndarray:
    """Integers 0 … choices - 1 from numbers in [0, 1)."""
    return np.asarray((uniform.numpy().astype(np.float64) * choices).astype(np.int64))
