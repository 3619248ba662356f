"""Archives of arrays: one clip, its parts, several clips, our own; bombs and damage refused before they unpack."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import COMPONENTS, form, numbers, read

from asl_core import DataError, Recording, testing
from asl_formats.layouts import layout_of


def saved(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def test_the_contract(tmp_path: Path) -> None:
    path = saved(tmp_path / "clips.npz", **{"hello/1": numbers(9, 258), "hello/2": numbers(5, 258)})
    testing.check_format(COMPONENTS["npz"], sample=path)


def test_one_array_whatever_its_name(tmp_path: Path) -> None:
    values = numbers(9, 75, 3)
    recording = read("npz", saved(tmp_path / "clip.npz", arr_0=values, fps=29.97, label=np.array(3)))
    assert np.array_equal(recording.points, values.astype("f4"))
    assert (recording.id, recording.fps, recording.notes) == ("clip", 29.97, ("left out: label",))


def test_several_arrays_are_clips(tmp_path: Path) -> None:
    path = saved(tmp_path / "clips.npz", a=numbers(9, 63), b=numbers(4, 126), vocabulary=np.array(["x", "y"]))
    one, two = form("npz").read(path)
    assert (one.id, two.id) == ("a", "b")
    assert (len(one.points), len(two.points)) == (9, 4)
    assert one.notes == ("left out: vocabulary",)


def test_one_clip_in_the_order_of_detection_decides_for_all(tmp_path: Path) -> None:
    seen, lost = numbers(4, 126), numbers(4, 126)
    lost[2, 63:] = -1
    for recording in form("npz").read(saved(tmp_path / "clips.npz", a=seen, b=lost)):
        assert [part.name for part in recording.layout.parts] == ["hand-1", "hand-2"]


def test_parts_of_a_body(tmp_path: Path) -> None:
    pose, left = numbers(9, 33, 4), numbers(9, 21, 3)
    left[3] = 0
    path = saved(tmp_path / "clip.npz", left_hand=left, pose=pose, right_hand=left[::-1], fps=25)
    recording = read("npz", path)
    assert str(recording.layout) == "pose 33, left-hand 21, right-hand 21; x y z in image units"
    assert np.array_equal(recording.points[:, :33], pose[..., :3].astype("f4"))
    assert np.isnan(recording.points[3, 33:54]).all()
    assert np.isnan(recording.points[5, 54:]).all()
    saved(tmp_path / "clip.npz", left_hand=left, pose=pose[1:])
    with pytest.raises(DataError, match=r"parts of other sizes \(pose \(8, 33, 4\), left-hand \(9, 21, 3\)\)"):
        list(form("npz").read(path))


def test_what_asl_writes_comes_back_as_it_was(tmp_path: Path) -> None:
    points = numbers(4, 75, 3).astype("f4")
    points[1, 40:] = np.nan
    whole = Recording(
        id="hello/1", layout=layout_of("openhands"), points=points, fps=24.5, times=np.array([0, 0.1, 0.2, 0.5]),
        size=(640, 480), glosses=("HELLO", "übung"), signer="7", split="val", source="x",
    )  # fmt: skip
    whole.save(tmp_path / "own.npz")
    again = read("npz", tmp_path / "own.npz")
    assert np.array_equal(again.points, points, equal_nan=True)
    assert again.times is not None
    assert again.times.tolist() == [0, 0.1, 0.2, 0.5]
    for name in ("id", "layout", "fps", "size", "glosses", "signer", "split"):
        assert getattr(again, name) == getattr(whole, name)
    Recording(id="a", layout=layout_of("hand"), points=numbers(2, 21, 3)).save(tmp_path / "own.npz")
    assert read("npz", tmp_path / "own.npz").id == "a"


def npy(shape: tuple[int, ...], data: bytes, dtype: str = "<f4") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + data


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({}, "holds no array of a known layout"),
        ({"a.npy": npy((9, 36), bytes(9 * 36 * 4))}, r"of 1 arrays: a \(9, 36\)"),
        ({"a.npy": npy((10**9, 63), bytes(252))}, "'a.npy' declares 252,000,000,128 bytes and has 380"),
        ({"a.npy": npy((400_000, 63), bytes(400_000 * 63 * 4))}, "claim to unpack to far more than its"),
        ({"a.npy": npy((2, 63), b"", "|O")}, "'a.npy' holds Python objects"),
        ({"points.npy": npy((2, 21, 3), bytes(504)), "layout.npy": npy((), b"[\0\0\0", "<U1")}, "cannot be read"),
    ],
)  # fmt: skip
def test_damage_and_bombs(tmp_path: Path, members: dict[str, bytes], text: str) -> None:
    path = tmp_path / "clip.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match=text):
        list(form("npz").read(path))


def test_a_member_that_is_longer_than_the_archive_says(tmp_path: Path) -> None:
    """Of a bomb the directory lies: no more than it says is unpacked, and the checksum does not agree."""
    path = tmp_path / "clip.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy((2, 63), bytes(1 << 24)))
    size = (len(npy((2, 63), b"")) + (1 << 24)).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (len(npy((2, 63), b"")) + 504).to_bytes(4, "little")))
    with pytest.raises(DataError, match="cannot be read"):
        list(form("npz").read(path))
