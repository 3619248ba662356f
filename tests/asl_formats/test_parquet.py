"""Tables of the Kaggle competitions: rows told by type and index, columns by name, sequences one by one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import COMPONENTS, form, numbers, read

from asl_core import DataError, MissingExtraError, testing

pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'asl-core[formats]'")
import pyarrow.parquet as pq  # noqa: E402 - it may not be there

TYPES = {"face": 468, "left_hand": 21, "pose": 33, "right_hand": 21}


def rows(frames: int, values: np.ndarray, first: int = 0) -> dict[str, Any]:
    """The columns of asl-signs in its order."""
    types = [name for name, count in TYPES.items() for _ in range(count)]
    index = [number for count in TYPES.values() for number in range(count)]
    return {
        "frame": np.repeat(np.arange(first, first + frames), 543),
        "row_id": [f"{f}-{t}-{i}" for f in range(frames) for t, i in zip(types, index, strict=True)],
        "type": types * frames,
        "landmark_index": np.array(index * frames, np.int16),
        **dict(zip("xyz", values.reshape(-1, 3).T, strict=True)),
    }


def saved(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_the_contract(tmp_path: Path) -> None:
    sample = saved(tmp_path / "clip.parquet", rows(3, numbers(3, 543, 3)))
    testing.check_format(COMPONENTS["kaggle-signs"], sample=sample)
    wide = saved(tmp_path / "many.parquet", sequences([4, 2]))
    testing.check_format(COMPONENTS["kaggle-fingerspelling"], sample=wide)
    assert not form("kaggle-signs").recognises(wide)
    assert not form("kaggle-fingerspelling").recognises(sample)


def test_rows_in_any_order(tmp_path: Path) -> None:
    values = numbers(4, 543, 3)
    values[1, 468:489] = np.nan
    columns = rows(4, values, first=20)
    recording = read("kaggle-signs", saved(tmp_path / "1.parquet", columns))
    order = np.random.default_rng(0).permutation(4 * 543)
    mixed = {name: np.asarray(column)[order] for name, column in columns.items()}
    again = read("kaggle-signs", saved(tmp_path / "2.parquet", mixed))
    assert np.array_equal(recording.points, again.points, equal_nan=True)
    assert [part.name for part in recording.layout.parts] == ["pose", "face", "left-hand", "right-hand"]
    expected = values.astype("f4")
    assert np.array_equal(recording.points[:, :33], expected[:, 489:522])
    assert np.array_equal(recording.points[:, 33:501], expected[:, :468])
    assert np.array_equal(recording.points[:, 501:522], expected[:, 468:489], equal_nan=True)
    assert np.array_equal(recording.points[:, 522:], expected[:, 522:])


def test_a_part_and_a_frame_that_are_missing(tmp_path: Path) -> None:
    columns = rows(4, numbers(4, 543, 3))
    kept = np.flatnonzero((np.array(columns["type"]) != "face") & (columns["frame"] != 2))
    recording = read(
        "kaggle-signs", saved(tmp_path / "a.parquet", {n: np.asarray(c)[kept] for n, c in columns.items()})
    )
    assert recording.points.shape == (4, 75, 3)
    assert np.isnan(recording.points[2]).all()
    assert recording.notes == ("1 of 4 frames have no row (2) and stand as not seen",)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: c.pop("z"), "no column z"),
        (lambda c: c.update(type=["tail"] * len(c["type"])), "landmarks of type tail"),
        (lambda c: c.update(landmark_index=c["landmark_index"] + 1), "beyond the points of its type"),
        (lambda c: c.update(landmark_index=c["landmark_index"] - 1), "beyond the points of its type"),
        (lambda c: c.update(frame=c["frame"] * 0), "two rows of one landmark"),
        (lambda c: c.update(frame=c["frame"] * 10**9 + (c["frame"] == 1)), "numbers from 0 to 2,000,000,000"),
        (lambda c: c.update(frame=np.arange(len(c["frame"]))), "1,629 rows and 1,629 frames"),
        (lambda c: c.update(x=["a"] * len(c["x"])), "expected numbers in the columns"),
        (lambda c: c.update(x=c["x"] * np.inf), "infinite"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, change, text: str) -> None:
    columns = rows(3, numbers(3, 543, 3))
    change(columns)
    with pytest.raises(DataError, match=text):
        list(form("kaggle-signs").read(saved(tmp_path / "a.parquet", columns)))


@pytest.mark.slow
def test_a_table_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    """Runs of one value take no room in parquet."""
    count = 40_000_000
    columns = {n: pa.array(np.zeros(count, np.int8)) for n in ("frame", "type", "landmark_index", "x", "y", "z")}
    path = saved(tmp_path / "bomb.parquet", columns, compression="zstd")
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="declares 40,000,000 rows, far more than its"):
        list(form("kaggle-signs").read(path))


def sequences(lengths: list[int], values: np.ndarray | None = None, points: int = 21) -> dict[str, Any]:
    """The columns of ASLFR, of a right hand only."""
    values = numbers(sum(lengths), points, 3) if values is None else values
    columns = {f"{a}_right_hand_{n}": values[:, n, i].astype("f4") for i, a in enumerate("xyz") for n in range(points)}
    ids = np.repeat(np.arange(len(lengths)) + 100, lengths)
    return {"sequence_id": ids, "frame": np.concatenate([np.arange(n) for n in lengths]), **columns}


def test_sequences_longer_than_a_batch(tmp_path: Path) -> None:
    lengths = [5, 3000, 1, 2041, 7]
    values = numbers(sum(lengths), 21, 3)
    values[3] = np.nan
    made = form("kaggle-fingerspelling")
    recordings = list(made.read(saved(tmp_path / "a.parquet", sequences(lengths, values), row_group_size=1000)))
    assert [r.id for r in recordings] == ["100", "101", "102", "103", "104"]
    assert [len(r.points) for r in recordings] == lengths
    assert np.array_equal(np.concatenate([r.points for r in recordings]), values.astype("f4"), equal_nan=True)
    assert str(recordings[0].layout) == "right-hand 21; x y z in image units"


def test_columns_by_name(tmp_path: Path) -> None:
    columns = sequences([4])
    columns |= {f"{a}_pose_{n}": numbers(4, seed=n) for n in (32, 0) for a in "zyx"}
    recording = read("kaggle-fingerspelling", saved(tmp_path / "a.parquet", dict(reversed(columns.items()))))
    assert recording.points.shape == (4, 33 + 21, 3)
    assert np.array_equal(recording.points[:, 33:, 1], np.stack([columns[f"y_right_hand_{n}"] for n in range(21)], 1))
    assert np.isnan(recording.points[:, 1:32]).all()
    assert np.array_equal(recording.points[:, 32, 0], columns["x_pose_32"].astype("f4"))


def test_wrong_sequences_are_refused(tmp_path: Path) -> None:
    columns = sequences([2, 2, 2])
    columns["sequence_id"] = np.array([1, 1, 2, 2, 1, 1])
    made = form("kaggle-fingerspelling")
    with pytest.raises(DataError, match="holds sequence 1 in two places"):
        list(made.read(saved(tmp_path / "a.parquet", columns)))
    with pytest.raises(DataError, match="sequence 100, holds two rows of frame number 0"):
        list(made.read(saved(tmp_path / "a.parquet", {**columns, "sequence_id": [100] * 6, "frame": [0] * 6})))
    with pytest.raises(DataError, match="has a column x_pose_77"):
        list(made.read(saved(tmp_path / "a.parquet", {**columns, "x_pose_77": [0.0] * 6})))
    with pytest.raises(DataError, match="holds no row"):
        list(made.read(saved(tmp_path / "a.parquet", {name: column[:0] for name, column in columns.items()})))


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.parquet", rows(1, numbers(1, 543, 3)))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert form("kaggle-signs").recognises(path)
    with pytest.raises(MissingExtraError, match=r"pip install 'asl-core\[formats\]'"):
        list(form("kaggle-signs").read(path))


def test_the_real_files(shared: Path) -> None:
    facts = json.loads((shared / "formats" / "FACTS.json").read_text())
    names = [name for name in facts if name.endswith(".parquet")]
    assert names
    for name in names:
        fact, recording = facts[name], read("kaggle-signs", shared / "formats" / name)
        assert len(recording.points) == fact["frames"]
        assert recording.points.shape[1] * fact["frames"] == fact["rows"]
        assert np.isnan(recording.points).sum() == fact["nan"]
        table = pq.read_table(shared / "formats" / name).to_pylist()
        by_row = {(row["type"], row["landmark_index"]): [row["x"], row["y"], row["z"]] for row in table}
        start = recording.layout.place("right-hand").start
        for point in (0, 8, 20):
            assert recording.points[0, start + point].tolist() == pytest.approx(by_row["right_hand", point], rel=1e-6)
