"""An augmentation: clips as a slower camera would have recorded them, resampled back to the model's rate."""

from __future__ import annotations

import math

import attrs
import torch
from torch import Tensor

from asl_core import Batch, ClipRandom
from asl_landmarks.layout import ABSENT, unfit_packed
from asl_landmarks.options import ThinOptions
from asl_landmarks.points import Points

__all__ = ["Thin"]


class Thin:
    """Only every n-th frame of a clip is kept, and the others are read between those.

    n is log-uniform in 1 … ``most`` and need not be whole: frames are kept unevenly then, as a camera under load
    gives them. It does to clips what ``resample`` does to those of lower rates, so that a model learns to expect it.
    """

    raw = True

    def __init__(self, options: ThinOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, as long as before."""
        points = Points.of(batch)
        step = torch.exp(math.log(self.options.most) * random.stream("step").uniform())
        step = torch.where(random.chance(self.options.probability), step, 1.0)
        time = torch.arange(batch.features.shape[1], device=step.device)
        before, after = _around(_kept(time, step, random.stream("phase").uniform()), batch.lengths)
        return _between(points, time, before, after, batch.mask).to_batch(batch)


def _kept(time: Tensor, step: Tensor, phase: Tensor) -> Tensor:
    """(B, T) bool: the first frame at or after each multiple of ``step`` (B,), shifted by ``phase`` of one."""
    slot = torch.floor(time[None, :] / step[:, None] + phase[:, None])
    kept = torch.ones_like(slot, dtype=torch.bool)
    kept[:, 1:] = slot[:, 1:] != slot[:, :-1]
    return kept


def _around(kept: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """(B, T) the last kept frame up to each frame, and the first one from it on; the last one at the end."""
    frames = kept.shape[1]
    time = torch.arange(frames, device=kept.device).expand_as(kept)
    kept = kept & (time < lengths[:, None])
    before = torch.where(kept, time, 0).cummax(1).values
    after = torch.where(kept, time, frames).flip(1).cummin(1).values.flip(1)
    return before, torch.where(after == frames, before, after)


def _between(points: Points, time: Tensor, before: Tensor, after: Tensor, mask: Tensor) -> Points:
    """The points read between two frames; of one that either lacks, as in the nearer."""
    share = ((time - before) / (after - before).clamp(min=1)).to(points.axes.dtype)[:, :, None]
    nearer = torch.where(share[:, :, 0] < 0.5, before, after)
    axes, seen = points.axes, points.seen

    def at(values: Tensor, place: Tensor) -> Tensor:
        return torch.gather(values, values.dim() - 2, place[:, :, None].expand_as(seen).expand_as(values))

    seen_before, seen_after = at(seen, before), at(seen, after)
    both = (seen_before != ABSENT) & (seen_after != ABSENT)
    a, b = at(axes, before), at(axes, after)
    read = torch.where(both, a + share * (b - a), at(axes, nearer))
    known = torch.where(both, torch.minimum(seen_before, seen_after), at(seen, nearer))
    inside = mask[:, :, None]
    return attrs.evolve(points, axes=torch.where(inside, read, 0.0), seen=torch.where(inside, known, 0.0))
