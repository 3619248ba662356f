"""The data set ``landmark-csv``. asl imports this catalogue at every start, so it imports nothing heavy."""

from __future__ import annotations

from asl_core import Component, hookimpl

from asl_landmark_csv.options import LandmarkCsvOptions


@hookimpl
def asl_datasets() -> list[Component]:
    """The data set ``landmark-csv``."""
    return [
        Component(
            name="landmark-csv",
            factory="asl_landmark_csv.dataset:LandmarkCsv",
            options=LandmarkCsvOptions,
            suggests={"train.epochs": 80, "augment.names": ["speed", "crop", "noise"]},
            summary="CSV files of landmarks, a clip per row, a list of values over time in each cell (SPOTER's layout)",
        )
    ]
