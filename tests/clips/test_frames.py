"""Frames in memory or in a mapped file: the numbers are the same, and the file goes when nobody looks into it."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import small
from toy_components import make_clips

import asl_core as asl
from asl_core import Clip, ClipStore, DataError, Vocabulary
from asl_core.clips import frames
from asl_core.clips.frames import end_to_end, gathered, held, is_mapped, map_numbers
from asl_core.data.audit import audit_clips

WORDS = Vocabulary(("a", "b", "c"))


def fresh(lengths: list[int]) -> list[Clip]:
    return make_clips(lengths, [("a", "b", "c")[i % 3] for i in range(len(lengths))])


def address(clip: Clip) -> int:
    found: int = clip.features.__array_interface__["data"][0]
    return found


@settings(deadline=None)  # the first example imports
@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(0, 600))
def test_held_clips_are_the_same_wherever_they_are(lengths: list[int], room: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "IN_MEMORY", room)
        clips = held(iter(fresh(lengths)))
        assert {is_mapped(c.features) for c in clips} == {12 * sum(lengths) > room}
        store = ClipStore(clips, WORDS)
        assert (store.features.data_ptr() == address(clips[0])) == is_mapped(clips[0].features)
    plain = ClipStore(fresh(lengths), WORDS)
    assert torch.equal(store.features, plain.features)
    assert (store.ids, store.glosses, store.signers, store.sources) == (
        plain.ids, plain.glosses, plain.signers, plain.sources,
    )  # fmt: skip
    assert audit_clips({"train": clips}) == audit_clips({"train": fresh(lengths)})


def test_mapped_clips_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "IN_MEMORY", 0)
    clips = held(fresh([3, 1, 4, 1, 5]))
    store = ClipStore(clips, WORDS)
    assert store.features.data_ptr() == address(clips[0])
    assert all(a is b for a, b in zip(held(clips), clips, strict=True)), "they are in a file already"
    for chosen in ([0, 2], [1, 0, 2, 3, 4], [2, 3]):
        part = ClipStore([clips[i] for i in chosen], WORDS)
        assert torch.equal(part.features, torch.from_numpy(np.concatenate([clips[i].features for i in chosen])))
    assert ClipStore(clips[2:4], WORDS).features.data_ptr() == address(clips[2])


def test_only_neighbours_in_one_file_are_end_to_end(tmp_path: Path) -> None:
    numbers = np.arange(24, dtype=np.float32)
    (tmp_path / "a").write_bytes(bytes(16) + numbers.tobytes())
    with (tmp_path / "a").open("rb") as file:
        one, other = (map_numbers(file, 16, 24).reshape(8, 3) for _ in range(2))
    assert np.array_equal(one, numbers.reshape(8, 3))
    whole = end_to_end([one[1:3], one[3:4], one[4:8]])
    assert whole is not None
    assert np.array_equal(whole, one[1:])
    assert end_to_end([one[:2], one[3:]]) is None, "a gap"
    assert end_to_end([one[2:], one[:2]]) is None, "another order"
    assert end_to_end([one[:2], other[2:]]) is None, "another mapping"
    assert end_to_end([one[:2, :2]]) is None, "not whole frames"
    assert end_to_end([numbers.reshape(8, 3)]) is None, "in memory"


def test_changes_never_reach_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(np.ones(4, np.float32).tobytes())
    with path.open("rb") as file:
        numbers = map_numbers(file, 0, 4)
    torch.from_numpy(numbers).zero_()
    assert np.fromfile(path, np.float32).tolist() == [1, 1, 1, 1]


def test_a_full_temporary_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            """Nothing."""

    monkeypatch.setattr(frames, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(DataError, match=r"No space left on device\); make room there, or name another with .* TMPDIR"):
        held(fresh([2, 2]))


def test_scratch_files_go_with_their_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    def scratch_files() -> int:
        maps = Path("/proc/self/maps")
        if not maps.is_file():
            pytest.skip("only Linux lists what is mapped")
        return sum("(deleted)" in line for line in maps.read_text().splitlines())

    monkeypatch.setattr(frames, "IN_MEMORY", 0)
    gc.collect()
    before = scratch_files()
    clips = held(fresh([2, 2]))
    assert scratch_files() == before + 1
    del clips
    assert scratch_files() == before


def test_gathered_takes_parts_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [np.full((n, 2), n, np.float32) for n in (1, 2, 3)]
    plain = gathered(iter(parts), 6, 2)
    monkeypatch.setattr(frames, "IN_MEMORY", 47)
    mapped = gathered(iter(parts), 6, 2)
    assert (is_mapped(plain), is_mapped(mapped)) == (False, True)
    assert np.array_equal(plain, mapped)
    assert np.array_equal(plain, np.concatenate(parts))


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"split.fold": "1/3"}, {"split.train-share": 0.5}])
def test_a_run_beyond_memory_is_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    results = []
    for name, room in (("memory", frames.IN_MEMORY), ("mapped", 5_000)):
        monkeypatch.setattr(frames, "IN_MEMORY", room)
        values = small(tmp_path, run__name=name, train__epochs=2) | more
        results.append(asl.run(asl.configure(values, environ={}, project_file=False)).path)
    for file in ("metrics.jsonl", "audit.json", "predictions-val.csv", "best.safetensors", "final.safetensors"):
        assert (results[0] / file).read_bytes() == (results[1] / file).read_bytes(), file


def test_clips_that_are_wrong_are_left_to_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "IN_MEMORY", 0)
    clips = fresh([2, 2, 2])
    wrong = [
        attrs.evolve(clips[0], features=np.zeros((0, 3), np.float32)),
        attrs.evolve(clips[1], features=np.zeros(3, np.float32)),
        clips[2],
    ]
    assert [c.features.shape for c in held(wrong)] == [(0, 3), (3,), (2, 3)]
    assert [f.code for f in audit_clips({"train": held(wrong)}).of_level("error")] == ["no-frames"]
