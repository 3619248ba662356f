"""Fixtures: those of asl for plugins, and a folder of synthetic files in the layout."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from asl_landmark_csv.points import BODY, HAND

pytest_plugins = ["asl_core.testing.fixtures"]

COLUMNS = [
    *(f"{point}_{axis}" for point in BODY for axis in "XY"),
    *(f"{point}_{side}_{axis}" for side in ("left", "right") for point in HAND for axis in "XY"),
]
Write = Callable[..., Path]


def clip(label: object, frames: int = 9, seed: int = 0, **cells: str) -> dict[str, str]:
    """A row: even labels move to the right, odd ones to the left; ``cells`` replace some columns."""
    step = 0.05 if int(str(label)) % 2 else -0.05
    series = [[0.5 + 0.001 * seed + 0.01 * index + step * t for t in range(frames)] for index in range(len(COLUMNS))]
    row = {name: str(values) for name, values in zip(COLUMNS, series, strict=True)}
    return {**row, "video_fps": "25.0", "video_size_width": "1.0", "labels": str(label), **cells}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("x_train.csv", [rows])``: a file in a folder of its own; the path of the file."""

    def made(name: str, rows: list[Mapping[str, str]], columns: list[str] | None = None) -> Path:
        folder = tmp_path / "csv"
        folder.mkdir(exist_ok=True)
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns or list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return folder / name

    return made


@pytest.fixture
def folder(write: Write) -> Path:
    """Twelve clips of two signs in train, four in val."""
    write("WLASL2_train_25fps.csv", [clip(n % 2, 6 + n % 4, n) for n in range(12)])
    return write("WLASL2_val_25fps.csv", [clip(n % 2, 7, 20 + n) for n in range(4)]).parent
