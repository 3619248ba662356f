"""Hand and body landmarks, and the 36 features computed from them: transforms, descriptions of hands, augmentations."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_landmarks.options import (
    FillGapsOptions,
    HandFeaturesOptions,
    Hands36Options,
    JitterOptions,
    LandmarksOptions,
    LoseFingersOptions,
    LoseHandOptions,
    Mirror36Options,
    MirrorHandsOptions,
    ResampleOptions,
    RotateOptions,
    StretchOptions,
    TrimOptions,
    Turn36Options,
)


@hookimpl
def asl_transforms() -> list[Component]:
    """Transforms of raw landmarks, of packed ones, and of the 36 features."""
    return [
        Component(
            name="unpad",
            factory="asl_landmarks.trimming:Unpad",
            summary="cuts all-zero frames at either end, for any features",
        ),
        Component(
            name="landmarks",
            factory="asl_landmarks.packing:PackLandmarks",
            options=LandmarksOptions,
            summary="selects right hand, left hand and body from raw hand or holistic landmarks",
        ),
        Component(
            name="resample",
            factory="asl_landmarks.resampling:Resample",
            options=ResampleOptions,
            summary="landmarks at the model's frames per second, by the time of each frame",
        ),
        Component(
            name="trim",
            factory="asl_landmarks.trimming:Trim",
            options=TrimOptions,
            summary="cuts resting frames before and after the sign",
        ),
        Component(
            name="fill-gaps",
            factory="asl_landmarks.gaps:FillGaps",
            options=FillGapsOptions,
            summary="interpolates missing points between neighbouring frames",
        ),
        Component(
            name="phonology36",
            factory="asl_landmarks.phonology36:Phonology36",
            summary="the reference's 36 features from landmarks: handshape, location, orientation, movement, face",
        ),
        Component(
            name="hand-features",
            factory="asl_landmarks.hand_features:HandFeatures",
            options=HandFeaturesOptions,
            summary="shape, path and other features of each hand from landmarks; in the model",
        ),
        Component(
            name="dominant36",
            factory="asl_landmarks.handedness:Dominant36",
            summary="mirrors the 36 features of clips whose left hand is more active",
        ),
        Component(
            name="hands36",
            factory="asl_landmarks.hands36:Hands36",
            options=Hands36Options,
            summary="hand shapes, positions, palms and paths from the 36 features, lost hands marked; in the model",
        ),
    ]


@hookimpl
def asl_augments() -> list[Component]:
    """Augmentations of packed landmarks and of the 36 features."""
    return [
        Component(
            name="rotate",
            factory="asl_landmarks.augments:Rotate",
            options=RotateOptions,
            summary="rotates landmarks in the image plane and about the vertical axis",
        ),
        Component(
            name="stretch",
            factory="asl_landmarks.augments:Stretch",
            options=StretchOptions,
            summary="scales, shears and shifts landmarks, each axis by itself",
        ),
        Component(
            name="mirror-hands",
            factory="asl_landmarks.augments:MirrorHands",
            options=MirrorHandsOptions,
            summary="swaps right and left of landmarks",
        ),
        Component(
            name="jitter",
            factory="asl_landmarks.augments:Jitter",
            options=JitterOptions,
            summary="adds noise to the position of every landmark",
        ),
        Component(
            name="lose-hand",
            factory="asl_landmarks.augments:LoseHand",
            options=LoseHandOptions,
            summary="removes one hand from landmarks, for a whole clip or part of it",
        ),
        Component(
            name="lose-fingers",
            factory="asl_landmarks.augments:LoseFingers",
            options=LoseFingersOptions,
            summary="removes fingers from landmarks for a whole clip",
        ),
        Component(
            name="mirror36",
            factory="asl_landmarks.augments36:Mirror36",
            options=Mirror36Options,
            summary="swaps left and right in the 36-feature layout",
        ),
        Component(
            name="turn36",
            factory="asl_landmarks.augments36:Turn36",
            options=Turn36Options,
            summary="rotates and scales positions, palms and movements in the 36-feature layout",
        ),
    ]
