"""Dropout whose random numbers are cheap on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Dropout"]


class Dropout(nn.Dropout):
    """``nn.Dropout`` that draws one byte per value on a CPU, where torch draws a double.

    torch's draws took a sixth of a transformer's training step. The dropped share is rounded to a multiple of 1/256,
    and the rest is scaled by the rounded share, so the expectation is exact. Random numbers are from torch's global
    generator.
    """

    def forward(self, values: Tensor) -> Tensor:
        """The values, some of them zeroed in training."""
        if not self.training or self.p == 0 or values.device.type != "cpu":
            return super().forward(values)
        dropped = min(max(round(256 * self.p), 1), 255)
        words = torch.empty((values.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: values.numel()].view(values.shape) >= dropped
        return values * kept.to(values.dtype).mul_(256 / (256 - dropped))
