"""Left and right swapped in the 36-number layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from asl_core import Batch, ClipRandom
from asl_layout36.layout import MIRROR_FROM, MIRROR_SIGN, unfit36
from asl_layout36.options import MirrorOptions

__all__ = ["Mirror"]


class Mirror:
    """A clip as a left-handed signer would perform it; exact, since it works on frames as they were extracted."""

    raw = True  # before standardisation, whose means and deviations differ between the two hands

    def __init__(self, options: MirrorOptions):
        self.options = options
        self._from = torch.tensor(MIRROR_FROM)
        self._sign = torch.tensor(MIRROR_SIGN)

    unfit = staticmethod(unfit36)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, some of them mirrored."""
        chosen = random.chance(self.options.probability)[:, None, None]
        return batch.with_features(torch.where(chosen, self.mirrored(batch).features, batch.features))

    def views(self) -> Mapping[str, Callable[[Batch], Batch]]:
        """``mirror``, in which every clip is mirrored."""
        return {"mirror": self.mirrored}

    def mirrored(self, batch: Batch) -> Batch:
        """All clips mirrored."""
        features = batch.features
        return batch.with_features(features.index_select(2, self._from.to(features.device)) * self._sign.to(features))
