"""Augmentations of feature values, in any layout."""

from __future__ import annotations

import torch

from asl_augment.options import NoiseOptions, ScaleOptions
from asl_core import Batch, ClipRandom

__all__ = ["Noise", "Scale"]


class Noise:
    """Gaussian noise, independent for every feature of every frame."""

    def __init__(self, options: NoiseOptions):
        self.options = options

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, noisier."""
        # One factor per frame: std, and 0 for clips that are not changed and for padding.
        amount = self.options.std * random.chance(self.options.probability)[:, None] * batch.mask
        noise = random.stream("noise").normal(*batch.features.shape[1:])
        noise = noise * amount.to(noise.dtype)[:, :, None]
        return batch.with_features(batch.features + noise.to(batch.features.dtype))


class Scale:
    """Gain and offset drawn for each dimension of a clip: another signer, another camera."""

    def __init__(self, options: ScaleOptions):
        self.options = options

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, each dimension multiplied and shifted."""
        width, kind = batch.features.shape[2], batch.features.dtype
        chosen = random.chance(self.options.probability)[:, None]
        gain, offset = (random.stream("scale").normal(2, width) * chosen[:, None]).unbind(1)
        gain, offset = 1.0 + self.options.gain * gain, self.options.offset * offset
        features = batch.features * gain.to(kind)[:, None, :] + offset.to(kind)[:, None, :]
        return batch.with_features(torch.where(batch.mask[:, :, None], features, 0.0))
