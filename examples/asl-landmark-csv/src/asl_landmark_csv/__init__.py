"""The ``landmark-csv`` data set. This module is the catalogue: asl imports it at every start, so it stays light."""

from __future__ import annotations

from asl_core import Component, hookimpl

from asl_landmark_csv.options import LandmarkCsvOptions


@hookimpl
def asl_datasets() -> list[Component]:
    """The one data set of this package."""
    return [
        Component(
            name="landmark-csv",
            factory="asl_landmark_csv.dataset:LandmarkCsv",
            options=LandmarkCsvOptions,
            suggests={"train.epochs": 80, "augment.names": ["speed", "crop", "noise"]},
            summary="CSV files of landmarks, one clip a row, a list of values over time in each cell (SPOTER's layout)",
        )
    ]
