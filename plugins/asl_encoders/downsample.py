"""Fewer frames: means of neighbours, without padding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asl_core import frame_mask


class Downsample(nn.Module):
    """Average every ``factor`` neighbouring frames; the last group of a clip may be smaller.

    (B, T, D) and lengths (B,) become (B, ⌈T/factor⌉, D) and ⌈length/factor⌉.
    """

    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """(B,) frames after downsampling."""
        return torch.div(lengths + self.factor - 1, self.factor, rounding_mode="floor")

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The averaged frames and their lengths."""
        if self.factor == 1:
            return features, lengths
        missing = -features.shape[1] % self.factor
        real = frame_mask(lengths, features.shape[1])[:, :, None].to(features.dtype)
        groups = self._groups(features * real, missing)
        counts = self._groups(real, missing)
        return groups.sum(2) / counts.sum(2).clamp(min=1), self.output_lengths(lengths)

    def _groups(self, frames: Tensor, missing: int) -> Tensor:
        padded = nn.functional.pad(frames, (0, 0, 0, missing))
        return padded.view(padded.shape[0], -1, self.factor, padded.shape[2])
