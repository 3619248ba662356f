"""Folders of OpenPose's frames: numbers in the names, nobody, several people, frames that are no frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import COMPONENTS, form, numbers, read

from asl_core import DataError, testing

KEYS = {"pose": 25, "face": 70, "hand_left": 21, "hand_right": 21}


def person(seed: int = 0, confidence: float = 0.9, **counts: int) -> dict[str, Any]:
    found: dict[str, Any] = {"person_id": [-1], "pose_keypoints_3d": []}
    for key, count in {**KEYS, **counts}.items():
        points = np.column_stack([500 * numbers(count, 2, seed=seed), np.full(count, confidence)])
        found[f"{key}_keypoints_2d"] = points.ravel().tolist()
    return found


def written(folder: Path, frames: list[list[Any]], name: str = "clip_{:012}_keypoints.json") -> Path:
    folder.mkdir(exist_ok=True)
    for number, people in enumerate(frames):
        (folder / name.format(number)).write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def test_the_contract(tmp_path: Path) -> None:
    testing.check_format(COMPONENTS["openpose"], sample=written(tmp_path / "a", [[person(n)] for n in range(3)]))


def test_frames_by_number_and_pixels(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", [[person(n)] for n in range(12)], "{}.json")
    recording = read("openpose", folder)
    assert str(recording.layout) == "pose 25, face 70, left-hand 21, right-hand 21; x y in pixel units"
    assert (recording.id, recording.fps, recording.size, recording.notes) == ("a", None, None, ())
    for n in range(12):
        assert np.array_equal(recording.points[n, :25], (500 * numbers(25, 2, seed=n)).astype("f4"))


def test_points_without_confidence_and_frames_without_people(tmp_path: Path) -> None:
    one = person()
    one["pose_keypoints_2d"][:3] = [0, 0, 0]
    one["hand_left_keypoints_2d"][2] = 0
    one["hand_right_keypoints_2d"] = []
    folder = written(tmp_path / "a", [[person()], [], [one], [person()]])
    (folder / "clip_000000000003_keypoints.json").rename(folder / "clip_000000000005_keypoints.json")
    recording = read("openpose", folder)
    missing = np.isnan(recording.points).all(-1)
    assert missing.sum(-1).tolist() == [0, 137, 23, 137, 137, 0]
    assert recording.notes == ("2 of 6 frames have no file (3, 4) and stand as not seen",)


def test_several_people(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", [[person(1, 0.2), person(2)], [person(3)]])
    recording = read("openpose", folder)
    assert np.array_equal(recording.points[0, :25], (500 * numbers(25, 2, seed=2)).astype("f4"))
    assert recording.notes == ("1 of 2 frames show several people: the one of most confidence is taken",)


def test_several_videos_and_an_older_body(tmp_path: Path) -> None:
    old = {"pose_keypoints": person(pose=18)["pose_keypoints_2d"]}
    folder = written(tmp_path / "a", [[old]] * 2, "one_{:012}_keypoints.json")
    written(folder, [[person()]] * 3, "two_{:012}_keypoints.json")
    one, two = form("openpose").read(folder)
    assert (one.id, two.id) == ("one", "two")
    assert [(p.name, p.scheme) for p in one.layout.parts] == [("pose", "openpose-coco18")]
    assert len(two.points) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read"),
        ("[]", "it has no list of people"),
        ('{"people": [3]}', "a person is a int"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "pose_keypoints holds 2 numbers"),
        ('{"people": [{"pose_keypoints_2d": 7}]}', "pose_keypoints holds int numbers"),
        (json.dumps({"people": [person(pose=18)]}), "its pose has 18 points, and 25 in frames before"),
        (json.dumps({"people": [{"face_keypoints_2d": ["a"] * 210}]}), "cannot be read"),
        (json.dumps({"people": [{"face_keypoints_2d": [[]] * 210}]}), "cannot be read"),
        (json.dumps({"people": [{"face_keypoints_2d": [1e300] * 210}]}), "infinite or larger"),
        ("[" * 100_000, "nested deeper"),
        (" " * (5 << 20), "more than a frame takes"),
    ],
)
def test_frames_that_are_none_are_named(tmp_path: Path, text: str, reason: str) -> None:
    folder = written(tmp_path / "a", [[person()]] * 3)
    (folder / "clip_000000000001_keypoints.json").write_text(text)
    with pytest.raises(DataError, match=reason):
        list(form("openpose").read(folder))


def test_other_folders(tmp_path: Path) -> None:
    made = form("openpose")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "labels_1.json").write_text('{"hello": 1}')
    assert not made.recognises(tmp_path / "a")
    nobody = written(tmp_path / "b", [[], []])
    assert made.recognises(nobody)
    with pytest.raises(DataError, match="2 frames of clip and nobody in them"):
        list(made.read(nobody))
    folder = written(tmp_path / "c", [[person()]] * 2)
    (folder / "clip_999999999999_keypoints.json").write_text(json.dumps({"people": []}))
    with pytest.raises(DataError, match="3 frames with numbers from 0 to 999,999,999,999"):
        list(made.read(folder))


def test_the_real_folder(shared: Path) -> None:
    facts = json.loads((shared / "formats" / "FACTS.json").read_text())
    folder = shared / "formats" / "openpose-json" / "video"
    recording = read("openpose", folder)
    names = [name for name in facts if name.startswith("openpose-json/")]
    assert len(recording.points) == len(names) == 9
    assert recording.id == "video"
    for number, name in enumerate(sorted(names)):
        lengths = facts[name]["lengths"]
        assert [3 * part.points for part in recording.layout.parts] == [
            lengths[f"{key}_keypoints_2d"] for key in ("pose", "face", "hand_left", "hand_right")
        ]
        (one,) = json.loads((shared / "formats" / name).read_text())["people"]
        values = np.concatenate([np.reshape(one[f"{key}_keypoints_2d"], (-1, 3)) for key in KEYS])
        expected = np.where(values[:, 2:] > 0, values[:, :2], np.nan).astype("f4")
        assert np.array_equal(recording.points[number], expected, equal_nan=True)
