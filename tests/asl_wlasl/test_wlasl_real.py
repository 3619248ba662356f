"""The real captures, in the layouts a user brings."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np

from asl_core import read_pickle
from asl_wlasl.dataset import WlaslDataset
from asl_wlasl.options import WlaslOptions


def test_wlasl100(shared: Path) -> None:
    data = WlaslDataset(WlaslOptions(root=str(shared / "wlasl100")))
    assert list(data.splits()) == ["train", "val"]
    train, val = data.clips("train"), data.clips("val")
    assert (len(train), len(val)) == (748, 165)
    assert len({c.glosses for c in train}) == 100
    assert len({c.glosses for c in val}) == 89
    assert {c.features.shape[1] for c in train} == {36}
    (finding,) = [f for f in data.findings() if f.code == "class-numbers"]
    assert finding.level == "warning"
    assert finding.message == (
        "13 of 165 val clips carry the number that train gives their gloss; "
        "vocabulary.json puts 100 glosses on 80 numbers; classes are keyed by gloss"
    )


def test_the_frames_are_those_that_pickle_reads(shared: Path) -> None:
    path = shared / "wlasl100" / "features_val_wlasl100.pkl"
    ours, theirs = read_pickle(path), pickle.loads(path.read_bytes())
    assert isinstance(ours, dict)
    assert list(ours) == list(theirs)
    for clip, entry in theirs.items():
        assert list(ours[clip]) == list(entry)
        assert np.array_equal(ours[clip].pop("features"), entry.pop("features"))
        assert ours[clip] == entry


def test_hand_landmarks_have_signers_and_another_width(shared: Path) -> None:
    clips = WlaslDataset(WlaslOptions(root=str(shared / "wlasl100-hands"))).clips("val")
    assert {c.features.shape[1] for c in clips} == {126}
    assert any(c.signer for c in clips)


def test_the_pretraining_pool_has_no_val(shared: Path) -> None:
    data = WlaslDataset(WlaslOptions(root=str(shared / "pretrain"), train="features_pretrain_*.pkl"))
    assert list(data.splits()) == ["train"]
    clips = data.clips("train")
    assert len(clips) == 6800
    assert len({c.glosses for c in clips}) == 1884
    assert list(data.findings()) == []


def test_shards_of_float16(shared: Path) -> None:
    """Two of the six shards, to be quick."""
    data = WlaslDataset(WlaslOptions(root=str(shared / "pretrain-hands"), train="features_pretrain_[01]_of_6.pkl"))
    clips = data.clips("train")
    assert len({Path(c.source).name for c in clips}) == 2
    assert len(clips) == len({c.id for c in clips}) > 2000
    assert {c.features.dtype for c in clips} == {np.dtype(np.float32)}


def test_reading_needs_little_more_memory_than_file_and_clips(shared: Path) -> None:
    path = shared / "wlasl100" / "features_train_wlasl100.pkl"
    data = WlaslDataset(WlaslOptions(train=str(path), val="none", test="none"))
    tracemalloc.start()
    clips = data.clips("train")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size + 1.6 * sum(c.features.nbytes for c in clips)
