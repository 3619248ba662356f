"""Arrays of many clips are refused with lines of Python that split them, and those lines are right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made import form, numbers, read

from asl_core import DataError, find_format
from asl_formats.many_clips import holds_many


def split(path: Path) -> str:
    """Refuse a file, and run what the text says."""
    taken = find_format(path)
    assert taken is not None
    with pytest.raises(DataError, match="holds 4 clips in one array of shape") as caught:
        list(taken[1].read(path))
    text = str(caught.value)
    assert "\n" not in text
    code = text[text.index("import os, numpy") :]
    subprocess.run([sys.executable, "-c", code], cwd=path.parent, check=True)
    return text


@pytest.mark.parametrize("shape", [(4, 30, 126), (4, 30, 1662), (4, 30, 42, 3)])
@pytest.mark.parametrize(
    ("clips", "labels"), [("X.npy", "y.npy"), ("X_train.npy", "y_train.npy"), ("x.npy", "labels.npy")]
)
def test_an_array_beside_its_labels(tmp_path: Path, shape: tuple[int, ...], clips: str, labels: str) -> None:
    values = numbers(*shape)
    np.save(tmp_path / clips, values)
    np.save(tmp_path / labels, np.array(["go", "book", "go", "é"]))
    np.save(tmp_path / "y_other.npy", np.zeros(5))
    assert repr(labels) in split(tmp_path / clips)
    files = sorted(p.relative_to(tmp_path / "clips").as_posix() for p in (tmp_path / "clips").rglob("*.npy"))
    assert files == ["book/1.npy", "go/0.npy", "go/2.npy", "é/3.npy"]
    points = read("npy", tmp_path / "clips" / "go" / "2.npy").points
    assert np.isfinite(points).all()
    assert len(points) == 30


def test_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=numbers(4, 30, 126), y=np.array([3, 1, 1, 0]))
    assert "a['X'], a['y']" in split(tmp_path / "data.npz")
    assert len(list((tmp_path / "clips" / "1").iterdir())) == 2


def test_clips_and_other_arrays_are_not_taken_for_many(tmp_path: Path) -> None:
    for shape in (
        (1, 30, 126),
        (30, 42, 3),
        (3, 30, 42),
        (30, 2, 42, 3),
        (30, 126),
        (7, 30, 9),
        (5,),
        (2, 3, 150, 27, 1),
    ):
        assert not holds_many(shape), shape
    np.save(tmp_path / "y.npy", np.zeros(9))
    assert not form("npy").recognises(tmp_path / "y.npy")
