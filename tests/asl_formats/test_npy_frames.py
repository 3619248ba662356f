"""Folders of .npy frames: names as numbers, whole parts that were not seen, frames that are missing or damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made import COMPONENTS, form, numbers, read

from asl_core import DataError, testing


def write(folder: Path, frames: np.ndarray, names: str = "{}.npy", dtype: str = "f8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        np.save(folder / names.format(number), frame.astype(dtype))
    return folder


def test_the_contract(tmp_path: Path) -> None:
    testing.check_format(COMPONENTS["npy-frames"], sample=write(tmp_path / "clip", numbers(3, 1662)))


@pytest.mark.parametrize(
    ("width", "parts", "axes"),
    [
        (1662, [("pose", 33), ("face", 468), ("left-hand", 21), ("right-hand", 21)], 3),
        (1692, [("pose", 33), ("face", 478), ("left-hand", 21), ("right-hand", 21)], 3),
        (258, [("pose", 33), ("left-hand", 21), ("right-hand", 21)], 3),
        (225, [("pose", 33), ("left-hand", 21), ("right-hand", 21)], 3),
        (126, [("left-hand", 21), ("right-hand", 21)], 3),
        (63, [("hand-1", 21)], 3),
        (42, [("hand-1", 21)], 2),
    ],
)
def test_the_widths_of_the_tutorials(tmp_path: Path, width: int, parts: list[tuple[str, int]], axes: int) -> None:
    values = numbers(12, width)
    recording = read("npy-frames", write(tmp_path / "7", values))
    assert [(part.name, part.points) for part in recording.layout.parts] == parts
    assert recording.points.shape == (12, sum(n for _, n in parts), axes)
    assert np.isfinite(recording.points).all()
    assert (recording.id, recording.fps, recording.notes, recording.layout.unit) == ("7", None, (), "image")
    # The last hand stands at the end, whatever came before it; of the pose the visibility is left out.
    assert np.array_equal(recording.points[:, -21:].reshape(12, -1), values[:, -21 * axes :].astype("f4"))
    if width in (258, 1662, 1692):
        assert np.array_equal(recording.points[:, 1], values[:, 4:7].astype("f4"))


def test_names_are_numbers(tmp_path: Path) -> None:
    """As text, 10 would come before 2."""
    values = numbers(12, 63)
    assert np.array_equal(read("npy-frames", write(tmp_path / "a", values)).points.reshape(12, 63), values.astype("f4"))
    padded = write(tmp_path / "b", values, "frame_{:05}.npy")
    assert np.array_equal(read("npy-frames", padded).points.reshape(12, 63), values.astype("f4"))


def test_a_whole_part_of_zeros_or_minus_ones_was_not_seen(tmp_path: Path) -> None:
    values = numbers(4, 258)
    values[0, -63:] = 0
    values[1, 132:195] = -1
    values[2, :132] = 0
    values[3, -63:-60] = 0  # a wrist at the origin of its own hand
    points = read("npy-frames", write(tmp_path / "a", values)).points
    missing = np.isnan(points)
    assert (missing.all(-1) == missing.any(-1)).all()
    assert missing[0, 54:].all()
    assert missing[1, 33:54].all()
    assert missing[2, :33].all()
    assert missing.any(-1).sum() == 21 + 21 + 33
    assert (points[3, 54] == 0).all()


def test_hands_of_minus_one_are_in_the_order_of_detection(tmp_path: Path) -> None:
    values = numbers(3, 126)
    values[1, 63:] = -1
    recording = read("npy-frames", write(tmp_path / "a", values))
    assert [part.name for part in recording.layout.parts] == ["hand-1", "hand-2"]
    assert "order of detection" in recording.notes[0]


def test_missing_frames_keep_their_place(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", numbers(10, 63))
    (folder / "3.npy").unlink()
    (folder / "7.npy").unlink()
    recording = read("npy-frames", folder)
    assert np.flatnonzero(np.isnan(recording.points).all((1, 2))).tolist() == [3, 7]
    assert recording.notes == ("2 of 10 frames have no file (3, 7) and stand as not seen",)


def test_numbers_in_steps_are_frames_in_a_row(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", numbers(6, 63))
    for number in (1, 3, 5):
        (folder / f"{number}.npy").unlink()
    recording = read("npy-frames", folder)
    assert len(recording.points) == 3
    assert recording.notes == ("frames are numbered in steps of 2: every file is taken for the next frame",)


def test_millions_of_frames_in_the_names_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", numbers(3, 63))
    np.save(folder / "99999999999.npy", numbers(63))
    with pytest.raises(DataError, match="4 frames with numbers from 0 to 99,999,999,999"):
        list(form("npy-frames").read(folder))


def test_frames_of_other_types_are_read_alike(tmp_path: Path) -> None:
    values = numbers(3, 63).astype("f4")
    folder = write(tmp_path / "a", values, dtype="f4")
    np.save(folder / "1.npy", values[1].astype("f8"))
    np.save(folder / "2.npy", values[2].astype(">f4"))
    assert np.array_equal(read("npy-frames", folder).points.reshape(3, 63), values)


def test_frames_of_points(tmp_path: Path) -> None:
    values = numbers(21, 21, 3)  # 21 frames too: the first axis of a folder is time
    assert np.array_equal(read("npy-frames", write(tmp_path / "a", values)).points, values.astype("f4"))
    folder = tmp_path / "b"
    folder.mkdir()
    for number, frame in enumerate(values):
        np.save(folder / f"{number}.npy", np.asfortranarray(frame))
    assert np.array_equal(read("npy-frames", folder).points, values.astype("f4"))


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda f: (f / "1.npy").write_bytes((f / "1.npy").read_bytes()[:-8]), "1.npy cannot be read .it declares 632"),
        (lambda f: (f / "1.npy").write_bytes(b""), "1.npy cannot be read .it does not begin as a .npy file"),
        (lambda f: (f / "0.npy").write_bytes(b""), "0.npy cannot be read .it does not begin as a .npy file"),
        (lambda f: np.save(f / "1.npy", numbers(126)), r"holds float64 of shape \(126,\) and the first frame \(63,\)"),
        (lambda f: np.save(f / "1.npy", np.array([{}])), "1.npy cannot be read"),
        (lambda f: np.save(f / "1.npy", np.full(63, np.inf)), "infinite"),
        (lambda f: np.save(f / "1.npy", np.full(63, 1e300)), "infinite or larger"),
        (lambda f: np.save(f / "01.npy", numbers(63)), "two files of frame number 1"),
        (shutil.rmtree, "cannot be read .No such file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, damage, text: str) -> None:
    folder = write(tmp_path / "a", numbers(3, 63))
    damage(folder)
    with pytest.raises(DataError, match=text):
        list(form("npy-frames").read(folder))


def test_what_is_no_folder_of_frames_is_not_recognised(tmp_path: Path) -> None:
    made = form("npy-frames")
    write(tmp_path / "clips", numbers(3, 20, 63))  # a clip each
    write(tmp_path / "features", numbers(3, 36))  # no points
    write(tmp_path / "named", numbers(3, 63))
    np.save(tmp_path / "named" / "hello.npy", numbers(63))
    (tmp_path / "empty").mkdir()
    for name in ("clips", "features", "named", "empty", "clips/0.npy", "missing"):
        assert made.recognises(tmp_path / name) is False
    with pytest.raises(DataError, match=r"holds no \.npy file whose name is a number"):
        list(made.read(tmp_path / "empty"))


def test_what_lies_beside_the_frames(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", numbers(3, 63))
    (folder / "._0.npy").write_bytes(b"\0\5\26\7")  # of macOS
    (folder / "0.jpg").write_bytes(b"")
    recording = read("npy-frames", folder)
    assert len(recording.points) == 3
    assert recording.notes == ("1 files that are no frames are left out",)


def test_a_width_that_two_layouts_have_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", numbers(2, 1629))
    assert form("npy-frames").recognises(folder)
    with pytest.raises(DataError, match=r"of layout mediapipe or .*of layout kaggle; say which"):
        list(form("npy-frames").read(folder))
    assert read("npy-frames", folder, layout="kaggle").layout.parts[0].name == "face"


def test_the_real_trees(shared: Path) -> None:
    facts = json.loads((shared / "formats" / "FACTS.json").read_text())
    folders = sorted((shared / "formats" / "mp-data-npy").glob("*/*/*"))
    assert folders
    for folder in folders:
        recording = read("npy-frames", folder)
        files = [facts[f"mp-data-npy/{folder.relative_to(folder.parents[2]).as_posix()}/{n}.npy"] for n in range(20)]
        assert len(recording.points) == 20
        assert {file["shape"][0] for file in files} == {258 if recording.layout.place("pose") else 126}
        missing = np.isnan(recording.points).all(-1).sum(-1) * 3
        assert missing.tolist() == [file["zeros"] for file in files], folder
        for points, file in zip(recording.points, files, strict=True):
            assert np.nanmin(points, initial=0) >= np.float32(file["min"])
            assert np.nanmax(points, initial=0) <= np.float32(file["max"])
