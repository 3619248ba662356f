"""The convolution + transformer encoder: wide depth-wise convolutions for movement, attention over the clip."""

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

    Each stage has some convolution blocks and one attention block, pre-norm and residual, with stochastic depth (Huang
    et al. 2016). Positions are rotary (Su et al. 2021): attention depends on the distance of two frames, not on their
    place in the clip.
    """

    def __init__(self, options: ConvformerOptions, input_size: int):
        super().__init__()
        size = options.hidden_size
        refuse_unequal_heads("convformer", size, options.heads)
        self.output_size = size
        self.project = nn.Linear(input_size, size)
        self.project_norm = nn.LayerNorm(size)
        self.downsample = Downsample(options.downsample)
        steps = options.convolutions + 1  # the attention pair shares one rate
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
        """(B, T', hidden-size) frames; padding changes none of them."""
        frames, lengths = self.downsample(self.project_norm(self.project(features)), lengths)
        real = frame_mask(lengths, frames.shape[1])
        for block in self.blocks:
            frames = block(frames, real)
        return self.dropout(self.norm(frames))  # type: ignore[no-any-return]


class _Convolution(nn.Module):
    """Widen, convolve each feature over time, narrow; batch norm is 3 points better here than layer norm."""

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
        convolved = nn.functional.silu(self.inner_norm(self.convolution(frames), real))
        return self.narrow(convolved)  # type: ignore[no-any-return]
