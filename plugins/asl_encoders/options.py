"""Options of the built-in encoders."""

from __future__ import annotations

import attrs

from asl_core import option


@attrs.frozen
class GruOptions:
    """Options of the GRU."""

    hidden_size: int = option(128, help="units a direction and layer", ge=1)
    layers: int = option(2, help="stacked GRUs", ge=1, le=12)
    bidirectional: bool = option(True, help="also read the clip backwards")
    front_size: int = option(128, help="width of the projection before the GRU; 0 for none", ge=0)
    kernel: int = option(5, help="frames the convolution of the projection sees, odd; 1 for none", ge=1, le=63)
    front_dropout: float = option(0.1, help="after the projection", ge=0, lt=1)
    dropout: float = option(0.3, help="between the layers and on the output", ge=0, lt=1)
    downsample: int = option(1, help="average this many neighbouring frames into one before the GRU", ge=1, le=16)


@attrs.frozen
class LstmOptions:
    """Options of the LSTM; the defaults are those of the reference project's stage 1."""

    hidden_size: int = option(128, help="units a direction and layer, and width of the projection", ge=1)
    layers: int = option(2, help="stacked LSTMs", ge=1, le=12)
    bidirectional: bool = option(True, help="also read the clip backwards")
    projection: bool = option(True, help="a linear layer before the LSTM; without it the LSTM reads the features")
    norm: bool = option(True, help="layer norm on the output")
    dropout: float = option(0.3, help="between the layers and on the output", ge=0, lt=1)


@attrs.frozen
class TransformerOptions:
    """Options of the transformer."""

    hidden_size: int = option(128, help="width of a frame inside; an even multiple of heads", ge=2)
    layers: int = option(3, help="attention blocks", ge=1, le=48)
    heads: int = option(4, help="attention heads a block", ge=1)
    feedforward: int = option(2, help="width of the inner layer, as a multiple of hidden-size", ge=1, le=16)
    kernel: int = option(5, help="frames the convolution before the attention sees, odd; 1 for none", ge=1, le=63)
    front_dropout: float = option(0.1, help="after the projection", ge=0, lt=1)
    dropout: float = option(0.3, help="on the residual branches", ge=0, lt=1)
    stochastic_depth: float = option(0.1, help="how often the last block is left out in training", ge=0, lt=1)
    downsample: int = option(1, help="average this many neighbouring frames into one first", ge=1, le=16)


@attrs.frozen
class ConvformerOptions:
    """Options of the convolution + transformer encoder."""

    hidden_size: int = option(128, help="width of a frame inside; an even multiple of heads", ge=2)
    stages: int = option(2, help="stages, each of convolutions and one attention block", ge=1, le=24)
    convolutions: int = option(2, help="convolution blocks a stage", ge=0, le=12)
    kernel: int = option(11, help="frames a convolution sees, odd", ge=1, le=63)
    heads: int = option(4, help="attention heads a block", ge=1)
    expansion: int = option(2, help="width inside a block, as a multiple of hidden-size", ge=1, le=16)
    downsample: int = option(2, help="average this many neighbouring frames into one first", ge=1, le=16)
    stochastic_depth: float = option(0.1, help="how often the last block is left out in training", ge=0, lt=1)
    dropout: float = option(0.2, help="on the residual branches", ge=0, lt=1)
    output_dropout: float = option(0.3, help="on the output", ge=0, lt=1)
