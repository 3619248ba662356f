"""Augmentations of packed landmarks: another camera, another signer, and the noise and losses of a detector.

Products are written out rather than left to a matrix multiplication, whose rounding depends on the shape of its
arguments: a clip comes out the same to the bit alone and in any batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from torch import Tensor

from asl_core import Batch, ClipRandom
from asl_landmarks.layout import ABSENT, HAND, HANDS, unfit_packed
from asl_landmarks.options import JitterOptions, LoseFingersOptions, LoseHandOptions, RotateOptions, StretchOptions
from asl_landmarks.points import Points, mean_over_time

__all__ = ["Jitter", "LoseFingers", "LoseHand", "Mirror", "MirrorHands", "Rotate", "Stretch", "rotated", "within"]

_FINGERS = 5


def within(random: ClipRandom, name: str, limit: float, *shape: int) -> Tensor:
    """(B, *shape) uniform in ±limit, from the stream ``name``."""
    return limit * (2.0 * random.stream(name).uniform(*shape) - 1.0)


def rotated(a: Tensor, b: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Two coordinates rotated by an angle, from the first axis towards the second."""
    return cos * a - sin * b, sin * a + cos * b


def _centre(points: Points) -> Tensor:
    """(3, B, 1, 1) mean place of the wrists in the clip: rotating about it keeps the hands in the picture."""
    present = points.hands_present[..., 0].to(points.axes.dtype)
    wrists = points.hands[..., 0, :] * present[..., None]
    count = present.sum(2)[..., None]
    return mean_over_time(wrists.sum(2) / count.clamp(min=1), count).T[:, :, None, None]


class Rotate:
    """``rotate``: each clip rotated about the mean of its wrists: about the vertical axis, then in the image plane."""

    raw = True

    def __init__(self, options: RotateOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, rotated."""
        points = Points.of(batch)
        centre = _centre(points)
        x, y, z = points.axes - centre
        z, x = rotated(z, x, *_angle(random, "vertical", self.options.vertical, x.dtype))
        x, y = rotated(x, y, *_angle(random, "plane", self.options.plane, x.dtype))
        chosen = random.chance(self.options.probability)
        return points.moved(torch.stack([x, y, z]) + centre, chosen).to_batch(batch)


def _angle(random: ClipRandom, name: str, degrees: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine, each (B, 1, 1), of an angle within ±degrees."""
    angle = within(random, name, math.radians(degrees), 1, 1)
    return torch.cos(angle).to(dtype), torch.sin(angle).to(dtype)


class Stretch:
    """``stretch``: each axis scaled by itself and x sheared along y, about the mean of the wrists; then shifted."""

    raw = True

    def __init__(self, options: StretchOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, of other proportions."""
        points = Points.of(batch)
        centre = _centre(points)
        offset = points.axes - centre
        scale = torch.exp(within(random, "scale", self.options.scale, 1, 1, 3)).to(offset.dtype)
        shear = within(random, "shear", self.options.shear, 1, 1).to(offset.dtype)
        right, down = within(random, "shift", self.options.shift, 1, 1, 2).to(offset.dtype).movedim(3, 0)
        x, y, z = offset * scale.movedim(3, 0)
        places = torch.stack([x + shear * offset[1] + right, y + down, z]) + centre
        return points.moved(places, random.chance(self.options.probability)).to_batch(batch)


class Mirror:
    """What ``mirror-hands`` and ``mirror36`` share: some clips mirrored, and a view ``mirror``."""

    raw = True  # before standardisation, whose means and deviations differ between the two hands

    def __init__(self, options: Any):
        self.options = options

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
        raise NotImplementedError


class MirrorHands(Mirror):
    """``mirror-hands``: right and left swapped, x reversed."""

    unfit = staticmethod(unfit_packed)

    @staticmethod
    def mirrored(batch: Batch) -> Batch:
        """All clips mirrored."""
        points = Points.of(batch)
        order = torch.tensor(points.layout.mirrored, device=batch.features.device)
        (x, y, z), present = points.axes.index_select(3, order), points.present.index_select(2, order)
        axes = torch.stack([torch.where(present, 1.0 - x, 0.0), y, z])
        return Points(axes, points.seen.index_select(2, order), present).to_batch(batch)


class Jitter:
    """``jitter``: Gaussian noise on every coordinate of every present point, independent from frame to frame."""

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

    ``ClipRandom.normal`` uses one of the two, and is too slow for so many numbers.
    """
    half = (columns + 1) // 2
    radius = torch.sqrt(-2.0 * torch.log1p(-random.stream("radius").uniform(rows, half)))
    angle = (2.0 * math.pi) * random.stream("angle").uniform(rows, half)
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=2)[:, :, :columns]


class LoseHand:
    """``lose-hand``: one hand of a clip absent, for ``share`` of the frames, starting at a random one.

    A hand is lost only where the other one is present in at least half of the frames: a one-handed sign keeps it.
    """

    raw = True

    def __init__(self, options: LoseHandOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, some of them with one hand for a time."""
        points, lengths = Points.of(batch), batch.lengths
        left = random.stream("hand").uniform() < 0.5
        present = points.hands_present[..., 0].sum(1)
        other = torch.where(left, present[:, 0], present[:, 1])
        chosen = random.chance(self.options.probability) & (2 * other >= lengths)

        span = (lengths * self.options.share).ceil().long().minimum(lengths)
        start = (random.stream("start").uniform() * (lengths - span + 1)).long().minimum(lengths - span)
        time = torch.arange(batch.features.shape[1], device=lengths.device)
        inside = (time >= start[:, None]) & (time < (start + span)[:, None]) & chosen[:, None]

        index = torch.arange(points.layout.points, device=lengths.device)
        hand = torch.where(left[:, None], (index >= HAND) & (index < HANDS), index < HAND)
        return _without(points, inside[:, :, None] & hand[:, None]).to_batch(batch)


class LoseFingers:
    """``lose-fingers``: each finger absent beyond its root for the whole clip with chance ``share``; the palm stays."""

    raw = True

    def __init__(self, options: LoseFingersOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, some of them without some fingers."""
        points = Points.of(batch)
        lost = random.stream("finger").uniform(2, _FINGERS) < self.options.share
        lost &= random.chance(self.options.probability)[:, None, None]
        clips = len(batch)
        fingers = torch.zeros(clips, 2, HAND, dtype=torch.bool, device=lost.device)
        for joint in (2, 3, 4):  # the first joint of each finger is its root
            fingers[:, :, joint::4] = lost
        hidden = torch.zeros(clips, 1, points.layout.points, dtype=torch.bool, device=lost.device)
        hidden[:, 0, :HANDS] = fingers.view(clips, HANDS)
        return _without(points, hidden).to_batch(batch)


def _without(points: Points, lost: Tensor) -> Points:
    """The points without those ``lost`` (B, T or 1, P)."""
    lost = lost & points.present
    seen = torch.where(lost, float(ABSENT), points.seen)
    return attrs.evolve(points, axes=points.axes.masked_fill(lost, 0.0), seen=seen)
