"""The transformer encoder (Vaswani et al. 2017), pre-norm (Xiong et al. 2020), a depth-wise convolution before it."""

from __future__ import annotations

from torch import Tensor, nn

from asl_core import Encoder, frame_mask
from asl_encoders.blocks import attention_pair, refuse_unequal_heads, skip_rates
from asl_encoders.downsample import Downsample
from asl_encoders.frontend import FrontEnd
from asl_encoders.options import TransformerOptions


class TransformerEncoder(Encoder):
    """(B, T, D) to (B, ⌈T/downsample⌉, hidden-size).

    Positions are rotary (Su et al. 2021), and blocks have stochastic depth (Huang et al. 2016), as in the convformer.
    """

    def __init__(self, options: TransformerOptions, input_size: int):
        super().__init__()
        size = options.hidden_size
        refuse_unequal_heads("transformer", size, options.heads)
        self.output_size = size
        self.downsample = Downsample(options.downsample)
        self.front = FrontEnd(input_size, size, options.kernel, options.front_dropout)
        self.blocks = nn.ModuleList(
            block
            for skip in skip_rates(options.stochastic_depth, options.layers)
            for block in attention_pair(size, options.heads, options.feedforward, options.dropout, skip)
        )
        self.norm = nn.LayerNorm(size)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """(B,) frames after downsampling."""
        return self.downsample.output_lengths(lengths)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(B, T', hidden-size) frames; padding changes none of them."""
        features, lengths = self.downsample(features, lengths)
        real = frame_mask(lengths, features.shape[1])
        frames = self.front(features, lengths)
        for block in self.blocks:
            frames = block(frames, real)
        return self.norm(frames)  # type: ignore[no-any-return]
