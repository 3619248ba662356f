"""The transformer encoder (Vaswani et al. 2017), pre-norm (Xiong et al. 2020), a depth-wise convolution before it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asl_core import ConfigError, Encoder, frame_mask
from asl_encoders.downsample import Downsample
from asl_encoders.dropout import Dropout
from asl_encoders.frontend import FrontEnd
from asl_encoders.options import TransformerOptions


class TransformerEncoder(Encoder):
    """(B, T, D) to (B, ⌈T/downsample⌉, hidden-size)."""

    def __init__(self, options: TransformerOptions, input_size: int):
        super().__init__()
        size = options.hidden_size
        if size % options.heads:
            raise ConfigError([f"encoder transformer: hidden-size {size} is not a multiple of heads {options.heads}"])
        self.output_size = size
        self.downsample = Downsample(options.downsample)
        self.front = FrontEnd(input_size, size, options.kernel, options.front_dropout)
        layer = nn.TransformerEncoderLayer(
            size,
            options.heads,
            dim_feedforward=options.feedforward * size,
            dropout=options.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        # Dropout on attention weights gains nothing here and keeps torch from its fused attention.
        layer.self_attn.dropout = 0.0
        layer.dropout, layer.dropout1, layer.dropout2 = (Dropout(options.dropout) for _ in range(3))
        self.blocks = nn.TransformerEncoder(layer, options.layers, norm=nn.LayerNorm(size), enable_nested_tensor=False)
        for block in self.blocks.layers:  # nn.TransformerEncoder copies one layer: give each its own start
            for parameter in block.parameters():
                if parameter.ndim > 1:
                    nn.init.xavier_uniform_(parameter)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """(B,) frames after downsampling."""
        return self.downsample.output_lengths(lengths)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Frames that have seen all others of their clip, and no padding."""
        features, lengths = self.downsample(features, lengths)
        real = frame_mask(lengths, features.shape[1])
        frames = self.front(features, lengths)
        # Positions at half size: a layer-normed frame should weigh more than where it stands.
        frames = frames + 0.5 * positions(frames.shape[1], self.output_size, frames)
        return self.blocks(frames, src_key_padding_mask=~real)  # type: ignore[no-any-return]


def positions(frames: int, size: int, like: Tensor) -> Tensor:
    """(frames, size) sines and cosines of wavelengths 2π to 20000π (Vaswani et al. 2017, section 3.5)."""
    half = (size + 1) // 2
    rates = torch.exp(torch.arange(half, device=like.device) * (-math.log(10_000.0) / half))
    angles = torch.arange(frames, device=like.device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :size].to(like.dtype)
