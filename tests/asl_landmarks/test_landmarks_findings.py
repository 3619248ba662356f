"""What is odd about landmarks is told: to the audit of a data set, and to whoever asks for a prediction."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import attrs
import numpy as np
import pytest
from toy_hands import hand, raw_clip

import asl_core as asl
from asl_core import Clip
from asl_core.cli import main
from asl_landmarks.landmarks import unseen_hands
from asl_landmarks.options import LandmarksOptions
from asl_landmarks.packing import PackLandmarks


def clip(name: str, gloss: str, frames: int = 6) -> Clip:
    """A right hand that goes to the right or down, after a frame without any."""
    step = (0.02, 0.0) if gloss == "right" else (0.0, 0.02)
    hands = [hand("right", 0.4 + step[0] * t, 0.6 + step[1] * t) for t in range(frames)]
    return attrs.evolve(raw_clip((None, None), *((h, None) for h in hands), name=name), glosses=(gloss,))


def in_pixels(one: Clip) -> Clip:
    frames = one.features.reshape(len(one.features), -1, 3)
    pixels = np.where(frames == -1, -1, frames * (640, 480, 640))
    return attrs.evolve(one, features=pixels.reshape(one.features.shape))


def without_hands(one: Clip) -> Clip:
    return attrs.evolve(one, features=np.full_like(one.features, -1))


def test_unseen_is_told_by_the_hands() -> None:
    packed = PackLandmarks(LandmarksOptions())(raw_clip((None, None), (hand("right", 0.4), None)))
    np.testing.assert_array_equal(unseen_hands(packed), [1, 0.5])
    assert unseen_hands(raw_clip((None, None))) is None, "raw frames are not of its layout"


@pytest.mark.parametrize(("change", "codes"), [(None, []), (in_pixels, ["pixels"]), (without_hands, [])])
def test_pixels_are_noticed(change: object, codes: list[str]) -> None:
    one = clip("x", "down") if change is None else change(clip("x", "down"))  # type: ignore[operator]
    assert [f.code for f in PackLandmarks(LandmarksOptions()).findings(one)] == codes


def test_torn_hands_are_noticed() -> None:
    one = clip("x", "down")
    one.features[[2, 4], 3] = np.nan
    (finding,) = PackLandmarks(LandmarksOptions()).findings(one)
    assert (finding.level, finding.code) == ("warning", "torn-hands")
    assert finding.message.startswith("2 of 7 frames have a hand")


def test_missing_numbers_are_no_pixels() -> None:
    frames = np.full((3, 225), np.nan)
    assert PackLandmarks(LandmarksOptions()).findings(Clip(id="nan", features=frames)) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landmarks")
    train = [clip(f"{gloss}{n}", gloss, 5 + n) for gloss in ("right", "down") for n in range(4)]
    entries = {c.id: {"features": c.features, "gloss": c.glosses[0], "video_id": c.id} for c in train}
    odd = [in_pixels(clip("far", "right")), without_hands(clip("none", "down")), clip("good", "right")]
    held = {c.id: {"features": c.features, "gloss": c.glosses[0], "video_id": c.id} for c in odd}
    for name, content in (("train", entries), ("val", held)):
        (folder / f"features_{name}_toy.pkl").write_bytes(pickle.dumps(content))
    values = {
        "dataset.root": str(folder), "encoder": "gru", "encoder.hidden-size": 8, "train.epochs": 1, "head": "mean",
        "train.batch-size": 4, "run.out": str(folder), "run.name": "r", "run.device": "cpu", "run.threads": 1,
    }  # fmt: skip
    return asl.run(asl.configure(values, recipe="hands", project_file=False, environ={})).path


@pytest.mark.slow
def test_the_audit_knows_empty_packed_frames_and_odd_clips(trained: Path) -> None:
    audit = json.loads((trained / "audit.json").read_text(encoding="utf-8"))
    told = {f["code"]: f for f in audit["findings"]}
    assert told["pixels"]["data"] == {"split": "val", "ids": ["far"]}
    assert told["pixels"]["message"].startswith(
        "1 of 3 clips of val (far): landmarks look like pixels; expected shares"
    )
    assert told["blank-clips"]["data"] == {"split": "val", "ids": ["none"]}
    # The frame without a hand at the beginning is trimmed; a clip without any is left as long as it is.
    assert audit["splits"]["train"]["empty_share"] == 0
    assert audit["splits"]["val"]["empty_share"] == 7 / (7 + 6 + 6)
    log = (trained / "log.txt").read_text(encoding="utf-8")
    assert "landmarks look like pixels" in log


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (in_pixels, "warning: clip 'one': landmarks look like pixels; expected shares of image width"),
        (
            without_hands,
            "warning: clip 'one': it shows nothing in any frame, only zeros or no hand; the prediction is a guess",
        ),
        (None, ""),
    ],
)
def test_predict_warns(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: object, text: str
) -> None:
    one = clip("one", "right") if change is None else change(clip("one", "right"))  # type: ignore[operator]
    np.save(tmp_path / "one.npy", one.features)
    for words in ((), ("--json",)):
        with pytest.raises(SystemExit) as stop:
            main(["predict", str(trained), str(tmp_path / "one.npy"), *words])
        said = capsys.readouterr()
        assert stop.value.code == 0, said.err
        if not words:
            *told, note = said.err.splitlines()
            assert note.startswith("note: frames per second are not known and taken as 30")
            assert "\n".join(told).startswith(text)
            assert bool(told) == bool(text)
        else:
            (answer,) = json.loads(said.out)
            told = [f"warning: clip 'one': {w}" for w in answer.get("warnings", [])]
            assert bool(told) == bool(text)
            assert all(w.startswith(text) for w in told[:1])  # how far it is from the train clips may follow


def test_why_it_errs_is_told_by_unseen_hands(trained: Path) -> None:
    groups = asl.explain_run(trained, device="cpu").mistakes.groups
    names = [g.name for g in groups["share that was not seen"]]
    assert names == ["50 %", "100 %"], "a hand is missing throughout in two clips, both in one"
