"""What an audit finds: one minimal case a finding, and the known faults of the real clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from toy_components import make_clips

from asl_core import Clip, DataError, Finding
from asl_core.api import audit_data, configure
from asl_core.data.audit import Audit, audit_clips

SOUND = make_clips([3, 4, 5], ["a", "b", "a"], prefix="sound")


def by_code(found: Audit) -> dict[str, Any]:
    codes = [f.code for f in found.findings]
    assert len(codes) == len(set(codes))
    return {f.code: f for f in found.findings}


def changed(clip: Clip, **to: Any) -> Clip:
    return attrs.evolve(clip, **to)


def test_nothing_is_found_in_sound_clips() -> None:
    found = audit_clips({"train": SOUND, "val": make_clips([3, 3], ["a", "b"], prefix="val")})
    assert found.findings == ()
    found.require_sound()
    train = found.splits["train"]
    assert (train.clips, train.glosses, train.frames, train.width, train.signers) == (3, 2, (3, 4.0, 5), 3, 0)
    assert train.empty_share == 0


@pytest.mark.parametrize(
    ("clips", "code", "ids"),
    [
        ([*SOUND, changed(SOUND[0], features=SOUND[1].features + 1)], "duplicate-ids", ["sound-0"]),
        ([*SOUND, Clip(id="empty", features=np.zeros((0, 3), np.float32))], "no-frames", ["empty"]),
        ([*SOUND, Clip(id="flat", features=np.zeros(3, np.float32))], "no-frames", ["flat"]),
        ([*SOUND, Clip(id="thin", features=np.zeros((3, 0), np.float32))], "no-frames", ["thin"]),
        ([Clip(id="all", features=np.zeros((0, 3), np.float32))], "no-frames", ["all"]),
        ([*SOUND, Clip(id="nan", features=np.array([[1, np.nan, 2]], np.float32))], "non-finite", ["nan"]),
        ([*SOUND, Clip(id="inf", features=np.array([[1, 5, -np.inf]], np.float32))], "non-finite", ["inf"]),
        ([*SOUND, *make_clips([3], prefix="wide", width=4)], "widths", ["wide-0"]),
        ([], "empty-split", None),
    ],
)
@pytest.mark.parametrize("split", ["train", "val"])
def test_errors_stop_the_run(clips: list[Clip], code: str, ids: list[str] | None, split: str) -> None:
    found = audit_clips({"train": SOUND, split: clips})
    finding = by_code(found)[code]
    assert finding.level == "error"
    assert finding.data.get("ids") == ids
    assert split in finding.message
    with pytest.raises(DataError, match="the data cannot be used") as raised:
        found.require_sound()
    assert finding.message in str(raised.value)
    json.dumps(found.to_json())


def test_identical_clips() -> None:
    copies = [*SOUND, changed(SOUND[0], id="copy"), changed(SOUND[1], id="other", glosses=("z",))]
    finding = by_code(audit_clips({"train": copies}))["identical-clips"]
    assert finding.level == "warning"
    assert finding.data["groups"] == ["sound-0/copy", "sound-1/other"]
    assert finding.data["different_glosses"] == ["sound-1/other"]


def test_frames_of_another_shape_are_no_copy() -> None:
    clips = [Clip(id="a", features=np.ones((2, 3), np.float32)), Clip(id="b", features=np.ones((3, 2), np.float32))]
    assert "identical-clips" not in by_code(audit_clips({"train": clips}))


def test_constant_dimensions() -> None:
    clips = [changed(c, features=np.insert(c.features, [0, 0, 3], 7.0, axis=1)) for c in SOUND]
    finding = by_code(audit_clips({"train": clips}))["constant-dimensions"]
    assert (finding.level, finding.data["dimensions"]) == ("warning", [0, 1, 5])
    assert "3 of 6 feature dimensions never change in train (0-1, 5)" in finding.message
    assert "constant-dimensions" not in by_code(audit_clips({"train": SOUND, "val": clips[:0] or SOUND}))


def test_leak() -> None:
    finding = by_code(audit_clips({"train": SOUND, "val": [changed(SOUND[1], id="v")]}))["leak"]
    assert (finding.level, finding.data["pairs"]) == ("warning", [("v", "sound-1")])
    assert "v = sound-1" in finding.message


def test_glosses_that_one_side_lacks() -> None:
    found = by_code(audit_clips({"train": SOUND, "val": make_clips([3, 4], ["a", "new"], prefix="val")}))
    assert found["unknown-glosses"].data["ids"] == ["val-1"]
    assert found["unknown-glosses"].level == "warning"
    assert found["absent-glosses"].data["glosses"] == ["b"]
    assert found["absent-glosses"].level == "note"


def test_signers_in_both() -> None:
    train = make_clips([3, 4], signers=["s1", "s2"])
    val = make_clips([3, 4, 5], prefix="val", signers=["s2", "s3", None])
    found = audit_clips({"train": train, "val": val})
    finding = by_code(found)["shared-signers"]
    assert (finding.level, finding.data["signers"]) == ("note", ["s2"])
    assert "1 of 2 signers of val" in finding.message
    assert (found.splits["train"].signers, found.splits["val"].signers) == (2, 2)


def test_empty_frames_are_counted() -> None:
    frames = np.array([[0, 0], [-1, -1], [0, -1], [1, 1]], np.float32)
    assert audit_clips({"train": [Clip(id="a", features=frames)]}).splits["train"].empty_share == 0.5


def test_worst_first_with_the_data_sets_own() -> None:
    own = [Finding("note", "own-note", "n"), Finding("error", "own-error", "e")]
    found = audit_clips({"train": SOUND, "val": [changed(SOUND[1], id="v")]}, own)
    levels = [f.level for f in found.findings]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert {"own-note", "own-error", "leak"} <= {f.code for f in found.findings}
    assert found.of_level("error") == [own[1]]


def fingerprint(clips: list[Clip]) -> str:
    return audit_clips({"train": clips}).splits["train"].fingerprint


def test_fingerprints() -> None:
    assert fingerprint(SOUND) == fingerprint(make_clips([3, 4, 5], ["a", "b", "a"], prefix="sound"))
    nudged = SOUND[0].features.copy()
    nudged[0, 0] = np.nextafter(nudged[0, 0], np.float32(9))
    others = [
        [changed(SOUND[0], features=nudged), *SOUND[1:]],
        [changed(SOUND[0], id="x"), *SOUND[1:]],
        [changed(SOUND[0], glosses=("b",)), *SOUND[1:]],
        [SOUND[1], SOUND[0], SOUND[2]],
        SOUND[:2],
    ]
    assert len({fingerprint(o) for o in [SOUND, *others]}) == 6


def test_real_clips(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # away from any asl.toml
    found = audit_data(configure({"dataset": "wlasl", "dataset.root": str(shared / "wlasl100")}, environ={}))
    codes = by_code(found)
    assert codes["leak"].data["pairs"] == [("40118", "40119")]
    assert codes["constant-dimensions"].data["dimensions"] == list(range(30, 36))
    assert "(30-35)" in codes["constant-dimensions"].message
    assert {frozenset(g.split("/")) for g in codes["identical-clips"].data["different_glosses"]} == {
        frozenset({"33273", "49181"}),
        frozenset({"26980", "57283"}),
    }
    assert codes["class-numbers"].level == "warning"
    assert codes["class-numbers"].message.startswith("13 of 165")
    assert len(codes["absent-glosses"].data["glosses"]) == 11
    assert found.of_level("error") == []
    train, val = found.splits["train"], found.splits["val"]
    assert (train.clips, train.glosses, train.width, val.clips, val.glosses) == (748, 100, 36, 165, 89)


def test_clips_that_show_nothing_are_named() -> None:
    """By their zeros, or by what a transform knows of them."""
    blank = changed(SOUND[0], id="blank", features=np.zeros((4, 3), np.float32))
    found = by_code(audit_clips({"train": [*SOUND, blank]}))["blank-clips"]
    assert found.level == "warning"
    assert found.data == {"split": "train", "ids": ["blank"]}
    assert "1 of 4 clips of train show nothing in any frame, only zeros or no hand (blank)" in found.message
    told = audit_clips({"train": SOUND}, unseen=lambda clip: np.array([1.0] * 2 + [0.9] * (len(clip.features) - 2)))
    assert told.splits["train"].empty_share == 0.5
    assert told.findings == ()
