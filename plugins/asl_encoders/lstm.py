"""The LSTM encoder (Hochreiter & Schmidhuber 1997) in the layout of the reference project's checkpoints.

Its tensors carry the names and shapes of ``checkpoint_best.pt``: ``input_projection.*``, ``lstm.*``,
``layer_norm.*``. Nothing stands between projection and LSTM, because those weights were trained so.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asl_core import Encoder
from asl_encoders.dropout import Dropout
from asl_encoders.options import LstmOptions

__all__ = ["LstmEncoder"]


class LstmEncoder(Encoder):
    """(B, T, D) to (B, T, hidden-size × directions): linear, LSTM on packed clips, layer norm, dropout."""

    input_projection: nn.Linear | None
    layer_norm: nn.LayerNorm | None

    def __init__(self, options: LstmOptions, input_size: int):
        super().__init__()
        self.output_size = options.hidden_size * (2 if options.bidirectional else 1)
        self.input_projection = nn.Linear(input_size, options.hidden_size) if options.projection else None
        self.lstm = nn.LSTM(
            options.hidden_size if options.projection else input_size,
            options.hidden_size,
            num_layers=options.layers,
            batch_first=True,
            bidirectional=options.bidirectional,
            dropout=options.dropout if options.layers > 1 else 0.0,
        )
        self.layer_norm = nn.LayerNorm(self.output_size) if options.norm else None
        self.dropout = Dropout(options.dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, output_size) frames; both directions leave padding out."""
        frames = features if self.input_projection is None else self.input_projection(features)
        packed = pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
        frames = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=features.shape[1])[0]
        if self.layer_norm is not None:
            frames = self.layer_norm(frames)
        return self.dropout(frames)  # type: ignore[no-any-return]
