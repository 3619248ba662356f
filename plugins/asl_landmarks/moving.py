"""Augmentations that move points: another camera, another signer, a detector's noise.

Products are written out rather than left to a matrix multiplication, whose rounding depends on the shape of its
arguments: a clip comes out the same to the bit alone and in any batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from asl_core import Batch, ClipRandom
from asl_landmarks.layout import unfit_packed
from asl_landmarks.options import JitterOptions, MirrorHandsOptions, RotateOptions, StretchOptions
from asl_landmarks.points import Points, mean_over_time

__all__ = ["Jitter", "MirrorHands", "Rotate", "Stretch"]


def _within(random: ClipRandom, name: str, limit: float, *shape: int) -> Tensor:
    """(B, *shape) uniform in ±limit."""
    return limit * (2.0 * random.stream(name).uniform(*shape) - 1.0)


def _centre(points: Points) -> Tensor:
    """(3, B, 1, 1) mean place of the wrists in the clip: what is turned about it stays in the picture."""
    there = points.hands_there[..., 0].to(points.axes.dtype)
    wrists = points.hands[..., 0, :] * there[..., None]
    both = there.sum(2)[..., None]
    return mean_over_time(wrists.sum(2) / both.clamp(min=1), both).T[:, :, None, None]


class Rotate:
    """Each clip turned about the mean place of its wrists: about the vertical axis, and then in the image plane."""

    raw = True

    def __init__(self, options: RotateOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, turned."""
        points = Points.of(batch)
        centre = _centre(points)
        x, y, z = points.axes - centre
        cos, sin = _turn(random, "vertical", self.options.vertical, x.dtype)
        x, z = cos * x + sin * z, cos * z - sin * x
        cos, sin = _turn(random, "plane", self.options.plane, x.dtype)
        x, y = cos * x - sin * y, sin * x + cos * y
        chosen = random.chance(self.options.probability)
        return points.moved(torch.stack([x, y, z]) + centre, chosen).to_batch(batch)


def _turn(random: ClipRandom, name: str, degrees: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine, each (B, 1, 1), of an angle within ±degrees."""
    angle = _within(random, name, math.radians(degrees), 1, 1)
    return torch.cos(angle).to(dtype), torch.sin(angle).to(dtype)


class Stretch:
    """Each axis of a clip longer or shorter by itself, x slanted along y, from the mean place of the wrists; moved."""

    raw = True

    def __init__(self, options: StretchOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, of other proportions."""
        points = Points.of(batch)
        centre = _centre(points)
        away = points.axes - centre
        scale = torch.exp(_within(random, "scale", self.options.scale, 1, 1, 3)).to(away.dtype)
        shear = _within(random, "shear", self.options.shear, 1, 1).to(away.dtype)
        right, down = _within(random, "shift", self.options.shift, 1, 1, 2).to(away.dtype).movedim(3, 0)
        x, y, z = away * scale.movedim(3, 0)
        places = torch.stack([x + shear * away[1] + right, y + down, z]) + centre
        return points.moved(places, random.chance(self.options.probability)).to_batch(batch)


class MirrorHands:
    """A clip as in a mirror: right and left swapped, x turned around."""

    raw = True

    def __init__(self, options: MirrorHandsOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, some of them mirrored."""
        chosen = random.chance(self.options.probability)[:, None, None]
        return batch.with_features(torch.where(chosen, self.mirrored(batch).features, batch.features))

    def views(self) -> Mapping[str, Callable[[Batch], Batch]]:
        """``mirror``, in which every clip is mirrored."""
        return {"mirror": self.mirrored}

    @staticmethod
    def mirrored(batch: Batch) -> Batch:
        """All clips mirrored."""
        points = Points.of(batch)
        order = torch.tensor(points.layout.mirrored, device=batch.features.device)
        (x, y, z), there = points.axes.index_select(3, order), points.there.index_select(2, order)
        axes = torch.stack([torch.where(there, 1.0 - x, 0.0), y, z])
        return Points(axes, points.seen.index_select(2, order), there).to_batch(batch)


class Jitter:
    """Gaussian noise on every coordinate of every point that is there, independent from frame to frame."""

    raw = True

    def __init__(self, options: JitterOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, less steady."""
        points, chosen = Points.of(batch), random.chance(self.options.probability)
        frames, count = points.seen.shape[1:]
        noise = _normal(random.stream("noise"), frames, 3 * count).reshape(len(batch), frames, count, 3).movedim(3, 0)
        return points.moved(points.axes + self.options.std * noise.to(points.axes.dtype), chosen).to_batch(batch)


def _normal(random: ClipRandom, rows: int, columns: int) -> Tensor:
    """(B, rows, columns) of mean 0 and variance 1, two from each pair of uniform numbers (Box and Muller 1958).

    ``ClipRandom.normal`` uses one of the two; there are so many numbers here that it would show.
    """
    half = (columns + 1) // 2
    radius = torch.sqrt(-2.0 * torch.log1p(-random.stream("radius").uniform(rows, half)))
    angle = (2.0 * math.pi) * random.stream("angle").uniform(rows, half)
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=2)[:, :, :columns]
