"""Options of the stage-1 heads and losses. Nothing here imports torch.

Lengths in time are frames: of the clip for masks, of the encoder's output for shifts.
"""

from __future__ import annotations

from typing import Any

import attrs

from asl_core import option

__all__ = [
    "CodesOptions",
    "ContrastTimeOptions",
    "ContrastViewsOptions",
    "MaskedFramesOptions",
    "PhonologyOptions",
    "ProjectionOptions",
    "ReconstructOptions",
]

#: articulators of the 36-feature layout, one code book each; 28:31 (angular speed of the palms) is in none
BLOCKS_36 = (
    "handshape-left=0:5",
    "handshape-right=5:10",
    "location-left=10:13",
    "location-right=13:16",
    "orientation-left=16:19",
    "orientation-right=19:22",
    "movement-left=22:25",
    "movement-right=25:28",
    "non-manual=31:36",
)


def _temperature() -> Any:
    return option(0.1, gt=0, le=10, help="divides cosines before the softmax; smaller weights hard negatives more")


def _standardised() -> Any:
    return option(True, ignored="the loss gets it from train.standardise")


def _mask_share() -> Any:
    return option(0.4, gt=0, lt=1, help="share of a clip's frames that is hidden; at least one span stays visible")


def _mask_span() -> Any:
    return option(5, ge=1, le=1000, help="longest hidden span in frames, at most half of the clip")


def _visible_weight() -> Any:
    return option(0.1, ge=0, le=10, help="weight of the same loss on visible frames; hidden frames have 1")


@attrs.frozen
class ProjectionOptions:
    """Options of head ``projection``."""

    size: int = option(64, ge=2, help="size of an embedding")
    hidden_size: int = option(256, ge=1, help="units of the layer between the encoder and the embedding")


@attrs.frozen
class ContrastTimeOptions:
    """Options of loss ``contrast-time``."""

    max_shift: int = option(5, ge=1, le=100, help="largest distance, in encoder frames, that counts as near")
    own_beyond: int = option(
        0,
        ge=0,
        help="frames of the same clip farther away than this are negatives too, so that knowing the signer and the "
        "background is not enough; 0 for other clips only, as in the paper",
    )
    anchors: int = option(16, ge=1, help="evenly spaced frames of a clip that are compared; bounds the memory")
    temperature: float = _temperature()


@attrs.frozen
class ContrastViewsOptions:
    """Options of loss ``contrast-views``."""

    temperature: float = _temperature()


@attrs.frozen
class ReconstructOptions:
    """Options of head ``reconstruct``."""

    width: int = option(36, ge=1, ignored="the head gets the features per frame")


@attrs.frozen
class MaskedFramesOptions:
    """Options of loss ``masked-frames``."""

    share: float = _mask_share()
    span: int = _mask_span()
    visible_weight: float = _visible_weight()
    error: str = option(
        "absolute",
        choices=("absolute", "squared"),
        help="minimised error; absolute errors are robust against lost hands",
    )
    standardised: bool = _standardised()


@attrs.frozen
class CodesOptions:
    """Options of head ``codes``."""

    blocks: int = option(len(BLOCKS_36), ge=1, help="code books, as many as in --loss.blocks")
    codes: int = option(32, ge=2, help="codes per book, as --loss.codes")


@attrs.frozen
class PhonologyOptions:
    """Options of loss ``phonology``."""

    predict: str = option(
        "masked",
        choices=("masked", "ahead", "same"),
        help="codes of hidden frames; of the frame `shift` ahead, for a unidirectional encoder (any other sees the "
        "answer); or of the frame itself, a cheap second task beside CTC, trivial alone",
    )
    blocks: tuple[str, ...] = option(
        BLOCKS_36, help="code books as name=first:end over the features of a frame, separated by commas"
    )
    codes: int = option(32, ge=2, help="codes per book, as --head.codes")
    shift: int = option(5, ge=1, le=1000, help="encoder frames ahead, for predict = ahead")
    share: float = _mask_share()
    span: int = _mask_span()
    visible_weight: float = _visible_weight()
    standardised: bool = _standardised()
