"""Packed batches as points, for what runs on the device."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from asl_core import Batch
from asl_landmarks.layout import HAND, HANDS, POINT, SEEN, Packed

__all__ = ["Points", "mean_over_time"]


@attrs.frozen(eq=False)
class Points:
    """The points of a batch, one coordinate after the other: each in one piece, which is quick to compute with."""

    axes: Tensor  #: (3, B, T, P) x, y and z; 0 where absent and in padding
    seen: Tensor  #: (B, T, P) SEEN, FILLED or ABSENT; 0 in padding
    there: Tensor  #: (B, T, P) bool: seen or filled, and no padding

    @classmethod
    def of(cls, batch: Batch) -> Points:
        """From packed frames.

        Raises:
            ValueError: they are of another width.
        """
        clips, frames, width = batch.features.shape
        layout = Packed.require(width, "a transform or augmentation of landmarks")
        numbers = batch.features.view(clips, frames, layout.points, POINT).movedim(3, 0).contiguous()
        seen = numbers[3]
        return cls(numbers[:3], seen, (seen >= 0) & batch.mask[:, :, None])

    def to_batch(self, batch: Batch) -> Batch:
        """The batch with these points as its frames."""
        return batch.with_features(torch.stack([*self.axes, self.seen], dim=3).flatten(2))

    def moved(self, axes: Tensor, chosen: Tensor) -> Points:
        """The points there are, of the ``chosen`` (B,) clips, at other places."""
        inside = self.there & chosen[:, None, None]
        return attrs.evolve(self, axes=torch.where(inside, axes, self.axes))

    @property
    def places(self) -> Tensor:
        """(B, T, P, 3), a view."""
        return self.axes.movedim(0, 3)

    @property
    def layout(self) -> Packed:
        """Which points there are."""
        return Packed(self.seen.shape[2] - HANDS)

    @property
    def hands(self) -> Tensor:
        """(B, T, 2, 21, 3) right, left."""
        clips, frames = self.seen.shape[:2]
        return self.places[:, :, :HANDS].view(clips, frames, 2, HAND, 3)

    @property
    def hands_there(self) -> Tensor:
        """(B, T, 2, 21) bool: seen or filled, of hands whose wrist is."""
        clips, frames = self.there.shape[:2]
        there = self.there[:, :, :HANDS].view(clips, frames, 2, HAND)
        return there & there[..., :1]

    @property
    def hands_seen(self) -> Tensor:
        """(B, T, 2) bool: the wrist was seen, not filled."""
        return self.there[:, :, [0, HAND]] & (self.seen[:, :, [0, HAND]] > (SEEN / 2))


def mean_over_time(values: Tensor, weights: Tensor) -> Tensor:
    """(B, ...) mean of values (B, T, ...) over the frames, weighted by (B, T, ...); 0 where no weight is.

    Summed one frame after the other: a sum of another order would round otherwise in another length of padding.
    """
    weights = weights.to(values.dtype)
    total = torch.cumsum(values * weights, dim=1)[:, -1]
    count = torch.cumsum(weights, dim=1)[:, -1]
    return total / torch.where(count > 0, count, 1.0)
