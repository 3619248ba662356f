"""Random changes of training batches, in time and in value."""

from __future__ import annotations

from asl_augment.options import (
    CropOptions,
    DropOptions,
    MaskOptions,
    NoiseOptions,
    ScaleOptions,
    SpeedOptions,
)
from asl_core import Component, hookimpl


@hookimpl
def asl_augments() -> list[Component]:
    """Augmentations that any features can take."""
    return [
        Component(
            name="speed",
            factory="asl_augment.timing:Speed",
            options=SpeedOptions,
            summary="plays each clip faster or slower",
        ),
        Component(
            name="crop",
            factory="asl_augment.timing:Crop",
            options=CropOptions,
            summary="removes frames at either end (may cut off a sentence's first or last sign)",
        ),
        Component(
            name="mask",
            factory="asl_augment.hiding:Mask",
            options=MaskOptions,
            summary="hides spans of frames",
        ),
        Component(
            name="drop",
            factory="asl_augment.hiding:Drop",
            options=DropOptions,
            summary="zeroes some features for a whole clip",
        ),
        Component(
            name="noise",
            factory="asl_augment.values:Noise",
            options=NoiseOptions,
            summary="adds Gaussian noise to every feature",
        ),
        Component(
            name="scale",
            factory="asl_augment.values:Scale",
            options=ScaleOptions,
            summary="scales and shifts each feature, constant within a clip",
        ),
    ]
