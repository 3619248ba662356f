"""The GRU encoder (Cho et al. 2014); both directions leave padding out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asl_core import Encoder, frame_mask
from asl_encoders.downsample import Downsample
from asl_encoders.dropout import Dropout
from asl_encoders.frontend import FrontEnd
from asl_encoders.options import GruOptions
from asl_encoders.recurrence import bidirectional_layer, reversal


class GruEncoder(Encoder):
    """(B, T, D) to (B, ⌈T/downsample⌉, hidden-size × directions): front end, then a GRU."""

    def __init__(self, options: GruOptions, input_size: int):
        super().__init__()
        self.downsample = Downsample(options.downsample)
        self.front = (
            FrontEnd(input_size, options.front_size, options.kernel, options.front_dropout)
            if options.front_size
            else None
        )
        self.gru = nn.GRU(
            options.front_size or input_size,
            options.hidden_size,
            num_layers=options.layers,
            batch_first=True,
            bidirectional=options.bidirectional,
            dropout=options.dropout if options.layers > 1 else 0.0,
        )
        self.dropout = Dropout(options.dropout)
        self.output_size = options.hidden_size * (2 if options.bidirectional else 1)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """(B,) frames after downsampling."""
        return self.downsample.output_lengths(lengths)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(B, T', output_size) frames; padding is zero."""
        features, lengths = self.downsample(features, lengths)
        if self.front is not None:
            features = self.front(features, lengths)
        written_out = features.device.type == "cpu" and self.gru.bidirectional and not torch.is_autocast_enabled("cpu")
        frames = self._written_out(features, lengths) if written_out else self._packed(features, lengths)
        return self.dropout(frames)  # type: ignore[no-any-return]

    def _written_out(self, features: Tensor, lengths: Tensor) -> Tensor:
        """By :mod:`asl_encoders.recurrence`, which takes half the time of the packed GRU on a CPU."""
        reverse = reversal(lengths, features.shape[1])
        frames = features.transpose(0, 1)
        for layer in range(self.gru.num_layers):
            if layer:
                frames = self.dropout(frames)
            frames = bidirectional_layer(frames, reverse, self.gru, layer)
        return frames.transpose(0, 1) * frame_mask(lengths, features.shape[1])[:, :, None]

    def _packed(self, features: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=features.shape[1])[0]
