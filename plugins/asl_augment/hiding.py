"""Augmentations that replace features by 0, the mean of standardised features."""

from __future__ import annotations

import torch

from asl_augment.options import DropOptions, MaskOptions
from asl_core import Batch, ClipRandom

__all__ = ["Drop", "Mask"]


class Mask:
    """``number`` spans of whole frames set to 0, each uniform in 0 … ``max_share`` of the clip (SpecAugment).

    The time masks of Park et al. 2019 (arXiv 1904.08779). A clip always keeps a frame.
    """

    def __init__(self, options: MaskOptions):
        self.options = options

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips with spans of zeros."""
        number, lengths = self.options.number, batch.lengths[:, None]
        # Whole frames of width and start, every choice equally likely.
        width = (random.stream("width").uniform(number) * (lengths * self.options.max_share + 1)).long()
        width = width.minimum(lengths)
        start = (random.stream("start").uniform(number) * (lengths - width + 1)).long()
        start = start.minimum(lengths - width)
        time = torch.arange(batch.features.shape[1], device=lengths.device)[None, None]
        hidden = ((time >= start[:, :, None]) & (time < (start + width)[:, :, None])).any(1)

        spare = (random.stream("spare").uniform(1) * lengths).long().minimum(lengths - 1)
        nothing_left = (hidden | ~batch.mask).all(1, keepdim=True)
        hidden &= ~(nothing_left & (time[0] == spare))
        hidden &= random.chance(self.options.probability)[:, None]
        return batch.with_features(batch.features.masked_fill(hidden[:, :, None], 0.0))


class Drop:
    """Each feature dimension of a clip set to 0 throughout with chance ``share``; the rest are not scaled up.

    Scaling, as in dropout, would move the remaining features away from their values at prediction.
    """

    def __init__(self, options: DropOptions):
        self.options = options

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips without some dimensions."""
        dropped = random.stream("dimension").uniform(batch.features.shape[2]) < self.options.share
        dropped &= random.chance(self.options.probability)[:, None]
        return batch.with_features(batch.features.masked_fill(dropped[:, None, :], 0.0))
