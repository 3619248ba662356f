"""The ``files`` data set: recordings of any format in folders, with or without a list of them."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_files.options import FilesOptions


@hookimpl
def asl_datasets() -> list[Component]:
    """The one data set of this package."""
    return [
        Component(
            name="files",
            factory="asl_files.dataset:FilesDataset",
            options=FilesOptions,
            suggests={
                "transform.names": ["landmarks", "resample", "trim", "hand-features"],
                "augment.names": ["mirror-hands", "rotate", "stretch", "jitter", "speed", "crop"],
                "train.learning-rate": 2e-3,
            },
            summary="recordings of any landmark format: folders by sign, or a list of files (CSV, WLASL's JSON)",
        )
    ]
