"""The data set ``demo``: synthetic signs, trained on in a minute on any machine, without a download."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_demo.options import DemoOptions


@hookimpl
def asl_datasets() -> list[Component]:
    """The data set ``demo``."""
    return [
        Component(
            name="demo",
            factory="asl_demo.dataset:DemoDataset",
            options=DemoOptions,
            summary="synthetic signs in the 36-feature layout, distinguished by order and movement; needs no files",
            suggests={"train.epochs": 20, "train.learning-rate": 2e-3},
        )
    ]
