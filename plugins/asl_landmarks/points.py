"""Packed batches as points, for what runs on the device."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from asl_core import Batch
from asl_landmarks.layout import HAND, HANDS, POINT, SEEN, Packed

__all__ = ["Points", "central_difference", "mean_over_time"]


@attrs.frozen(eq=False)
class Points:
    """The points of a batch, one coordinate after the other: each contiguous, which is fast to compute with."""

    axes: Tensor  #: (3, B, T, P) x, y and z; 0 where absent and in padding
    seen: Tensor  #: (B, T, P) SEEN, FILLED or ABSENT; 0 in padding
    present: Tensor  #: (B, T, P) bool: seen or filled, and no padding

    @classmethod
    def of(cls, batch: Batch) -> Points:
        """From packed frames.

        Raises:
            ValueError: the frames have another width.
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
        """The present points of the ``chosen`` (B,) clips at other places (3, B, T, P)."""
        inside = self.present & chosen[:, None, None]
        return attrs.evolve(self, axes=torch.where(inside, axes, self.axes))

    @property
    def places(self) -> Tensor:
        """(B, T, P, 3), a view."""
        return self.axes.movedim(0, 3)

    @property
    def layout(self) -> Packed:
        """Which points these are."""
        return Packed(self.seen.shape[2] - HANDS)

    @property
    def hands(self) -> Tensor:
        """(B, T, 2, 21, 3) right, left."""
        clips, frames = self.seen.shape[:2]
        return self.places[:, :, :HANDS].view(clips, frames, 2, HAND, 3)

    @property
    def hands_present(self) -> Tensor:
        """(B, T, 2, 21) bool: seen or filled, of hands whose wrist is."""
        clips, frames = self.present.shape[:2]
        present = self.present[:, :, :HANDS].view(clips, frames, 2, HAND)
        return present & present[..., :1]

    @property
    def hands_seen(self) -> Tensor:
        """(B, T, 2) bool: the wrist was seen, not filled."""
        return self.present[:, :, [0, HAND]] & (self.seen[:, :, [0, HAND]] > (SEEN / 2))


def mean_over_time(values: Tensor, weights: Tensor) -> Tensor:
    """(B, ...) mean of values (B, T, ...) over the frames, weighted by (B, T, ...); 0 where all weights are.

    Summed frame by frame: another order of summing would round differently with another length of padding.
    """
    weights = weights.to(values.dtype)
    total = torch.cumsum(values * weights, dim=1)[:, -1]
    count = torch.cumsum(weights, dim=1)[:, -1]
    return total / torch.where(count > 0, count, 1.0)


def central_difference(values: Tensor, present: Tensor) -> Tensor:
    """(B, T, 2, D) half the change of values from the frame before to the one after.

    0 in the first and the last frame, and where a hand is not ``present`` (B, T, 2) in either neighbour.
    """
    change = torch.zeros_like(values)
    both = (present[:, 2:] & present[:, :-2])[..., None]
    change[:, 1:-1] = torch.where(both, (values[:, 2:] - values[:, :-2]) / 2, 0.0)
    return change
