"""Another camera for the 36-number layout."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from asl_core import Batch, ClipRandom
from asl_layout36.layout import PALM, PLACE, VELOCITY, unfit36
from asl_layout36.options import Turn36Options

__all__ = ["Turn36"]


class Turn36:
    """Places and velocities turned in the image plane and stretched, palms turned with them and about the vertical.

    The image turns about the layout's origin. A hand that was not found stays 0.
    """

    raw = True

    def __init__(self, options: Turn36Options):
        self.options = options

    unfit = staticmethod(unfit36)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, seen otherwise."""
        features, options = batch.features, self.options
        clips, frames = features.shape[:2]

        def within(name: str, limit: float, *shape: int) -> Tensor:
            return (limit * (2.0 * random.stream(name).uniform(*shape) - 1.0)).to(features.dtype)

        plane = within("plane", math.radians(options.plane), 1, 1)
        vertical = within("vertical", math.radians(options.vertical), 1, 1)
        scale = torch.exp(within("scale", options.scale, 1, 1, 3))

        def vectors(where: slice) -> Tensor:
            return features[:, :, where].reshape(clips, frames, 2, 3)

        changes = (
            (PLACE, _in_plane(vectors(PLACE), plane) * scale),
            (VELOCITY, _in_plane(vectors(VELOCITY), plane) * scale),
            (PALM, _in_plane(_about_vertical(vectors(PALM), vertical), plane)),
        )
        turned = features.clone()
        for where, value in changes:
            turned[:, :, where] = value.reshape(clips, frames, 6)
        chosen = random.chance(options.probability)[:, None, None]
        return batch.with_features(torch.where(chosen, turned, features))


def _in_plane(vectors: Tensor, angle: Tensor) -> Tensor:
    x, y, z = vectors.unbind(-1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos * x - sin * y, sin * x + cos * y, z], dim=-1)


def _about_vertical(vectors: Tensor, angle: Tensor) -> Tensor:
    x, y, z = vectors.unbind(-1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos * x + sin * z, y, cos * z - sin * x], dim=-1)
