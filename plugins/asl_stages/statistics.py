"""Standardised frames for losses, whether the run standardises its features or not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asl_core import Facts, frame_statistics

__all__ = ["FrameStatistics"]


class FrameStatistics(nn.Module):
    """Mean and deviation of the train frames, saved with the run; 0 and 1 before :meth:`fit`.

    Args:
        facts: say whether batches are standardised already; without facts they are.
    """

    mean: Tensor  #: (D,), or (1,) before :meth:`fit`
    scale: Tensor
    varying: Tensor  #: (D,) bool, whether the feature varies in train

    def __init__(self, facts: Facts | None = None):
        super().__init__()
        self.standardised = facts is None or facts.standardised
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("varying", torch.ones(1, dtype=torch.bool))

    def fit(self, frames: Tensor) -> None:
        """From (N, D) train frames that are not standardised."""
        mean, scale, self.varying = frame_statistics(frames)
        self.mean, self.scale = mean.to(frames.dtype), scale.to(frames.dtype)

    def scaled(self, features: Tensor) -> Tensor:
        """(…, D) standardised frames of a batch, 0 for features that are constant in train."""
        values = features if self.standardised else (features - self.mean) / self.scale
        return values.masked_fill(~self.varying, 0.0)

    def average(self, features: Tensor) -> Tensor:
        """The mean frame in the units of ``features``: 0 where they are standardised."""
        return torch.zeros_like(features) if self.standardised else self.mean.expand_as(features)
