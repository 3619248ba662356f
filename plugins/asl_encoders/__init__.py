"""Built-in encoders."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_encoders.options import GruOptions, TransformerOptions


@hookimpl
def asl_encoders() -> list[Component]:
    """A recurrent and an attention encoder."""
    return [
        Component(
            name="gru",
            factory="asl_encoders.gru:GruEncoder",
            options=GruOptions,
            summary="bidirectional GRU; the default, good on small sets and on a CPU",
        ),
        Component(
            name="transformer",
            factory="asl_encoders.transformer:TransformerEncoder",
            options=TransformerOptions,
            summary="pre-norm self-attention over frames, with a convolution before it",
        ),
    ]
