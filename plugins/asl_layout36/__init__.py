"""The 36 numbers of the reference layout: left and right, gaps, places, and augmentations that know what they mean."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_layout36.options import Hands36Options, MirrorOptions, Turn36Options


@hookimpl
def asl_transforms() -> list[Component]:
    """``dominant36`` changes clips, ``hands36`` describes batches."""
    return [
        Component(
            name="dominant36",
            factory="asl_layout36.dominant:Dominant36",
            summary="mirrors the 36 numbers of clips in which the left hand does more",
        ),
        Component(
            name="hands36",
            factory="asl_layout36.hands:Hands36",
            options=Hands36Options,
            summary="the 36 numbers with lost hands filled in and paths told; a part of the model",
        ),
    ]


@hookimpl
def asl_augments() -> list[Component]:
    """Augmentations of frames as they are stored."""
    return [
        Component(
            name="mirror36",
            factory="asl_layout36.mirror:Mirror",
            options=MirrorOptions,
            summary="swaps left and right in the 36-number layout",
        ),
        Component(
            name="turn36",
            factory="asl_layout36.turn:Turn36",
            options=Turn36Options,
            summary="turns and stretches places, palms and movements in the 36-number layout",
        ),
    ]
