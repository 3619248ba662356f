"""The convolution + transformer encoder: wide depth-wise convolutions see the movement, attention sees the clip."""

from __future__ import annotations

from torch import Tensor, nn

from asl_core import Encoder, frame_mask
from asl_encoders.blocks import Residual, attention_pair, refuse_unequal_heads, skip_rates
from asl_encoders.convolution import DepthwiseConvolution
from asl_encoders.downsample import Downsample
from asl_encoders.dropout import Dropout
from asl_encoders.normal import FrameBatchNorm
from asl_encoders.options import ConvformerOptions

__all__ = ["ConvformerEncoder"]


class ConvformerEncoder(Encoder):
    """(B, T, D) to (B, ⌈T/downsample⌉, hidden-size).

    Stages of some convolution blocks and one attention block each, pre-norm, every block beside a residual branch that
    stochastic depth (Huang et al. 2016) leaves out in training, the later the block the more often. Positions are
    rotary (Su et al. 2021): attention knows how far apart two frames are, not where in the clip they stand.
    """

    def __init__(self, options: ConvformerOptions, input_size: int):
        super().__init__()
        size = options.hidden_size
        refuse_unequal_heads("convformer", size, options.heads)
        self.output_size = size
        self.project = nn.Linear(input_size, size)
        self.project_norm = nn.LayerNorm(size)
        self.downsample = Downsample(options.downsample)
        steps = options.convolutions + 1  # the attention and its two layers are left out as often as each other
        rates = iter(skip_rates(options.stochastic_depth, options.stages * steps))
        blocks: list[Residual] = []
        for _ in range(options.stages):
            blocks += [
                Residual(_Convolution(size, options.expansion, options.kernel), options.dropout, next(rates))
                for _ in range(options.convolutions)
            ]
            blocks += attention_pair(size, options.heads, options.expansion, options.dropout, next(rates))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(size)
        self.dropout = Dropout(options.output_dropout)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """(B,) frames after downsampling."""
        return self.downsample.output_lengths(lengths)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Frames that have seen all others of their clip, and no padding."""
        frames, lengths = self.downsample(self.project_norm(self.project(features)), lengths)
        real = frame_mask(lengths, frames.shape[1])
        for block in self.blocks:
            frames = block(frames, real)
        return self.dropout(self.norm(frames))  # type: ignore[no-any-return]


class _Convolution(nn.Module):
    """Widen, convolve over time number by number, narrow; batch norm, which is 3 points better here than layer norm."""

    def __init__(self, size: int, expansion: int, kernel: int):
        super().__init__()
        self.norm = FrameBatchNorm(size)
        self.widen = nn.Linear(size, expansion * size)
        self.convolution = DepthwiseConvolution(expansion * size, kernel)
        self.inner_norm = FrameBatchNorm(expansion * size)
        self.narrow = nn.Linear(expansion * size, size)

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        # The first layer's bias fills padding, which the convolution would read: zero it again.
        frames = nn.functional.silu(self.widen(self.norm(frames, real))) * real[:, :, None]
        found: Tensor = self.narrow(nn.functional.silu(self.inner_norm(self.convolution(frames), real)))
        return found
