"""Options of the heads and losses; nothing here imports torch."""

from __future__ import annotations

from typing import Any

import attrs

from asl_core import former_attributes, option

__all__ = ["CrossEntropyOptions", "CtcHeadOptions", "CtcIsolatedOptions", "CtcOptions", "MeanHeadOptions"]


def _consistency(of: str) -> Any:
    return option(
        0.0,
        ge=0,
        help=f"weight of the consistency of {of} between two augmented views of each clip; doubles the training time",
    )


def _label_prior() -> Any:
    return option(
        0.0,
        ge=0,
        le=1,
        help="in training, divide frames' probabilities by the label prior to this power, so that signs spread over "
        "more frames (Huang et al. 2024; 0.3 there); 0 for none; not in the part frame-ce",
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
        help="multiply the CTC scores of a clip of T frames by this / T, in probabilities and in loss ctc-isolated, so "
        "that long clips are not more confident than short ones; 0 leaves them as they are",
    )
    decode_blank_penalty: float = option(
        0.0,
        help="subtracted from the blank log-probability in greedy decoding; not in training and ranking (the training "
        "loss is --loss.blank-penalty)",
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
        help="share of the part frame-ce, a cross-entropy on the frames' mean, beside ctc-ce; 0 is CTC alone, 1 mean "
        "pooling alone",
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
        help="which distributions: of blank and glosses on every frame (speed and crop are then the same in both "
        "views), or of the glosses on the whole clip",
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
