"""Hand and body landmarks: raw to packed, what a sign is made of, and augmentations that know what a hand is."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_landmarks.options import (
    FillGapsOptions,
    HandFeaturesOptions,
    JitterOptions,
    LandmarksOptions,
    LoseFingersOptions,
    LoseHandOptions,
    MirrorHandsOptions,
    RotateOptions,
    StretchOptions,
    TrimOptions,
)


@hookimpl
def asl_transforms() -> list[Component]:
    """Raw landmarks to packed ones first; then, in this order, what changes clips and what describes batches."""
    return [
        Component(
            name="unpad",
            factory="asl_landmarks.padding:Unpad",
            summary="cuts frames of zeros at either end, of any features",
        ),
        Component(
            name="landmarks",
            factory="asl_landmarks.clipwise:PackLandmarks",
            options=LandmarksOptions,
            summary="raw hand or holistic landmarks as right hand, left hand and body, left and right told apart",
        ),
        Component(
            name="trim",
            factory="asl_landmarks.clipwise:Trim",
            options=TrimOptions,
            summary="cuts the rest before and after the sign",
        ),
        Component(
            name="fill-gaps",
            factory="asl_landmarks.clipwise:FillGaps",
            options=FillGapsOptions,
            summary="puts lost points back from the frames around",
        ),
        Component(
            name="phonology36",
            factory="asl_landmarks.phonology36:Phonology36",
            summary="the reference's 36 numbers, of landmarks: handshape, location, orientation, movement, face",
        ),
        Component(
            name="hand-features",
            factory="asl_landmarks.hand_features:HandFeatures",
            options=HandFeaturesOptions,
            summary="shape, path and more of each hand, of landmarks; a part of the model",
        ),
    ]


@hookimpl
def asl_augments() -> list[Component]:
    """Augmentations of packed landmarks."""
    return [
        Component(
            name="rotate",
            factory="asl_landmarks.moving:Rotate",
            options=RotateOptions,
            summary="turns landmarks in the image plane and about the vertical axis",
        ),
        Component(
            name="stretch",
            factory="asl_landmarks.moving:Stretch",
            options=StretchOptions,
            summary="makes landmarks longer, shorter and slanted, each axis by itself",
        ),
        Component(
            name="mirror-hands",
            factory="asl_landmarks.moving:MirrorHands",
            options=MirrorHandsOptions,
            summary="swaps right and left of landmarks",
        ),
        Component(
            name="jitter",
            factory="asl_landmarks.moving:Jitter",
            options=JitterOptions,
            summary="adds noise to the place of every landmark",
        ),
        Component(
            name="lose-hand",
            factory="asl_landmarks.losing:LoseHand",
            options=LoseHandOptions,
            summary="takes one hand out of landmarks, for a whole clip or a part of it",
        ),
        Component(
            name="lose-fingers",
            factory="asl_landmarks.losing:LoseFingers",
            options=LoseFingersOptions,
            summary="takes fingers out of landmarks for a whole clip",
        ),
    ]
