"""The ``wlasl`` data set: feature pickles of the reference layout, keyed by gloss."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_wlasl.options import WlaslOptions


@hookimpl
def asl_datasets() -> list[Component]:
    """The one data set of this package."""
    return [
        Component(
            name="wlasl",
            factory="asl_wlasl.dataset:WlaslDataset",
            options=WlaslOptions,
            suggests={
                "train.epochs": 80,
                "train.learning-rate": 2e-3,
                "augment.names": ["speed", "crop", "noise", "mirror36"],
            },
            summary="feature pickles {video id: features, gloss, …}, as the reference extractor writes them",
        )
    ]
