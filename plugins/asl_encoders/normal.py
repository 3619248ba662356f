"""Batch norm over the real frames of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["FrameBatchNorm"]


class FrameBatchNorm(nn.BatchNorm1d):
    """``nn.BatchNorm1d`` (Ioffe and Szegedy 2015) over the real frames of (B, T, D), without padding.

    Padding comes out as zero. In evaluation the running averages are used, so a clip does not depend on its batch.
    """

    def forward(self, frames: Tensor, real: Tensor | None = None) -> Tensor:
        """(B, T, D) to the same shape; ``real`` (B, T) bool is False for padding (default: all frames are real)."""
        if real is None:
            real = frames.new_ones(frames.shape[:2], dtype=torch.bool)
        rows = frames[real]
        if self.training and len(rows) > 1:  # one frame has no variance: use the running averages
            scaled = super().forward(rows)
        else:
            scaled = nn.functional.batch_norm(
                rows, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        found = torch.zeros_like(frames, dtype=scaled.dtype)
        found[real] = scaled
        return found
