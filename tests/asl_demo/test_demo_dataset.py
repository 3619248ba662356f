from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_core import Clip, DataError, Vocabulary
from asl_demo.dataset import DemoDataset
from asl_demo.motion import mirrored
from asl_demo.options import DemoOptions


def demo(**options: object) -> DemoDataset:
    return DemoDataset(DemoOptions(**options))  # type: ignore[arg-type]


def same(a: Clip, b: Clip) -> bool:
    return (a.id, a.glosses, a.signer) == (b.id, b.glosses, b.signer) and np.array_equal(a.features, b.features)


def test_defaults() -> None:
    data = demo()
    assert list(data.splits()) == ["train", "val", "test"]
    clips = {split: list(data.clips(split)) for split in data.splits()}
    assert {split: len(found) for split, found in clips.items()} == {"train": 800, "val": 200, "test": 200}
    assert len({c.id for found in clips.values() for c in found}) == 1200
    books = [Vocabulary.of(found) for found in clips.values()]
    assert len(books[0]) == 50
    assert books[0] == books[1] == books[2]
    assert not data.findings()
    frames = {c.features.tobytes() for found in clips.values() for c in found}
    assert len(frames) == 1200


def test_some_signers_are_new_in_val() -> None:
    data = demo(signers=8)
    train = {c.signer for c in data.clips("train")}
    val = [c.signer for c in data.clips("val")]
    assert len(train) == 6
    assert len(set(val)) == 8
    assert 0.15 < np.mean([s not in train for s in val]) < 0.35


@pytest.mark.slow
@given(
    seed=st.integers(0, 50),
    noise=st.floats(0, 5),
    lost=st.floats(0, 0.5),
    frames=st.floats(12, 40),
    length=st.integers(1, 4),
    left_handed=st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=25, deadline=None)
def test_every_clip_is_of_the_layout(
    seed: int, noise: float, lost: float, frames: float, length: int, left_handed: float
) -> None:
    data = demo(
        glosses=20, train=2, seed=seed, noise=noise, lost=lost, frames=frames, sentence_length=length,
        left_handed=left_handed,
    )  # fmt: skip
    for clip in data.clips("train"):
        x = clip.features
        assert x.dtype == np.float32
        assert x.ndim == 2
        assert len(x) >= 1
        assert x.shape[1] == 36
        assert np.isfinite(x).all()
        assert 1 <= len(clip.glosses) <= length
        assert ((x[:, :10] >= 0) & (x[:, :10] <= np.float32(np.pi))).all()
        assert not x[:, [30, 35]].any()
        assert not x[0, 22:30].any()
        place, palm, speed = (x[:, a : a + 6].reshape(-1, 2, 3) for a in (10, 16, 22))
        seen: np.ndarray = np.any(palm, axis=2)
        assert seen.any(axis=1).all()
        np.testing.assert_allclose(np.linalg.norm(palm, axis=2), seen, atol=1e-5)
        assert not place[~seen].any()
        assert not x[:, :10].reshape(-1, 2, 5)[~seen].any()
        both = (seen[1:] & seen[:-1])[..., None]
        np.testing.assert_allclose(speed[1:], np.diff(place, axis=0) * both, atol=1e-5)
        turned = np.linalg.norm(np.diff(palm, axis=0) * both, axis=2)
        np.testing.assert_allclose(x[1:, 28:30], turned, atol=1e-4)


@pytest.mark.parametrize("length", [1, 3])
def test_the_same_every_time(length: int) -> None:
    a, b = (demo(glosses=12, sentence_length=length) for _ in range(2))
    clips = list(a.clips("train"))
    assert all(same(x, y) for x, y in zip(clips, b.clips("train"), strict=True))
    assert all(same(x, y) for x, y in zip(clips, a.clips("train"), strict=True))
    other = demo(glosses=12, sentence_length=length, seed=1)
    assert not any(np.array_equal(x.features, y.features) for x, y in zip(clips, other.clips("train"), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 3])
def test_a_clip_does_not_depend_on_how_many_there_are(length: int) -> None:
    """Other numbers of clips put it in another place of another block, among longer and shorter ones."""
    few = {c.id: c for c in demo(glosses=30, train=5, sentence_length=length).clips("train")}
    many = {c.id: c for c in demo(glosses=30, train=37, val=0, test=9, sentence_length=length).clips("train")}
    assert few.keys() < many.keys()
    assert all(same(few[i], many[i]) for i in few)


def test_a_clip_does_not_depend_on_how_many_glosses_there_are() -> None:
    few = {c.id: c for c in demo(glosses=7).clips("val")}
    many = {c.id: c for c in demo(glosses=90).clips("val")}
    assert all(same(few[i], many[i]) for i in few)


def test_sentences() -> None:
    data = demo(glosses=20, train=20, sentence_length=4)
    clips = list(data.clips("train"))
    assert {len(c.glosses) for c in clips} == {1, 2, 3, 4}
    assert len(Vocabulary.of(clips)) == 20
    assert {c.glosses[0] for c in clips[:20]} == {clips[0].glosses[0]}
    assert not [c for c in clips for a, b in itertools.pairwise(c.glosses) if a == b]
    frames = [np.mean([len(c.features) for c in clips if len(c.glosses) == n]) for n in (1, 2, 3, 4)]
    assert all(b - a > 10 for a, b in itertools.pairwise(frames))


def test_one_handed_signs_leave_the_other_hand_out() -> None:
    clips = list(demo(glosses=48, train=1, lost=0.0).clips("train"))
    other = np.array([c.features[:, 16:19].any() for c in clips])
    two = np.array([c.glosses[0].endswith(("BOTH", "BASE")) for c in clips])
    np.testing.assert_array_equal(other, two)
    assert two.any()
    assert not two.all()


def test_left_handed_signers_mirror() -> None:
    right, left = (list(demo(glosses=5, noise=0.0, left_handed=p).clips("val")) for p in (0.0, 1.0))

    def hands(clip: Clip) -> np.ndarray:
        parts = [clip.features[:, a:b].reshape(-1, 2, (b - a) // 2) for a, b in ((10, 16), (0, 10), (16, 22))]
        return np.concatenate(parts, axis=2)

    for a, b in zip(right, left, strict=True):
        np.testing.assert_allclose(hands(b), mirrored(hands(a))[:, ::-1], atol=1e-6)


def test_lost_hands_come_at_the_share_asked_for() -> None:
    clips = list(demo(glosses=50, train=8, lost=0.2).clips("train"))
    shown = [c for c in clips if c.glosses[0].endswith("BOTH")]
    seen = np.concatenate([c.features[1:, 16:22].reshape(-1, 2, 3).any(axis=2) for c in shown])
    # A frame that lost both hands is left out: (p - p²) / (1 - p²) of those kept miss a given one.
    assert abs((~seen).mean() - 0.16 / 0.96) < 0.02
    assert all(c.features[:, 16:22].any(axis=1).all() for c in clips)


def test_hands_do_not_jump() -> None:
    """Signed very slowly, a path has no kinks: speed changes little from frame to frame."""
    for clip in demo(noise=0.0, lost=0.0, frames=240.0, val=1).clips("val"):
        change = np.diff(clip.features[:, 25:28], axis=0)[1:]
        assert np.linalg.norm(change, axis=1).max() < 0.05


def test_tempo_and_frames() -> None:
    mean = [np.mean([len(c.features) for c in demo(frames=f, lost=0.0).clips("val")]) for f in (24.0, 48.0)]
    assert 18 < mean[0] < 26
    assert 1.8 < mean[1] / mean[0] < 2.2
    spread = [np.std([len(c.features) for c in demo(tempo=t, lost=0.0).clips("val")]) for t in (0.0, 0.4)]
    assert spread[1] > 3 * spread[0]


def test_the_average_frame_does_not_tell_signs_apart() -> None:
    """What a centroid of mean-pooled frames gets right; a recogniser has to follow order and movement."""
    data = demo()
    train, val = list(data.clips("train")), list(data.clips("val"))
    frames = np.concatenate([c.features for c in train])
    mean, scale = frames.mean(0), np.maximum(frames.std(0), 1e-6)

    def pooled(clips: list[Clip]) -> np.ndarray:
        return np.stack([((c.features - mean) / scale).mean(0) for c in clips])

    book = Vocabulary.of(train)
    y, truth = (np.array(book.encode(c.glosses[0] for c in clips)) for clips in (train, val))
    points, asked = pooled(train), pooled(val)
    centroids = np.stack([points[y == k].mean(0) for k in range(len(book))])
    chosen = ((asked[:, None] - centroids) ** 2).sum(2).argmin(1)
    right = (chosen == truth).mean()
    assert 0.1 < right < 0.6


def test_clips_come_one_by_one() -> None:
    """The first clips of 200 million are there at once, and memory is that of a block."""
    data = demo(glosses=100_000, train=2000)
    tracemalloc.start()
    assert len(list(itertools.islice(data.clips("train"), 600))) == 600
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_no_such_split() -> None:
    data = demo(val=0)
    assert list(data.splits()) == ["train", "test"]
    with pytest.raises(DataError, match=r"no split 'val'.*train, test"):
        data.clips("val")


def test_reads_no_files() -> None:
    with pytest.raises(DataError, match=r"clip\.mp4.*reads no files.*\.npy"):
        demo().read(Path("clip.mp4"))
