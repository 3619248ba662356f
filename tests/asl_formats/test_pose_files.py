""".pose files: all versions, what was not seen, world points apart, and numbers of a header that do not hold."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import COMPONENTS, form, numbers, read

from asl_core import DataError, MissingExtraError, testing
from asl_formats.pose_files import _POSE_NAMES

HANDS = [("LEFT_HAND_LANDMARKS", [str(n) for n in range(21)]), ("RIGHT_HAND_LANDMARKS", [str(n) for n in range(21)])]
POSE = ("POSE_LANDMARKS", list(_POSE_NAMES))
WORLD = ("POSE_WORLD_LANDMARKS", list(_POSE_NAMES))

pytest.importorskip("pose_format", reason="needs pose-format: pip install 'asl-core[formats]'")


def text(words: str) -> bytes:
    return struct.pack("<H", len(words)) + words.encode()


def written(
    path: Path, points: np.ndarray, confidence: np.ndarray, components: Sequence[tuple[str, list[str]]] = HANDS, *,
    version: float = 0.2, size: tuple[int, int] = (640, 480), fps: float = 29.97, dims: str = "XYZC",
) -> Path:  # fmt: skip
    """A file of points (frames, people, points, dims) and their confidence, after the specification."""
    data = struct.pack("<f3HH", version, *size, 0, len(components))
    for name, names in components:
        data += text(name) + text(dims) + struct.pack("<3H", len(names), 1, 1) + b"".join(map(text, names))
        data += bytes(4 + 6)
    frames, people = confidence.shape[:2]
    if version == 0:
        data += struct.pack("<2H", int(fps), frames)
        for one, sure in zip(points, confidence, strict=True):
            data += struct.pack("<H", people)
            for values, score in zip(one, sure, strict=True):
                data += bytes(2) + np.column_stack([values, score]).astype("<f4").tobytes()
    else:
        head = (
            struct.pack("<fIH", fps, frames, people) if version == 0.2 else struct.pack("<3H", int(fps), frames, people)
        )
        data += head + points.astype("<f4").tobytes() + confidence.astype("<f4").tobytes()
    path.write_bytes(data)
    return path


def some(frames: int = 5, people: int = 1, points: int = 42, dims: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return numbers(frames, people, points, dims) * [640, 480, 1, 1][:dims], np.ones((frames, people, points))


def test_the_contract(tmp_path: Path) -> None:
    testing.check_format(COMPONENTS["pose"], sample=written(tmp_path / "clip.pose", *some()))


@pytest.mark.parametrize(("version", "fps"), [(0.0, 29.0), (0.1, 29.0), (0.2, 29.97)])
def test_the_versions(tmp_path: Path, version: float, fps: float) -> None:
    points, confidence = some()
    confidence[2, 0, 3] = 0
    recording = read("pose", written(tmp_path / "clip.pose", points, confidence, version=version))
    expected = (points[:, 0] / [640, 480, 1]).astype("f4")
    expected[2, 3] = np.nan
    assert np.allclose(recording.points, expected, atol=1e-6, equal_nan=True)
    assert (recording.size, recording.layout.unit, recording.notes) == ((640, 480), "image", ())
    assert recording.fps == pytest.approx(fps)


@pytest.mark.parametrize(("face", "world", "points"), [(468, False, 543), (478, False, 553), (468, True, 576)])
def test_holistic(tmp_path: Path, face: int, world: bool, points: int) -> None:
    components = [POSE, ("FACE_LANDMARKS", [str(n) for n in range(face)]), *HANDS, *([WORLD] if world else [])]
    recording = read("pose", written(tmp_path / "clip.pose", *some(points=points), components))
    names = ["pose", "face", "left-hand", "right-hand", *(["pose-world"] if world else [])]
    assert [part.name for part in recording.layout.parts] == names
    assert recording.layout.part("face").scheme == f"mediapipe-face{face}"


def test_a_selection_of_points(tmp_path: Path) -> None:
    components = [("POSE_LANDMARKS", ["RIGHT_SHOULDER", "LEFT_SHOULDER"]), ("FACE_LANDMARKS", ["0", "13", "466"])]
    recording = read("pose", written(tmp_path / "clip.pose", *some(points=5), components))
    assert [part.indices for part in recording.layout.parts] == [(12, 11), (0, 13, 466)]
    components = [("POSE_LANDMARKS", ["TAIL"]), ("WHISKERS", ["a", "b"])]
    with pytest.raises(DataError, match="component POSE_LANDMARKS has 1 points with names of its own"):
        list(form("pose").read(written(tmp_path / "clip.pose", *some(points=3), components)))
    recording = read("pose", written(tmp_path / "clip.pose", *some(points=2), components[1:]))
    assert recording.layout.parts[0].scheme == "pose-format:WHISKERS"


def test_nan_under_confidence_one_and_real_numbers_under_zero(tmp_path: Path) -> None:
    points, confidence = some()
    points[1, 0, 5, 2] = np.nan
    confidence[3, 0, 7] = 0
    confidence[4, 0, 9] = np.nan
    found = read("pose", written(tmp_path / "clip.pose", points, confidence)).points
    assert np.argwhere(np.isnan(found).all(-1)).tolist() == [[1, 5], [3, 7], [4, 9]]
    assert np.isnan(found).sum() == 9


def test_four_dimensions(tmp_path: Path) -> None:
    points, confidence = some(dims=4)
    recording = read("pose", written(tmp_path / "clip.pose", points, confidence, dims="XYZKC"))
    assert np.allclose(recording.points, points[:, 0, :, :3] / [640, 480, 1], atol=1e-6)
    points, confidence = some(dims=2)
    assert read("pose", written(tmp_path / "clip.pose", points, confidence, dims="XYC")).layout.axes == ("x", "y")


def test_without_a_size_pixels_stay_pixels(tmp_path: Path) -> None:
    points, confidence = some()
    recording = read("pose", written(tmp_path / "clip.pose", points, confidence, size=(0, 0)))
    assert (recording.layout.unit, recording.size) == ("pixel", None)
    assert np.array_equal(recording.points, points[:, 0].astype("f4"))


def test_several_people_and_none(tmp_path: Path) -> None:
    points, confidence = some(people=2)
    confidence[1:, 0] = 0
    recording = read("pose", written(tmp_path / "clip.pose", points, confidence))
    assert np.allclose(recording.points[..., 2], points[:, 1, :, 2], atol=1e-6)
    assert recording.notes == ("2 people: the one with the most points that were seen is taken",)
    nobody = written(tmp_path / "clip.pose", *some(people=0), version=0.0)
    assert np.isnan(read("pose", nobody).points).all()
    with pytest.raises(DataError, match="5 frames of 0 people"):
        list(form("pose").read(written(tmp_path / "clip.pose", *some(people=0))))


def test_more_frames_than_the_header_of_0_1_can_count(tmp_path: Path) -> None:
    points, confidence = some(frames=65_537, points=1)
    path = tmp_path / "clip.pose"
    data = written(path, points[:1], confidence[:1], [("A", ["x"])], version=0.1).read_bytes()[:-16]
    path.write_bytes(data + points.astype("<f4").tobytes() + confidence.astype("<f4").tobytes())
    assert len(read("pose", path).points) == 65_537


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def test_numbers_of_the_header_that_do_not_hold(tmp_path: Path) -> None:
    path = written(tmp_path / "clip.pose", *some())
    whole = path.read_bytes()
    body = len(whole) - 5 * 42 * 16 - 10
    for data, reason in (
        (b"", "does not begin with the number of a version"),
        (changed(whole, 0, struct.pack("<f", 0.3)), "does not begin with the number of a version"),
        (changed(whole, 10, struct.pack("<H", 65_535)), "cannot be read"),
        (changed(whole, 10, struct.pack("<H", 0)), "its components have no points"),
        (changed(whole, body + 4, struct.pack("<I", 4_000_000_000)), "it declares 4,000,000,000 frames of 1 people"),
        (changed(whole, body + 8, struct.pack("<H", 60_000)), "frames of 60000 people"),
        (whole[:-4], "it declares 5 frames of 1 people and 42 points, and has"),
        (whole + bytes(4), "it declares 5 frames"),
        (whole[:60], "cannot be read"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=reason):
            list(form("pose").read(path))


def test_frames_without_people_that_would_take_gigabytes(tmp_path: Path) -> None:
    """Version 0.0: a frame of nobody has two bytes, and becomes all the points of the header."""
    names = [""] * 60_000
    nobody = np.zeros((60_000, 0, 60_000, 1), np.float32)
    path = tmp_path / "clip.pose"
    written(path, nobody[:1], nobody[:1, ..., 0], [("A", names)], version=0.0)
    data = path.read_bytes()
    path.write_bytes(changed(data, len(data) - 4, struct.pack("<H", 60_000)) + bytes(2 * 59_999))
    with pytest.raises(DataError, match="60,000 frames of 60000 points"):
        list(form("pose").read(path))


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "clip.pose", *some())
    monkeypatch.setitem(sys.modules, "pose_format", None)
    assert form("pose").recognises(path)
    with pytest.raises(MissingExtraError, match=r"not installed; type: pip install 'asl-core\[formats\]'"):
        list(form("pose").read(path))


def test_the_real_files(shared: Path) -> None:
    facts: dict[str, dict[str, Any]] = json.loads((shared / "formats" / "FACTS.json").read_text())
    names = [name for name in facts if name.endswith(".pose")]
    assert len(names) > 10
    for name in names:
        fact, recording = facts[name], read("pose", shared / "formats" / name)
        assert recording.points.shape == (fact["frames"], fact["points"], fact["dims"]), name
        assert recording.fps == pytest.approx(fact["fps"])
        assert recording.size == (fact["width"], fact["height"])
        assert [part.points for part in recording.layout.parts] == [points for _, points, _ in fact["components"]]
        missing = np.isnan(recording.points)
        assert missing.sum() == fact["masked_values"], name
        assert (missing.all(-1) == missing.any(-1)).all()


def test_the_real_files_agree_with_the_library(shared: Path) -> None:
    from pose_format import Pose

    path = shared / "formats" / "pose" / "segmentation_example.pose"
    pose = Pose.read(path.read_bytes())
    width, height = pose.header.dimensions.width, pose.header.dimensions.height
    expected = pose.body.data[:, 0].filled(np.nan) / np.array([width, height, 1], np.float32)
    assert np.allclose(read("pose", path).points, expected, rtol=0, atol=1e-6, equal_nan=True)
