"""Real videos through MediaPipe, against the landmarks that were stored of them. Needs a model file: ASL_HAND_MODEL."""

from __future__ import annotations

import importlib.util
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

import asl_core as asl

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("mediapipe") is None or importlib.util.find_spec("av") is None,
        reason="PyAV and MediaPipe are not installed (extra video)",
    ),
    pytest.mark.skipif(not os.environ.get("ASL_HAND_MODEL"), reason="needs hand_landmarker.task: set ASL_HAND_MODEL"),
]
CLIPS = ("14893", "65145", "69402")  # 14893 holds packets that are not shown


@pytest.fixture(scope="module")
def videos(shared: Path) -> Path:
    if not (shared / "videos").is_dir():
        pytest.skip(f"needs the real videos, which are not at {shared / 'videos'}")
    return shared / "videos"


def stored(shared: Path, name: str) -> np.ndarray:
    """(T, 2, 21, 3), NaN where no hand was seen."""
    for path in sorted((shared / "wlasl100-hands").glob("*.pkl")):
        for clip in pickle.loads(path.read_bytes()).values():
            if clip["video_id"] == name:
                hands = np.array(clip["features"], dtype=np.float32).reshape(-1, 2, 21, 3)
                hands[(hands == -1).all((2, 3))] = np.nan
                return hands
    raise AssertionError(name)


def extracted(path: Path) -> asl.Recording:
    named = asl.find_format(path)
    assert named is not None
    (recording,) = named[1].read(path)
    return recording


def test_the_same_landmarks_as_the_stored_ones(videos: Path, shared: Path) -> None:
    errors, same, frames = [], 0, 0
    for name in CLIPS:
        recording = extracted(videos / f"{name}.mp4")
        assert recording.detector.startswith("mediapipe-hands 0.10.3")
        ours, theirs = recording.points.reshape(-1, 2, 21, 3), stored(shared, name)
        assert len(ours) == len(theirs)
        seen = [~np.isnan(hands).any((2, 3)) for hands in (ours, theirs)]
        same += int((seen[0].sum(1) == seen[1].sum(1)).sum())
        frames += len(ours)
        for frame in range(len(ours)):
            pairs = [
                np.abs(ours[frame, a] - theirs[frame, b])[:, :2].mean(0)
                for a in (0, 1)
                for b in (0, 1)
                if seen[0][frame, a] and seen[1][frame, b]
            ]
            if pairs:
                errors.append(min(pairs, key=lambda pair: float(pair.sum())))
    x, y = np.mean(errors, axis=0)
    assert x < 0.01
    assert y < 0.01
    assert same / frames > 0.85


def test_left_is_the_signers_left(videos: Path) -> None:
    """Signers face the camera, so that their left hand is right in the picture."""
    points = extracted(videos / "69345.mp4").points
    left, right = points[:, 0, 0], points[:, 21, 0]
    both = ~np.isnan(left) & ~np.isnan(right)
    assert both.sum() > 20
    assert (left > right)[both].mean() > 0.9


def test_nothing_that_mediapipe_prints_is_seen(videos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    extracted(videos / "14893.mp4")
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_another_file_is_no_model(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hand_landmarker.task").write_bytes(b"PK no model")
    monkeypatch.setenv("ASL_HAND_MODEL", str(tmp_path / "hand_landmarker.task"))
    with pytest.raises(asl.DataError, match="is no model of the detector mediapipe-hands"):
        extracted(videos / "14893.mp4")


@pytest.mark.skipif(
    not os.environ.get("ASL_HOLISTIC_MODEL"), reason="needs holistic_landmarker.task: set ASL_HOLISTIC_MODEL"
)
def test_holistic_sees_the_hands_where_the_hand_detector_does(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = extracted(videos / "69345.mp4")
    monkeypatch.setenv("ASL_DETECTOR", "mediapipe-holistic")
    body = extracted(videos / "69345.mp4")
    assert str(body.layout).startswith("pose 33, face 468, left-hand 21, right-hand 21")
    assert not np.isnan(body.points[:, :33]).any()
    for part in ("left-hand", "right-hand"):
        one, other = (r.points[:, r.layout.place(part), :2] for r in (hands, body))
        both = ~np.isnan(one).any((1, 2)) & ~np.isnan(other).any((1, 2))
        assert both.sum() > 20
        assert np.abs(one - other)[both].mean() < 0.02
