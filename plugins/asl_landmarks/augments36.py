"""Augmentations of the 36-feature layout. Features of a hand that was not detected stay 0."""

from __future__ import annotations

import math

import torch

from asl_core import Batch, ClipRandom
from asl_landmarks.augments import Mirror, rotated, within
from asl_landmarks.layout36 import MIRROR_FROM, MIRROR_SIGN, PALM, PLACE, VELOCITY, unfit36
from asl_landmarks.options import Turn36Options

__all__ = ["Mirror36", "Turn36"]


class Mirror36(Mirror):
    """The augmentation ``mirror36``: the clip as a left-handed signer would perform it."""

    unfit = staticmethod(unfit36)

    @staticmethod
    def mirrored(batch: Batch) -> Batch:
        """All clips mirrored."""
        features = batch.features
        source = torch.tensor(MIRROR_FROM, device=features.device)
        return batch.with_features(features.index_select(2, source) * torch.tensor(MIRROR_SIGN).to(features))


class Turn36:
    """The augmentation ``turn36``: another camera.

    Places and velocities are rotated in the image plane about the layout's origin and scaled; palm normals are rotated
    with them and about the vertical axis.
    """

    raw = True

    def __init__(self, options: Turn36Options):
        self.options = options

    unfit = staticmethod(unfit36)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, some of them turned."""
        features, options = batch.features, self.options
        clips, frames = features.shape[:2]
        plane = within(random, "plane", math.radians(options.plane), 1, 1).to(features.dtype)
        vertical = within(random, "vertical", math.radians(options.vertical), 1, 1).to(features.dtype)
        scale = torch.exp(within(random, "scale", options.scale, 1, 1, 3).to(features.dtype))
        turned = features.clone()
        for where in (PLACE, VELOCITY, PALM):
            x, y, z = features[:, :, where].reshape(clips, frames, 2, 3).unbind(-1)
            if where == PALM:
                z, x = rotated(z, x, torch.cos(vertical), torch.sin(vertical))
            x, y = rotated(x, y, torch.cos(plane), torch.sin(plane))
            vectors = torch.stack([x, y, z], dim=-1) * (1.0 if where == PALM else scale)
            turned[:, :, where] = vectors.reshape(clips, frames, 6)
        chosen = random.chance(options.probability)[:, None, None]
        return batch.with_features(torch.where(chosen, turned, features))
