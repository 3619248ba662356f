"""Options of every kind."""

from __future__ import annotations

import attrs
from asl_core import option


@attrs.frozen
class DataOptions:
    """Of the data set."""

    root: str | None = option(None, help="not used", path=True, env="ASL_FROZEN")
    clips: int = option(4, help="clips of each gloss", ge=1, le=100)
    glosses: tuple[str, ...] = option(("left", "right"), help="two words")


@attrs.frozen
class AugmentOptions:
    """Of the augmentation."""

    size: float = option(0.1, help="largest offset", ge=0)


@attrs.frozen
class EncoderOptions:
    """Of the encoder."""

    hidden_size: int = option(4, help="numbers a frame", ge=1)
    activation: str = option("tanh", help="after the map", choices=("tanh", "none"))
    bias: bool = option(True, help="whether there is one")


@attrs.frozen
class LossOptions:
    """Of the loss."""

    smoothing: float = option(0.0, help="of the labels", ge=0, lt=1)
