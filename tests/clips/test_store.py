"""Clips held once, batches cut from them, and nothing lost or added on the way."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_components import make_clips

from asl_core import Batch, Clip, ClipStore, DataError, Vocabulary, frame_mask
from asl_core.clips.clip import UNKNOWN

LABELS = st.lists(st.sampled_from(["a", "b", "c", "unheard"]), max_size=3).map(tuple)


@st.composite
def stores(draw: st.DrawFn, isolated: bool | None = None) -> tuple[list[Clip], ClipStore]:
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=9))
    one = draw(st.booleans()) if isolated is None else isolated
    label = st.sampled_from(["a", "b", "c", "unheard"]).map(lambda g: (g,)) if one else LABELS
    glosses = draw(st.lists(label, min_size=len(lengths), max_size=len(lengths)))
    clips = make_clips(lengths, glosses)
    return clips, ClipStore(clips, Vocabulary(("a", "b", "c")))


@given(stores(), st.data())
def test_a_batch_is_its_clips_padded(made: tuple[list[Clip], ClipStore], data: st.DataObject) -> None:
    clips, store = made
    places = data.draw(st.lists(st.integers(0, len(clips) - 1), min_size=1, max_size=12))
    batch = store.batch(torch.tensor(places))
    longest = max(len(clips[p].features) for p in places)
    assert batch.features.shape == (len(places), longest, 3)
    naive = np.stack([np.pad(clips[p].features, ((0, longest - len(clips[p].features)), (0, 0))) for p in places])
    assert np.array_equal(batch.features.numpy(), naive)
    assert batch.lengths.tolist() == [len(clips[p].features) for p in places]
    assert batch.ids == tuple(clips[p].id for p in places)
    assert batch.index.tolist() == places
    numbers = {"a": 0, "b": 1, "c": 2, "unheard": UNKNOWN}
    assert batch.targets.tolist() == [numbers[g] for p in places for g in clips[p].glosses]
    assert batch.target_lengths.tolist() == [len(clips[p].glosses) for p in places]
    assert {t.dtype for t in (batch.lengths, batch.targets, batch.target_lengths, batch.index)} == {torch.int64}
    assert batch.features.dtype == torch.float32


@given(stores(), st.data())
def test_rows_and_cat(made: tuple[list[Clip], ClipStore], data: st.DataObject) -> None:
    _, store = made
    whole = store.batch(torch.arange(len(store)))
    cut = data.draw(st.integers(1, len(store)))
    parts = [whole.rows(0, cut), *([whole.rows(cut, len(store))] if cut < len(store) else [])]
    for part, places in zip(parts, torch.arange(len(store)).split([len(p) for p in parts]), strict=True):
        alone = store.batch(places)
        assert part.ids == alone.ids
        assert torch.equal(part.features[:, : alone.features.shape[1]], alone.features)
        assert torch.equal(part.targets, alone.targets)
    separate = [store.batch(places) for places in torch.arange(len(store)).split([len(p) for p in parts])]
    for joined in (Batch.cat(parts), Batch.cat(separate)):
        for name in ("features", "lengths", "targets", "target_lengths", "index"):
            assert torch.equal(getattr(joined, name), getattr(whole, name)), name
        assert joined.ids == whole.ids


@given(stores(), st.integers(1, 5))
def test_evaluation_batches_hold_every_clip_once(made: tuple[list[Clip], ClipStore], size: int) -> None:
    clips, store = made
    batches = list(store.batches(size))
    assert sorted(i for b in batches for i in b.ids) == sorted(c.id for c in clips)
    lengths = [n for b in batches for n in b.lengths.tolist()]
    assert lengths == sorted(lengths, reverse=True)
    assert all(len(b) == size for b in batches[:-1])


def test_mask() -> None:
    assert frame_mask(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]
    batch = ClipStore(make_clips([1, 3]), Vocabulary(("a",))).batch(torch.tensor([0, 1]))
    assert torch.equal(batch.mask, frame_mask(batch.lengths, 3))


def test_padding_is_zero_whatever_the_first_frame_holds() -> None:
    """Padding is gathered from some real row; a NaN there must not shine through."""
    clips = [
        Clip(id="a", features=np.full((1, 2), np.nan, np.float32)),
        Clip(id="b", features=np.ones((3, 2), np.float32)),
    ]
    batch = ClipStore(clips, Vocabulary(())).batch(torch.tensor([0, 1]))
    assert batch.features[0, 1:].tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_single() -> None:
    store = ClipStore(make_clips([2, 2, 2, 2], [("a",), ("b",), ("a", "b"), ()]), Vocabulary(("a", "b")))
    assert store.batch(torch.tensor([1, 0])).single.tolist() == [1, 0]
    for places in ([0, 2], [3], [2, 3]):  # the last has as many glosses as clips
        with pytest.raises(ValueError, match="no gloss, or more than one"):
            _ = store.batch(torch.tensor(places)).single
    assert (store.labelled, store.isolated) == (False, False)
    assert store.counts() == {"a": 2, "b": 2}


def test_store_attributes() -> None:
    store = ClipStore(make_clips([4, 2], ["b", "a"], signers=["s1", None]), Vocabulary(("a", "b")))
    assert (len(store), store.width, store.isolated, store.labelled) == (2, 3, True, True)
    assert store.signers == ("s1", None)
    assert torch.equal(store.clip(1), store.batch(torch.tensor([1])).features[0])
    assert store.features.shape == (6, 3)


def test_other_number_types_become_float32() -> None:
    clips = [Clip(id=str(t), features=np.array([[1.5, -2]], t)) for t in (np.float16, np.float64, np.float32)]
    store = ClipStore(clips, Vocabulary(()))
    assert store.features.tolist() == [[1.5, -2.0]] * 3
    assert store.features.dtype == torch.float32


def test_widths_must_agree() -> None:
    clips = [*make_clips([2], prefix="a"), *make_clips([2], prefix="b", width=5)]
    with pytest.raises(DataError, match=r"clip 'b-0' \(b\.pkl\) has 5 numbers a frame, clip 'a-0' has 3"):
        ClipStore(clips, Vocabulary(("a",)))


def test_no_clips() -> None:
    with pytest.raises(DataError, match="without clips"):
        ClipStore([], Vocabulary(()))


def test_vocabulary() -> None:
    vocabulary = Vocabulary.of(make_clips([1, 1, 1], [("b", "a"), ("a",), ()]))
    assert vocabulary.glosses == ("a", "b")
    many = [f"g{n:02}" for n in range(50)]
    assert Vocabulary.of(make_clips([1] * 50, many[::-1])).glosses == tuple(many), "sorted, so that ids repeat"
    assert vocabulary.encode(["b", "x", "a"]) == [1, UNKNOWN, 0]
    assert Vocabulary(("b", "a")).encode(["b"]) == [0], "numbers are places, and caches are not mixed up"


def test_moving_a_batch_keeps_all_of_it() -> None:
    batch = ClipStore(make_clips([2, 3]), Vocabulary(("a",))).batch(torch.tensor([1, 0]))
    assert batch.to(torch.device("cpu")) is batch
    moved = batch.to(torch.device("meta"))
    assert {getattr(moved, n).device.type for n in ("features", "lengths", "targets", "target_lengths", "index")} == {
        "meta"
    }
    assert moved.ids == batch.ids


@pytest.mark.parametrize(
    ("signer", "kept"),
    [(7.0, "7"), ("7.0", "7"), (7, "7"), (float("nan"), None), ("nan", None), (None, None), ("a", "a")],
)
def test_signers_are_text_however_a_table_wrote_them(signer: object, kept: str | None) -> None:
    assert Clip(id="1", features=np.ones((1, 1)), signer=signer).signer == kept


def test_a_vocabulary_knows_whether_its_clips_are_sentences() -> None:
    one, two = make_clips([2], [("b",)])[0], make_clips([2], [("c", "a")])[0]
    bare = attrs.evolve(one, glosses=())
    assert Vocabulary.of([one, bare]) == Vocabulary(("b",), False)
    assert Vocabulary.of([one, two]) == Vocabulary(("a", "b", "c"), True)
    assert Vocabulary(("a",)).sentences is None
    rows = [(False, [two], False), (True, [one], True), (None, [one, two], True), (None, [one], False)]
    for of, clips, expected in rows:
        assert ClipStore(clips, Vocabulary(("a", "b", "c"), of)).sentences is expected


def test_a_sentence_and_a_clip_without_a_gloss_are_not_two_single_ones() -> None:
    """There are as many glosses as clips, and one clip has just one."""
    batch = ClipStore(make_clips([2] * 3, [("a", "b"), (), ("c",)]), Vocabulary(("a", "b", "c"))).batch(torch.arange(3))
    with pytest.raises(ValueError, match="no gloss, or more than one"):
        _ = batch.single
