"""Which clips a run was trained on: found again by id and by frames, kept, read back, and refused when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_components import make_clips

from asl_core import CheckpointError, Clip
from asl_core.data.identity import identity
from asl_core.data.lineage import Overlap, TrainedOn
from asl_core.files.paths import TRAINED_ON

TABLES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", "1", "2", "3", "4"]))


def test_identity_is_of_the_frames_alone() -> None:
    clip = make_clips([4], ["a"])[0]
    same = attrs.evolve(clip, id="other", glosses=("b",), source="elsewhere", features=clip.features.astype(np.float64))
    assert identity(same) == identity(clip) != ""
    nudged = clip.features.copy()
    nudged[1, 1] += 1
    assert identity(attrs.evolve(clip, features=nudged)) != identity(clip)
    assert identity(attrs.evolve(clip, features=clip.features.reshape(-1, 2))) != identity(clip)


def test_it_is_the_same_however_the_frames_are_stored() -> None:
    frames = make_clips([9], ["a"])[0].features.copy()
    frames[:3, 1] = -1
    clip = Clip(id="x", features=frames)
    for stored in (
        frames.astype(np.float16),
        np.where(frames == -1, 0, frames),
        np.where(frames == -1, np.nan, frames),
    ):
        assert identity(Clip(id="y", features=stored)) == identity(clip)
    assert identity(Clip(id="z", features=frames + np.float32(0.1))) != identity(clip)
    tiny = frames * np.float32(1e-9)
    assert identity(Clip(id="t", features=tiny)) != identity(Clip(id="u", features=tiny[::-1]))


@pytest.mark.parametrize("empty", [0.0, -1.0, np.nan])
def test_a_clip_that_shows_nothing_is_no_clips_copy(empty: float) -> None:
    frames = np.full((4, 3), empty)
    assert identity(Clip(id="x", features=frames)) == ""
    frames[2] = [0, -1, 5]
    assert identity(Clip(id="x", features=frames)) != ""


def test_overlap() -> None:
    trained = {"a": "1", "b": "2", "c": "3", "blank": ""}
    held = {"a": "1", "x": "2", "c": "9", "y": "8", "blank": "", "z": ""}
    found = Overlap.of(trained, held)
    assert found == Overlap(("a",), (("x", "b"),), ("c", "blank"))
    assert found.ids == ["a", "x", "c", "blank"]
    assert str(found) == (
        "1 by id and frames (a), 1 by frames under another id (x = b), 2 by id, with other frames (c, blank)"
    )
    own = Overlap.of(trained, held, {"m": "2", "c": "5"})
    assert own == Overlap(("a",), (), ("blank",)), "what the run's own train holds is its audit's to say"
    assert not Overlap.of(trained, {"y": "8"})


@given(TABLES, TABLES)
def test_every_clip_of_both_is_found(trained: dict[str, str], held: dict[str, str]) -> None:
    known = {digest for digest in trained.values() if digest}
    expected = {clip for clip, digest in held.items() if clip in trained or digest in known}
    assert sorted(Overlap.of(trained, held).ids) == sorted(expected)


def test_kept_and_read_back_over_three_runs(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    found = TrainedOn.after({"one": "1"}, None)
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / TRAINED_ON).write_text(found.to_json(), encoding="utf-8")
        (folder / "final.safetensors").touch()
        found = TrainedOn.after({f"next-{number}": str(number)}, folder / "final.safetensors")
    assert found.before == (
        (str(folders[2] / "final.safetensors"), {"next-1": "1"}),
        (str(folders[1] / "final.safetensors"), {"next-0": "0"}),
        (str(folders[0] / "final.safetensors"), {"one": "1"}),
    )
    assert [run for run, _ in found.overlaps({"one": "7"})] == [str(folders[0] / "final.safetensors")]
    assert list(found.overlaps({"one": "7"}, names=False)) == []
    assert TrainedOn.after({}, tmp_path / "else").unknown == (str(tmp_path / "else"),)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "clips": [], "before": [], "unknown": []}', "x" * 9,
     json.dumps({"format": 1, "clips": {"a": 1}, "before": [], "unknown": []}),
     json.dumps({"format": 1, "clips": {}, "before": [{}], "unknown": []})],
)  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / TRAINED_ON).write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"trained-on\.json .*Put the file back"):
        TrainedOn.beside(tmp_path)
