"""Stage 1: objectives for clips without labels; loaders of external checkpoints."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_stages.objective_options import (
    CodesOptions,
    ContrastTimeOptions,
    ContrastViewsOptions,
    MaskedFramesOptions,
    PhonologyOptions,
    ProjectionOptions,
    ReconstructOptions,
)


@hookimpl
def asl_heads() -> list[Component]:
    """Heads that train an encoder on clips without labels and are discarded afterwards."""
    return [
        Component(
            name="projection",
            factory="asl_stages.projection:ProjectionHead",
            options=ProjectionOptions,
            summary="stage 1: a unit-length embedding per frame, for the contrastive losses",
            suggests={"loss.name": "contrast-time"},
        ),
        Component(
            name="reconstruct",
            factory="asl_stages.reconstruct:ReconstructHead",
            options=ReconstructOptions,
            summary="stage 1: reconstructed frames of the clip, for the loss masked-frames",
            suggests={"loss.name": "masked-frames"},
        ),
        Component(
            name="codes",
            factory="asl_stages.codes:CodesHead",
            options=CodesOptions,
            summary="stages 1 and 2: codes of handshape, location, orientation, …, for the loss phonology",
            suggests={"loss.name": "phonology"},
        ),
    ]


@hookimpl
def asl_losses() -> list[Component]:
    """Objectives that need no labels."""
    return [
        Component(
            name="contrast-time",
            factory="asl_stages.contrast:ContrastTimeLoss",
            options=ContrastTimeOptions,
            summary="stage 1: contrasts the frames just after a frame with frames of other clips",
        ),
        Component(
            name="contrast-views",
            factory="asl_stages.contrast:ContrastViewsLoss",
            options=ContrastViewsOptions,
            summary="stage 1: contrasts two augmented views of a clip with views of other clips",
        ),
        Component(
            name="masked-frames",
            factory="asl_stages.reconstruct:MaskedFramesLoss",
            options=MaskedFramesOptions,
            summary="stage 1: reconstructs hidden spans of frames",
        ),
        Component(
            name="phonology",
            factory="asl_stages.codes:PhonologyLoss",
            options=PhonologyOptions,
            summary="stages 1 and 2: predicts k-means codes of each articulator, by default for hidden frames",
        ),
    ]


@hookimpl
def asl_checkpoint_loaders() -> list[Component]:
    """Loaders for ``--init``."""
    return [
        Component(
            name="stage1",
            factory="asl_stages.loaders:ReferenceLoader",
            summary="the reference project's stage-1 and stage-2 checkpoints (.pt), for the lstm encoder",
        ),
        Component(
            name="run",
            factory="asl_stages.loaders_run:RunLoader",
            summary="a run directory, or one of its .safetensors files",
        ),
        Component(
            name="torch",
            factory="asl_stages.loaders:StateDictLoader",
            summary="any .pt, .pth or .safetensors file with a state dict; --init.map renames its tensors",
        ),
    ]
