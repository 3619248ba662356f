"""A component of every slot."""

from __future__ import annotations

from asl_core import Component, hookimpl

from asl_frozen.options import AugmentOptions, DataOptions, EncoderOptions, LossOptions


@hookimpl
def asl_datasets() -> list[Component]:
    return [
        Component(
            name="frozen-data",
            factory="asl_frozen.data:Data",
            options=DataOptions,
            suggests={"train.epochs": 2, "augment.names": ["frozen-shift"]},
            summary="two glosses of made-up clips",
        )
    ]


@hookimpl
def asl_transforms() -> list[Component]:
    return [Component(name="frozen-half", factory="asl_frozen.data:Half", summary="every second number", api=1)]


@hookimpl
def asl_augments() -> list[Component]:
    return [
        Component(
            name="frozen-shift", factory="asl_frozen.data:Shift", options=AugmentOptions, summary="adds an offset"
        )
    ]


@hookimpl
def asl_encoders() -> list[Component]:
    return [
        Component(
            name="frozen-encoder", factory="asl_frozen.model:Encode", options=EncoderOptions, summary="one linear map"
        )
    ]


@hookimpl
def asl_heads() -> list[Component]:
    return [
        Component(
            name="frozen-head",
            factory="asl_frozen.model:Classify",
            suggests={"loss": "frozen-loss"},
            summary="the mean frame",
        )
    ]


@hookimpl
def asl_losses() -> list[Component]:
    return [
        Component(name="frozen-loss", factory="asl_frozen.model:Entropy", options=LossOptions, summary="cross-entropy")
    ]


@hookimpl
def asl_checkpoint_loaders() -> list[Component]:
    return [Component(name="frozen-loader", factory="asl_frozen.model:Loader", summary="one number a line")]


@hookimpl
def asl_observers() -> list[Component]:
    return [Component(name="frozen-observer", factory="asl_frozen.data:Count", summary="counts the epochs")]
