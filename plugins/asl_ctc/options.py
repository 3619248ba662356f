"""Options of this package's heads and losses. Nothing here imports torch."""

from __future__ import annotations

from typing import Any

import attrs

from asl_core import former_attributes, option

__all__ = ["CrossEntropyOptions", "CtcHeadOptions", "CtcIsolatedOptions", "CtcOptions", "MeanHeadOptions"]


def _consistency(of: str) -> Any:
    return option(
        0.0,
        ge=0,
        help=f"weight of the consistency of {of} between two augmented views of each clip; every clip then goes "
        "through the encoder twice, which doubles the time of training",
    )


def _label_prior() -> Any:
    return option(
        0.0,
        ge=0,
        le=1,
        help="power of the label prior that frames' probabilities are divided by in training, so that blank pays for "
        "being everywhere and signs spread over more frames (Huang et al. 2024; 0.3 there); 0: none. Of plain CTC and "
        "of the CTC scores, not of the frames' mean",
    )


@former_attributes
@attrs.frozen
class CtcHeadOptions:
    """Options of head ``ctc``."""

    dropout: float = option(0.0, ge=0, lt=1, help="share of the encoder's outputs zeroed before the head")
    blank_bias: float = option(
        0.0, help="bias of the blank logit before the first step; negative (-4) holds blank back at the start"
    )
    score_scale: float = option(
        6.0,
        ge=0,
        former="evidence-frames",
        help="scores of a clip of T frames are multiplied by this / T before glosses compete, in probabilities "
        "and in loss ctc-isolated, so that long clips are not surer than short ones; 0 leaves them as they are",
    )
    decode_blank_penalty: float = option(
        0.0,
        help="subtracted from the blank logit when glosses are read off the frames; training and top-k never "
        "see it (the training loss is --loss.blank-penalty)",
    )


@attrs.frozen
class CtcOptions:
    """Options of loss ``ctc``."""

    blank_penalty: float = option(
        0.5,
        ge=0,
        help="weight of the mean blank probability of real frames, added to the loss in training "
        "(the decoding option is --head.decode-blank-penalty)",
    )
    label_prior: float = _label_prior()
    consistency: float = _consistency("every frame's distribution (CR-CTC; 0.2 there)")


@attrs.frozen
class CtcIsolatedOptions:
    """Options of loss ``ctc-isolated``."""

    label_smoothing: float = option(0.1, ge=0, lt=1, help="share of the target spread evenly over all glosses")
    frame_weight: float = option(
        0.5,
        ge=0,
        le=1,
        help="joint CTC and cross-entropy: share of a cross-entropy on the frames' mean, which gives every frame a "
        "gradient; 0 is CTC alone, 1 mean pooling alone",
    )
    ctc_weight: float = option(0.0, ge=0, le=1, help="share of plain CTC in the loss; 1 is plain CTC alone")
    blank_penalty: float = option(
        0.0,
        ge=0,
        help="weight of the mean blank probability of real frames, added to the loss in training "
        "(the decoding option is --head.decode-blank-penalty)",
    )
    label_prior: float = _label_prior()
    consistency: float = _consistency("distributions (CR-CTC; 0.2 there)")
    consistency_of: str = option(
        "frames",
        choices=("frames", "clips"),
        help="which distributions: of blank and glosses on every frame, where speed and crop are drawn once for both "
        "views, or of the glosses on the whole clip, where they are drawn for each",
    )


@attrs.frozen
class MeanHeadOptions:
    """Options of head ``mean``."""

    dropout: float = option(0.0, ge=0, lt=1, help="share of the averaged features zeroed before the classifier")


@attrs.frozen
class CrossEntropyOptions:
    """Options of loss ``cross-entropy``."""

    label_smoothing: float = option(0.1, ge=0, lt=1, help="share of the target spread evenly over all glosses")
    consistency: float = _consistency("the distribution over the glosses")
