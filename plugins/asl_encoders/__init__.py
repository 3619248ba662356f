"""Built-in encoders."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_encoders.options import ConvformerOptions, GruOptions, LstmOptions, TransformerOptions


@hookimpl
def asl_encoders() -> list[Component]:
    """Two recurrent encoders, two with attention."""
    return [
        Component(
            name="gru",
            factory="asl_encoders.gru:GruEncoder",
            options=GruOptions,
            summary="bidirectional GRU; the default, good on small sets and on a CPU",
        ),
        Component(
            name="lstm",
            factory="asl_encoders.lstm:LstmEncoder",
            options=LstmOptions,
            summary="bidirectional LSTM; accepts the weights of the reference project's checkpoints (--init)",
        ),
        Component(
            name="transformer",
            factory="asl_encoders.transformer:TransformerEncoder",
            options=TransformerOptions,
            summary="pre-norm self-attention over frames, with a convolution before it",
            suggests={"train.weight-decay": 0.1},
        ),
        Component(
            name="convformer",
            factory="asl_encoders.convformer:ConvformerEncoder",
            options=ConvformerOptions,
            summary="alternating wide convolutions and attention; for landmarks",
        ),
    ]
