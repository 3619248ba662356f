"""The GRU encoder (Cho et al. 2014), packed, so that the backward direction starts at a clip's own end."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asl_core import Encoder
from asl_encoders.downsample import Downsample
from asl_encoders.options import GruOptions


class GruEncoder(Encoder):
    """(B, T, D) to (B, ⌈T/downsample⌉, hidden-size × directions)."""

    def __init__(self, options: GruOptions, input_size: int):
        super().__init__()
        self.downsample = Downsample(options.downsample)
        self.gru = nn.GRU(
            input_size,
            options.hidden_size,
            num_layers=options.layers,
            batch_first=True,
            bidirectional=options.bidirectional,
            dropout=options.dropout if options.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(options.dropout)
        self.output_size = options.hidden_size * (2 if options.bidirectional else 1)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """(B,) frames after downsampling."""
        return self.downsample.output_lengths(lengths)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Frames read in both directions; zeros past a clip's end."""
        features, lengths = self.downsample(features, lengths)
        packed = pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
        frames, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=features.shape[1])
        return self.dropout(frames)  # type: ignore[no-any-return]
