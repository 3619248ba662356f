"""The process that reads videos, and what becomes of it."""

from __future__ import annotations

import importlib.metadata
import time
from pathlib import Path

import numpy as np
import pytest
from filmed import HEIGHT, WIDTH, film

import asl_core as asl
from asl_core.testing import check_format
from asl_video import asl_formats
from asl_video.detectors import DetectorOptions
from asl_video.mediapipe_hands import by_side, open_detector
from asl_video.options import VideoOptions
from asl_video.process import Job, UnusableError, WorkerSettings, worker
from asl_video.recordings import problems_of, recording_of, share_seen
from asl_video.video_format import VideoFormat


def settings(name: str, **more) -> WorkerSettings:
    return WorkerSettings(detector=f"fake_detector:open_{name}", **more)


def test_a_recording_of_a_video(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 12, rate=25)
    with worker(settings("squares")) as process:
        assert process.detector() == "squares 1"
        recording = recording_of(process.extract(Job(video=path)), path, "a")
    assert (recording.fps, recording.times, recording.size) == (pytest.approx(25), None, (WIDTH, HEIGHT))
    assert recording.detector == "squares 1"
    left, right = recording.points[:, :21], recording.points[:, 21:]
    assert np.isnan(right).all()
    expected = (4 + 4 * np.arange(12) + 7.5) / WIDTH
    np.testing.assert_allclose(left[:, 0, 0], expected, atol=0.01)
    assert recording.notes == ()


def test_times_are_kept_where_the_rate_varies(tmp_path: Path) -> None:
    times = [0, 0.04, 0.08, 0.3, 0.34, 1.0]
    path = film(tmp_path / "a.mp4", 6, times=times)
    with worker(settings("squares")) as process:
        recording = recording_of(process.extract(Job(video=path)), path, "a")
    assert recording.times is not None
    np.testing.assert_allclose(recording.times, np.array(times), atol=0.0011)
    assert recording.fps == pytest.approx(25, rel=0.03)
    assert any("not evenly spaced" in note for note in recording.notes)


@pytest.mark.slow
def test_a_part_of_a_video_and_a_mirrored_one(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 12)
    with worker(settings("squares")) as process:
        whole = recording_of(process.extract(Job(video=path)), path, "a")
        part = recording_of(process.extract(Job(video=path, start=3, end=7)), path, "a")
        late = process.extract(Job(video=path, start=3, end=40))
        with pytest.raises(asl.DataError, match="has 12 frames; expected frames 20 to 30"):
            process.extract(Job(video=path, start=20, end=30))
    np.testing.assert_array_equal(part.points[:, :, :2], whole.points[2:7, :, :2])
    assert list(problems_of(late, 25.0, even=True)) == ["short"]
    with worker(settings("squares", mirror=True)) as process:
        mirrored = recording_of(process.extract(Job(video=path)), path, "a")
    np.testing.assert_allclose(mirrored.points[:, 0, 0], (WIDTH - 1) / WIDTH - whole.points[:, 0, 0], atol=1e-5)


def test_what_is_odd_is_said(tmp_path: Path) -> None:
    with worker(settings("squares")) as process:
        crowd = process.extract(Job(video=film(tmp_path / "a.mp4", red=True)))
        slow = process.extract(Job(video=film(tmp_path / "b.mp4", 6, rate=5)))
    assert list(problems_of(crowd, 25.0, even=True)) == ["several people"]
    assert recording_of(slow, tmp_path / "b.mp4", "b").fps == pytest.approx(5)
    assert list(problems_of(slow, 5.0, even=True)) == ["odd rate"]


def test_a_video_that_ends_the_process_does_not_end_the_next(tmp_path: Path) -> None:
    bad, good = film(tmp_path / "bad.mp4", red=True), film(tmp_path / "good.mp4")
    with worker(settings("dying")) as process:
        with pytest.raises(asl.DataError, match=r"bad\.mp4 ended the process .*exit code 11: Segmentation fault"):
            process.extract(Job(video=bad))
        assert process.extract(Job(video=good))["detector"] == "squares 1"


@pytest.mark.slow
def test_a_video_that_stands_still_is_given_up(tmp_path: Path) -> None:
    bad, good = film(tmp_path / "bad.mp4", red=True), film(tmp_path / "good.mp4")
    with worker(settings("standing", timeout=6)) as process:
        began = time.monotonic()
        with pytest.raises(asl.DataError, match="gave no further frame within 6 seconds"):
            process.extract(Job(video=bad))
        assert time.monotonic() - began < 30
        assert process.extract(Job(video=good))["detector"] == "squares 1"


@pytest.mark.parametrize(
    ("detector", "reason"),
    [
        ("fake_detector:open_nothing", "no model file here"),
        ("none", "expected mediapipe-hands"),
        ("no_such_module:open", "cannot be imported"),
    ],
)
def test_a_detector_that_cannot_be_used(detector: str, reason: str, tmp_path: Path) -> None:
    with worker(WorkerSettings(detector=detector)) as process:
        for _ in range(2):
            with pytest.raises(UnusableError, match=reason):
                process.extract(Job(video=film(tmp_path / "a.mp4")))


@pytest.mark.parametrize(
    ("version", "error", "reason"),
    [
        ("0.10.35", asl.DataError, "contacts its maker"),
        ("1.2.3", asl.DataError, "contacts"),
        (None, asl.MissingExtraError, "asl-core.video"),
    ],
)
def test_versions_that_report_to_their_maker_are_refused(
    version: str | None, error: type[Exception], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    with pytest.raises(error, match=reason):
        open_detector(DetectorOptions())


@pytest.mark.slow
def test_the_format(tmp_path: Path) -> None:
    (component,) = asl_formats()
    check_format(component, sample=film(tmp_path / "a.mp4"), detector="fake_detector:open_squares")
    named = asl.find_format(tmp_path / "a.mp4")
    assert named is not None
    assert named[0] == "video"
    made = VideoFormat(VideoOptions(detector="fake_detector:open_squares"))
    with pytest.raises(asl.DataError, match="shows no hand in any of its 12 frames"):
        list(made.read(film(tmp_path / "b.mp4", hand=False)))


def test_folders_are_not_searched_for_videos(tmp_path: Path) -> None:
    film(tmp_path / "book" / "a.mp4")
    assert [taken for _, taken in asl.Formats.installed().walk(tmp_path)] == [None]
    assert [taken[0] for _, taken in asl.Formats.installed().only("video").walk(tmp_path) if taken] == ["video"]
    with pytest.raises(asl.DataError, match="asl extract"):
        asl.audit_data({"dataset": "files", "dataset.root": str(tmp_path)})


def test_at_most_one_hand_of_each_side() -> None:
    assert by_side([("Left", 0.9), ("Right", 0.8)]) == {0: 0, 1: 1}
    assert by_side([("Left", 0.6), ("Left", 0.9)]) == {1: 0, 0: 1}
    assert by_side([("Right", 0.9), ("Right", 0.9), ("Left", 0.5)]) == {0: 1, 1: 0}
    assert by_side([]) == {}


def test_a_face_is_no_hand() -> None:
    layout = asl.Layout((asl.Part("pose", 33, "mediapipe-pose33"), asl.Part("left-hand", 21, "hand21")))
    points = np.full((4, 54, 3), np.nan, dtype=np.float32)
    points[:, :33] = 0.5
    assert share_seen(asl.Recording(id="a", layout=layout, points=points)) == 0
    points[1, 33:] = 0.5
    assert share_seen(asl.Recording(id="a", layout=layout, points=points)) == 0.25
