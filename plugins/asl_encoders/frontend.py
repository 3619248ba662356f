"""The front end of an encoder: a projection and a short convolution."""

from __future__ import annotations

from torch import Tensor, nn

from asl_core import frame_mask
from asl_encoders.convolution import DepthwiseConvolution
from asl_encoders.dropout import Dropout

__all__ = ["FrontEnd"]


class FrontEnd(nn.Module):
    """Linear layer, depth-wise convolution over ``kernel`` frames beside it, GELU, layer norm, dropout.

    (B, T, D) to (B, T, size). The convolution smooths the jitter of landmark detectors; padding is zeroed before it.
    """

    def __init__(self, input_size: int, size: int, kernel: int, dropout: float):
        super().__init__()
        self.project = nn.Linear(input_size, size)
        self.convolution = DepthwiseConvolution(size, kernel) if kernel > 1 else None
        self.norm = nn.LayerNorm(size)
        self.dropout = Dropout(dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, size) frames; padding holds anything."""
        frames = self.project(features)
        if self.convolution is not None:
            frames = frames * frame_mask(lengths, frames.shape[1])[:, :, None]  # the bias fills padding otherwise
            frames = frames + self.convolution(frames)
        return self.dropout(self.norm(nn.functional.gelu(frames)))  # type: ignore[no-any-return]
