"""Recordings on disk to a trained model and a prediction, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import asl_core as asl
from asl_core.cli import main
from asl_landmarks.layout import POSE


def tree(root: Path, *, body: bool, frames: int = 12) -> Path:
    """Six recordings of two signs: a hand that goes up, and one that goes down."""
    random = np.random.default_rng(0)
    for sign, way in (("up", -1), ("down", 1)):
        for number in range(6):
            folder = root / sign / str(number)
            folder.mkdir(parents=True)
            hand = random.uniform(-0.05, 0.05, (21, 3))
            pose = random.uniform(0.3, 0.7, (33, 4))
            pose[POSE["right-shoulder"], :2], pose[POSE["left-shoulder"], :2] = (0.4, 0.4), (0.6, 0.4)
            for frame in range(frames):
                place = np.array([0.4, 0.5 + way * 0.02 * (frame - frames / 2), 0])
                right = (place + hand).ravel()
                left = np.zeros(63)
                values = [pose.ravel(), left, right] if body else [left, right]
                np.save(folder / f"{frame}.npy", np.concatenate(values))
    return root


def run(*words: object) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert not stop.value.code


@pytest.mark.slow
@pytest.mark.parametrize("body", [True, False])
def test_a_tree_of_frames_is_trained_on_and_any_format_is_predicted(
    body: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(tmp_path / "signs", body=body)
    small = ("--encoder.hidden-size", 8, "--epochs", 2, "--threads", 1, "--quiet")
    run("run", "--recipe", "holistic", "--dataset.root", root, "--out", tmp_path / "runs", "--name", "a", *small)
    loaded = asl.load(tmp_path / "runs" / "a")
    assert loaded.fps == 30
    assert set(loaded.vocabulary.glosses) == {"up", "down"}
    capsys.readouterr()
    run("eval", tmp_path / "runs" / "a", "--json")
    assert json.loads(capsys.readouterr().out)["clips"] == 2
    # A folder of frames, a folder of folders, and an array of the other layout: hands for a model with a body.
    other = tree(tmp_path / "others", body=not body)
    array = tmp_path / "one.npy"
    np.save(array, np.stack([np.load(other / "up" / "0" / f"{n}.npy") for n in range(12)]))
    run("predict", tmp_path / "runs" / "a", root / "up" / "0", other / "down", array, "--fps", 15, "--json")
    answers = json.loads(capsys.readouterr().out)
    assert [answer["clip"] for answer in answers] == ["0", "0", "1", "2", "3", "4", "5", "one"]
    assert all({t["gloss"] for t in answer["top"]} == {"up", "down"} for answer in answers)


def test_the_audit_names_the_format_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("audit", tree(tmp_path / "signs", body=True))
    said = capsys.readouterr().out
    assert "12 npy-frames" in said
    assert "left-hand in 100%" in said
    assert "frames per second are not known" in said
