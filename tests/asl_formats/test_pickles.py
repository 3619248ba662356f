"""Pickles of clips: scores beside the points, lists of frames, records, gzip; nothing in them is run."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import COMPONENTS, form, numbers, read

from asl_core import DataError, testing


def saved(path: Path, content: Any) -> Path:
    data = pickle.dumps(content)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["clip.pkl", "clips.train.gz"])
def test_the_contract(tmp_path: Path, name: str) -> None:
    testing.check_format(COMPONENTS["pickle"], sample=saved(tmp_path / name, {"a": numbers(9, 75, 3)}))


def test_uni_sign(tmp_path: Path) -> None:
    points, scores = numbers(7, 1, 133, 2), np.ones((7, 1, 133))
    scores[2, 0, 100], scores[3, 0, 5] = 0.29, 0.31
    points[4, 0, 3, 1] = np.nan
    recording = read("pickle", saved(tmp_path / "clip.pkl", {"keypoints": points, "scores": scores}))
    names = ["pose", "feet", "face", "left-hand", "right-hand"]
    assert [part.name for part in recording.layout.parts] == names
    assert recording.layout.place("left-hand") == slice(91, 112)
    assert recording.layout.place("right-hand") == slice(112, 133)
    assert np.argwhere(np.isnan(recording.points[..., 0])).tolist() == [[2, 100], [4, 3]]
    assert (recording.id, recording.layout.axes, recording.layout.unit) == ("clip", ("x", "y"), "image")
    frames = {"keypoints": list(points), "scores": list(scores)}
    again = read("pickle", saved(tmp_path / "clip.pkl", frames))
    assert np.array_equal(again.points, recording.points, equal_nan=True)


def test_frames_with_several_people_or_nobody(tmp_path: Path) -> None:
    points = [numbers(n, 133, 2, seed=n) for n in (1, 2, 0, 1)]
    scores = [np.ones((n, 133)) for n in (1, 2, 0, 1)]
    recording = read("pickle", saved(tmp_path / "clip.pkl", {"keypoints": points, "scores": scores}))
    assert np.array_equal(recording.points[1], points[1][0].astype("f4"))
    assert np.isnan(recording.points[2]).all()
    assert recording.notes == ("2 people in a frame: the first is taken",)


def test_openhands_and_nla_slr(tmp_path: Path) -> None:
    confidences = np.ones((4, 75))
    confidences[1, 40] = 0
    content = {"keypoints": numbers(4, 75, 3), "confidences": confidences}
    recording = read("pickle", saved(tmp_path / "clip.pkl", content))
    assert np.argwhere(np.isnan(recording.points[..., 0])).tolist() == [[1, 40]]
    many = {f"clip{n}": {"keypoints": 300 * numbers(n + 2, 133, 3)} for n in range(3)}
    recordings = list(form("pickle").read(saved(tmp_path / "many.pkl", many)))
    assert [(r.id, len(r.points), r.layout.unit) for r in recordings] == [
        ("clip0", 2, "pixel"), ("clip1", 3, "pixel"), ("clip2", 4, "pixel"),
    ]  # fmt: skip


def test_records_in_gzip(tmp_path: Path) -> None:
    features = numbers(6, 126)
    features[2, :63] = -1
    record = {"features": features, "gloss": "book", "signer_id": 12, "split": "val", "fps": 25.0}
    recording = read("pickle", saved(tmp_path / "clips.pkl.gz", {"07099": record}))
    assert (recording.id, recording.glosses, recording.signer, recording.split) == ("07099", ("book",), "12", "val")
    assert recording.fps == 25
    assert [part.name for part in recording.layout.parts] == ["hand-1", "hand-2"]
    assert np.isnan(recording.points[2, :21]).all()
    again = read("pickle", saved(tmp_path / "clips.pkl", [{"video_id": "07099", **record}]))
    assert np.array_equal(again.points, recording.points, equal_nan=True)
    assert again.id == "07099"


class Runs:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({}, "holds no clips"),
        ({"a": "text"}, "'a' that is no array of numbers"),
        ({"a": {"gloss": "x"}}, "'a' without keypoints or features"),
        ({"a": numbers(5, 36)}, "no clip of a known layout.*--dataset wlasl"),
        ({"keypoints": numbers(5, 133, 2), "scores": numbers(4, 133)}, r"of shape \(5, 133, 2\) and scores"),
        ({"keypoints": numbers(5, 99, 2), "scores": numbers(5, 99)}, "with 133, 137, 75 or 27 points"),
        ({1: numbers(5, 63), "1": numbers(5, 63)}, "two clips of one id"),
        ({"a": np.full((5, 63), np.inf)}, "infinite"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        list(form("pickle").read(saved(tmp_path / "a.pkl", content)))


def test_nothing_is_run(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pkl", {"a": numbers(5, 63), "b": Runs(tmp_path / "was-run")})
    with pytest.raises(DataError):
        list(form("pickle").read(path))
    assert not (tmp_path / "was-run").exists()


@pytest.mark.slow
def test_bombs(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(pickle.dumps(np.zeros(40 << 20))))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="unpacks to more than"):
        list(form("pickle").read(path))
    array = numbers(1000, 258)
    path = saved(tmp_path / "a.pkl", {str(n): array for n in range(1000)})
    with pytest.raises(DataError, match="repeats the same arrays under many clips"):
        list(form("pickle").read(path))


def test_what_is_no_pickle_of_arrays_is_not_recognised(tmp_path: Path) -> None:
    made = form("pickle")
    assert not made.recognises(saved(tmp_path / "labels.pkl", {"a": {"name": "x", "gloss": "y"}}))
    assert not made.recognises(saved(tmp_path / "labels.train.gz", {"a": {"name": "x", "gloss": "y"}}))
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b nothing")
    assert not made.recognises(tmp_path / "a.gz")
    with pytest.raises(DataError, match="its archive is damaged"):
        list(made.read(tmp_path / "a.gz"))


def test_the_real_landmarks(shared: Path) -> None:
    path = shared / "wlasl100-hands" / "features_val_wlasl100.pkl"
    recordings = list(form("pickle").read(path))
    assert len(recordings) == 165
    one = next(r for r in recordings if r.id == "07099")
    assert (one.glosses, one.signer, one.split, one.points.shape) == (("book",), "12", "val", (87, 42, 3))
    with path.open("rb") as file:
        content = pickle.load(file)
    for recording in recordings:
        assert [part.name for part in recording.layout.parts] == ["hand-1", "hand-2"]  # one frame of -1 decides for all
        hands = content[recording.id]["features"].reshape(-1, 42, 3)
        seen = np.repeat((hands.reshape(len(hands), 2, -1) != -1).any(-1), 21, axis=1)
        assert np.array_equal(recording.points, np.where(seen[..., None], hands, np.nan), equal_nan=True)
