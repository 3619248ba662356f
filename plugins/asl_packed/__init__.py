"""The data set ``packed``: files that ``asl pack`` wrote, memory-mapped."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_packed.options import PackedOptions


@hookimpl
def asl_datasets() -> list[Component]:
    """The data set ``packed``."""
    return [
        Component(
            name="packed",
            factory="asl_packed.dataset:PackedDataset",
            options=PackedOptions,
            # As of wlasl, so that a run on packed pickles is the run on the pickles.
            suggests={
                "train.epochs": 80,
                "train.learning-rate": 2e-3,
                "augment.names": ["speed", "crop", "noise", "mirror36"],
            },
            summary="clips written by `asl pack`, memory-mapped: for data sets larger than memory",
        )
    ]
