"""One array a clip: every order of axes of the field is found by the shape, or refused with what it could be."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from made import COMPONENTS, form, numbers, read

from asl_core import DataError, testing
from asl_formats.layouts import BY_POINT, LAYOUTS, layout_of
from asl_formats.options import NAMES
from asl_formats.shapes import readings


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def test_the_contract(tmp_path: Path) -> None:
    testing.check_format(COMPONENTS["npy"], sample=saved(tmp_path / "clip.npy", numbers(9, 258)))


def test_the_names_of_the_option_are_the_layouts() -> None:
    assert tuple(LAYOUTS) == NAMES
    assert set(BY_POINT) < set(LAYOUTS)
    assert layout_of("slgcn").part("left-hand").indices == (0, 4, 5, 8, 9, 12, 13, 16, 17, 20)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize(
    ("order", "turn"),
    [
        ("TVC", lambda x: x),
        ("TD", lambda x: x.reshape(len(x), -1)),
        ("DT", lambda x: x.reshape(len(x), -1).T),
        ("1TD", lambda x: x.reshape(1, len(x), -1)),
        ("CTV", lambda x: x.transpose(2, 0, 1)),
        ("CTVM", lambda x: x.transpose(2, 0, 1)[..., None]),
        ("1CTV", lambda x: x.transpose(2, 0, 1)[None]),
        ("TMVC", lambda x: x[:, None]),
        ("MTVC", lambda x: x[None]),
        ("TVC1", lambda x: x[..., None]),
    ],
)
def test_all_orders_of_axes_give_the_same(tmp_path: Path, order: str, turn, dtype: str) -> None:
    values = numbers(30, 75, 3).astype(dtype)
    recording = read("npy", saved(tmp_path / "clip.npy", turn(values)))
    assert np.array_equal(recording.points, values.astype("f4"))
    assert [part.name for part in recording.layout.parts] == ["pose", "left-hand", "right-hand"]
    assert (recording.id, recording.notes) == ("clip", ())


def test_no_shape_of_two_meanings_is_taken_in_silence() -> None:
    """Of every shape with a layout, all ways but one are refused or said."""
    for frames, name, width in itertools.product((1, 2, 3, 4, 21, 27, 63, 75), LAYOUTS, (2, 3)):
        points = layout_of(name).points
        for shape in ((frames, points, width), (width, frames, points), (width, frames, points, 1)):
            orders = {way.order for way in readings(shape)}
            names = {way.name for way in readings(shape)}
            assert names or name == "detected"
            assert len(orders) == 1 or frames in (1, 2, 3), (shape, orders)


def test_as_many_frames_as_numbers_is_said(tmp_path: Path) -> None:
    recording = read("npy", saved(tmp_path / "clip.npy", numbers(63, 126)))
    assert recording.points.shape == (63, 42, 3)
    assert "taken as (frames, numbers) of layout hands, though it could be (numbers, frames)" in recording.notes[0]


@pytest.mark.parametrize("shape", [(5, 543, 3), (5, 1629), (3, 5, 543)])
def test_layouts_of_one_size_have_to_be_named(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = saved(tmp_path / "clip.npy", numbers(*shape))
    assert form("npy").recognises(path)
    with pytest.raises(DataError, match=r"layout mediapipe or .*layout kaggle; say which"):
        list(form("npy").read(path))
    assert read("npy", path, layout="mediapipe").layout.parts[0].name == "pose"


def test_confidence_of_points(tmp_path: Path) -> None:
    """OpenPose judges each point; a third number is its confidence, and no coordinate."""
    values = numbers(4, 137, 3)
    values[0, 3] = 0
    values[1, 5, 2] = 0  # real numbers under a confidence of 0
    values[2, 7, 2] = np.nan
    recording = read("npy", saved(tmp_path / "clip.npy", values))
    assert recording.layout.axes == ("x", "y")
    assert np.argwhere(np.isnan(recording.points[..., 0])).tolist() == [[0, 3], [1, 5], [2, 7]]
    values = numbers(2, 133, 3)
    values[0, 100, 2] = 0.29
    values[..., 2] = np.where(values[..., 2] < 0.3, values[..., 2], 0.9)
    recording = read("npy", saved(tmp_path / "clip.npy", values))
    assert np.isnan(recording.points[0, 100]).all()


def test_one_axis_of_nan_hides_the_point(tmp_path: Path) -> None:
    values = numbers(3, 21, 3)
    values[1, 4, 2] = np.nan
    points = read("npy", saved(tmp_path / "clip.npy", values)).points
    assert np.isnan(points[1, 4]).all()
    assert np.isfinite(points).sum() == 3 * 21 * 3 - 3


def test_of_two_people_the_one_who_was_seen(tmp_path: Path) -> None:
    values = numbers(3, 6, 27, 2)
    values[..., 0][:, :, 5:] = 0
    recording = read("npy", saved(tmp_path / "clip.npy", values))
    assert np.array_equal(recording.points, values[:2, ..., 1].transpose(1, 2, 0).astype("f4"))
    assert "2 people" in recording.notes[0]


def test_pixels(tmp_path: Path) -> None:
    assert read("npy", saved(tmp_path / "clip.npy", 300 * numbers(3, 75, 2))).layout.unit == "pixel"


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((0, 63)), "and no numbers"),
        (numbers(5, 36), "no clip of a known layout"),
        (numbers(63), "holds one frame of 63 numbers; give the folder"),
        (np.array([{}]), "clip.npy cannot be read"),
        (np.zeros((4, 63), "c8"), "and no numbers"),
        (np.zeros((4, 63), "U3"), "and no numbers"),
        (np.full((4, 63), np.inf), "infinite"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray, text: str) -> None:
    path = tmp_path / "clip.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=text):
        list(form("npy").read(path))


def test_a_header_that_claims_more_than_there_is(tmp_path: Path) -> None:
    path = saved(tmp_path / "clip.npy", numbers(10, 63))
    data = path.read_bytes()
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 63), }"
    path.write_bytes(data[:10] + header.ljust(117) + b"\n" + data[128:])
    with pytest.raises(DataError, match="it declares 50,399,999,999,624 bytes and has 5,168"):
        list(form("npy").read(path))
