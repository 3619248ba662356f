"""A video named to ``asl predict``, and what it says of landmarks of two detectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from filmed import film

import asl_core as asl
from asl_core.cli import main

SQUARES = "fake_detector:open_squares"


def predicted(capsys: pytest.CaptureFixture[str], run: Path, file: Path) -> list[dict]:
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(run), str(file), "--json"])
    printed = capsys.readouterr()
    assert not stop.value.code, printed.err
    return json.loads(printed.out)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run on videos of two signs: the square is seen in red in one, and walks with the times of the frames."""
    for gloss, rate in (("book", 25), ("drink", 50)):
        for number in range(4):
            film(tmp_path / "videos" / gloss / f"{number}.mp4", 10 + number, rate=rate)
    out = tmp_path / "landmarks"
    with pytest.raises(SystemExit):
        main(["extract", str(tmp_path / "videos"), "--out", str(out), "--detector", SQUARES])
    values = {
        "dataset": "files", "dataset.root": str(out), "transform.names": ["landmarks", "hand-features"],
        "encoder": "gru", "encoder.hidden-size": 8, "encoder.front-size": 8, "train.epochs": 1, "run.device": "cpu",
        "run.threads": 1, "run.out": str(tmp_path / "runs"),
    }  # fmt: skip
    result = asl.run(values)
    capsys.readouterr()
    return result.path


@pytest.mark.slow
def test_a_run_knows_the_detector_of_its_clips(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asl.load(run).detectors == ("squares 1",)
    npz = tmp_path / "landmarks" / "book" / "0.npz"
    (same,) = predicted(capsys, run, npz)
    assert not [text for text in same.get("warnings", []) if "landmarks" in text]
    named = asl.find_format(npz)
    assert named is not None
    (recording,) = named[1].read(npz)
    other = asl.Recording(
        id="other", layout=recording.layout, points=recording.points, fps=recording.fps, detector="squares 2"
    )
    other.save(tmp_path / "other.npz")
    (warned,) = predicted(capsys, run, tmp_path / "other.npz")
    assert "its landmarks are of squares 2, and those of the training clips of squares 1" in " ".join(
        warned["warnings"]
    )
    unknown = asl.Recording(id="unknown", layout=recording.layout, points=recording.points, fps=recording.fps)
    unknown.save(tmp_path / "unknown.npz")
    (quiet,) = predicted(capsys, run, tmp_path / "unknown.npz")
    assert not [text for text in quiet.get("warnings", []) if "landmarks" in text]


@pytest.mark.slow
def test_a_video_is_predicted(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASL_DETECTOR", SQUARES)
    (clip,) = predicted(capsys, run, tmp_path / "videos" / "book" / "0.mp4")
    assert clip["clip"] == "0"
    assert {entry["gloss"] for entry in clip["top"]} == {"book", "drink"}
    assert sum(entry["probability"] for entry in clip["top"]) == pytest.approx(1, abs=1e-5)


def test_without_the_libraries_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mp4")
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "av.py").write_text("raise ImportError('not here')\n")
    monkeypatch.syspath_prepend(tmp_path / "without")
    named = asl.find_format(path)
    assert named is not None
    with pytest.raises(asl.DataError, match=r"needs the library av, which is not installed; .*asl-core\[video\]"):
        list(named[1].read(path))


def test_packed_clips_keep_the_detector(tmp_path: Path) -> None:
    layout = asl.Layout((asl.Part("left-hand", 21, "hand21"),))
    points = np.random.default_rng(0).uniform(size=(4, 21, 3)).astype(np.float32)
    for number in range(2):
        folder = tmp_path / "in" / "book"
        folder.mkdir(parents=True, exist_ok=True)
        detector = "squares 1" if number else None
        recording = asl.Recording(id=str(number), layout=layout, points=points, detector=detector)
        recording.save(folder / f"{number}.npz")
    with pytest.raises(SystemExit) as stop:
        main(["convert", str(tmp_path / "in"), str(tmp_path / "packed"), "--to", "packed"])
    assert not stop.value.code
    dataset = asl.configure({"dataset": "packed", "dataset.root": str(tmp_path / "packed")}).dataset.build()
    assert [clip.detector for split in ("train", "val") for clip in dataset.clips(split)] == [None, "squares 1"]


def test_clips_of_two_detectors_are_a_finding(tmp_path: Path) -> None:
    layout = asl.Layout((asl.Part("left-hand", 21, "hand21"),))
    points = np.random.default_rng(0).uniform(size=(4, 21, 3)).astype(np.float32)
    (tmp_path / "book").mkdir()
    for number in range(3):
        recording = asl.Recording(id=str(number), layout=layout, points=points, detector=f"squares {min(number, 1)}")
        recording.save(tmp_path / "book" / f"{number}.npz")
    values = {"dataset": "files", "dataset.root": str(tmp_path), "dataset.val-share": 0.0}
    dataset = asl.configure(values).dataset.build()
    assert len(list(dataset.clips("train"))) == 3
    (finding,) = (f for f in dataset.findings() if f.code == "mixed-detectors")
    assert finding.message == (
        "landmarks of train are of 2 detectors (2 by squares 1; 1 by squares 0); extract all with one"
    )
