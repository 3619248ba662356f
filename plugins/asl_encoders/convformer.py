"""The convolution + transformer encoder: wide depth-wise convolutions see the movement, attention sees the clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asl_core import ConfigError, Encoder, frame_mask
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
        if size % options.heads or (size // options.heads) % 2:
            raise ConfigError(
                [f"encoder convformer: hidden-size {size} has to be an even multiple of heads {options.heads}"]
            )
        if options.kernel % 2 == 0:
            raise ConfigError(
                [f"encoder option kernel is {options.kernel}: expected an odd number, with a frame in its middle"]
            )
        self.output_size = size
        self.project = nn.Linear(input_size, size)
        self.project_norm = nn.LayerNorm(size)
        self.downsample = Downsample(options.downsample)
        blocks: list[_Block] = []
        total = options.stages * (options.convolutions + 1)
        for _ in range(options.stages):
            for _ in range(options.convolutions):
                skip = options.stochastic_depth * len(blocks) / max(total - 1, 1)
                blocks.append(_Block(_Convolution(size, options.expansion, options.kernel), options.dropout, skip))
            skip = options.stochastic_depth * len(blocks) / max(total - 1, 1)
            blocks.append(_Block(_Attention(size, options.heads), options.dropout, skip))
            blocks.append(_Block(_FeedForward(size, options.expansion, options.dropout), options.dropout, skip))
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


class _Block(nn.Module):
    """A residual branch: ``inner``, dropout, left out of some clips in training."""

    def __init__(self, inner: _Convolution | _Attention | _FeedForward, dropout: float, skip: float):
        super().__init__()
        self.inner = inner
        self.dropout = Dropout(dropout)
        self.skip = skip

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        branch: Tensor = self.dropout(self.inner(frames, real))
        if self.training and self.skip:
            kept = torch.rand(len(frames), 1, 1, device=frames.device) >= self.skip
            branch = branch * (kept / (1 - self.skip)).to(branch.dtype)
        return frames + branch


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


class _Attention(nn.Module):
    """Self-attention with rotary positions."""

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(size)
        self.project = nn.Linear(size, 3 * size)
        self.merge = nn.Linear(size, size)

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        clips, length, size = frames.shape
        shape = (clips, length, 3, self.heads, size // self.heads)
        query, key, value = self.project(self.norm(frames)).view(shape).permute(2, 0, 3, 1, 4)
        turn = _angles(length, size // self.heads, frames)
        seen = nn.functional.scaled_dot_product_attention(
            _turned(query, *turn), _turned(key, *turn), value, attn_mask=real[:, None, None, :]
        )
        found: Tensor = self.merge(seen.transpose(1, 2).reshape(clips, length, size))
        return found


class _FeedForward(nn.Module):
    """Two layers a frame."""

    def __init__(self, size: int, expansion: int, dropout: float):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(size),
            nn.Linear(size, expansion * size),
            nn.SiLU(),
            Dropout(dropout),
            nn.Linear(expansion * size, size),
        )

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        found: Tensor = self.layers(frames)
        return found


def _angles(frames: int, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (frames, size / 2) of wavelengths from 2π frames to some thousands (Su et al. 2021, 3.2.2)."""
    rates = 1000.0 ** (-torch.arange(0, size, 2, device=like.device) / size)
    angles = torch.arange(frames, device=like.device)[:, None] * rates
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _turned(values: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Pairs of numbers (..., T, size) turned by their frame's angle; which numbers pair up does not matter."""
    one, other = values.chunk(2, dim=-1)
    return torch.cat([one * cosine - other * sine, one * sine + other * cosine], dim=-1)
