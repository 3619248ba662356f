"""Augmentations that hide points, as if they had not been detected."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from asl_core import Batch, ClipRandom
from asl_landmarks.layout import ABSENT, HAND, HANDS, unfit_packed
from asl_landmarks.options import LoseFingersOptions, LoseHandOptions
from asl_landmarks.points import Points

__all__ = ["LoseFingers", "LoseHand"]

_FINGERS = 5


def _without(points: Points, lost: Tensor) -> Points:
    """The points without those ``lost`` (B, T or 1, P)."""
    lost = lost & points.there
    seen = torch.where(lost, float(ABSENT), points.seen)
    return attrs.evolve(points, axes=points.axes.masked_fill(lost, 0.0), seen=seen)


class LoseHand:
    """One hand of a clip absent, for ``share`` of the frames at a random place.

    A hand is only lost where the other one is there in at least half of the frames: a sign of one hand keeps it.
    """

    raw = True

    def __init__(self, options: LoseHandOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, some of them with one hand for a time."""
        points, lengths = Points.of(batch), batch.lengths
        left = random.stream("hand").uniform() < 0.5
        there = points.hands_there[..., 0].sum(1)
        other = torch.where(left, there[:, 0], there[:, 1])
        chosen = random.chance(self.options.probability) & (2 * other >= lengths)

        span = (lengths * self.options.share).ceil().long().minimum(lengths)
        start = (random.stream("start").uniform() * (lengths - span + 1)).long().minimum(lengths - span)
        time = torch.arange(batch.features.shape[1], device=lengths.device)
        inside = (time >= start[:, None]) & (time < (start + span)[:, None]) & chosen[:, None]

        place = torch.arange(points.layout.points, device=lengths.device)
        hand = torch.where(left[:, None], (place >= HAND) & (place < HANDS), place < HAND)
        return _without(points, inside[:, :, None] & hand[:, None]).to_batch(batch)


class LoseFingers:
    """Each finger of each hand absent beyond its root, for the whole clip, with chance ``share``; the palm stays."""

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
