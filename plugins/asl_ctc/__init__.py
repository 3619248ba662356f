"""Heads and losses over encoder frames: CTC, CTC for isolated signs, and a pooled classifier."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_ctc.options import CrossEntropyOptions, CtcHeadOptions, CtcIsolatedOptions, CtcOptions, MeanHeadOptions


@hookimpl
def asl_heads() -> list[Component]:
    """One head per frame, one on the mean of the frames."""
    return [
        Component(
            name="ctc",
            factory="asl_ctc.ctc_head:CtcHead",
            options=CtcHeadOptions,
            summary="a gloss or blank per frame: exact scores for one sign, greedy decoding for sentences",
            suggests={"loss.name": "ctc-isolated"},
        ),
        Component(
            name="mean",
            factory="asl_ctc.mean_head:MeanHead",
            options=MeanHeadOptions,
            summary="a linear classifier on the mean of a clip's frames; also accepts encoders that pool",
            suggests={"loss.name": "cross-entropy"},
        ),
    ]


@hookimpl
def asl_losses() -> list[Component]:
    """The losses that go with them."""
    return [
        Component(
            name="ctc",
            factory="asl_ctc.ctc_loss:CtcLoss",
            options=CtcOptions,
            summary="connectionist temporal classification with a blank penalty; labels of any number of glosses",
        ),
        Component(
            name="ctc-isolated",
            factory="asl_ctc.ctc_loss:CtcIsolatedLoss",
            options=CtcIsolatedOptions,
            summary="cross-entropy over the CTC scores of all glosses, for clips of one sign",
        ),
        Component(
            name="cross-entropy",
            factory="asl_ctc.mean_head:CrossEntropyLoss",
            options=CrossEntropyOptions,
            summary="cross-entropy over the glosses, for clips of one sign",
        ),
    ]
