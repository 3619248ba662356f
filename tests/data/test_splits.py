"""Folds and shares divide train, always in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

import attrs
import numpy as np
import pytest
from toy_components import ToyDataset, component, make_clips, offer, registry

from asl_core import Clip, ConfigError, DataError, Finding, RunError, Vocabulary
from asl_core.config.resolve import resolve
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import value_layer
from asl_core.data.splits import _Reader, identify, load_audit, load_data, load_split

GLOSSES = [f"g{i % 7}" for i in range(40)] + ["rare"]
CLIPS = make_clips([3 + i % 5 for i in range(41)], GLOSSES, prefix="train", signers=[f"s{i % 6}" for i in range(41)])
BY_GLOSS = [10, 14, 19, 22, 25, 27, 29, 30]
BY_SIGNER = [3, 4, 9, 10, 15, 16, 21, 22, 27, 28, 33, 34, 39, 40]
BY_SHARE = [21, 23, 26, 29, 34, 38, 39, 40]
VAL = make_clips([3, 4], ["g0", "g1"], prefix="val", signers=["s0", "s1"])


class ManyClips(ToyDataset):
    """More clips than the toy data set."""

    train: Iterable[Clip] = CLIPS
    val: Iterable[Clip] = VAL

    def clips(self, split: str) -> Iterable[Clip]:
        return {"train": self.train, "val": self.val}[split]


class Upside:
    def __init__(self, options: Any):
        self.options = options

    def __call__(self, clip: Clip) -> Clip:
        return attrs.evolve(clip, features=-clip.features)


def config(**values: Any) -> RunConfig:
    extra = [
        offer("dataset", attrs.evolve(component("many"), factory="test_splits:ManyClips")),
        offer("transform", attrs.evolve(component("upside"), factory="test_splits:Upside")),
    ]
    said = {"dataset": "many"} | {k.replace("__", ".").replace("_", "-"): v for k, v in values.items()}
    return resolve([value_layer(said, "script")], registry(*extra))


def ids(clips: Iterable[Clip]) -> list[str]:
    return [c.id for c in clips]


@pytest.mark.parametrize("of", [2, 5, 7])
@pytest.mark.parametrize("by", ["gloss", "signer"])
def test_folds_divide_train(of: int, by: str) -> None:
    held: list[str] = []
    for k in range(1, of + 1):
        if by == "signer" and k > 6:  # six signers leave the seventh fold empty, which is told
            with pytest.raises(DataError, match="split val holds no clip"):
                load_data(config(split__fold=f"{k}/{of}", split__fold_by=by))
            continue
        splits, _ = load_audit(config(split__fold=f"{k}/{of}", split__fold_by=by))
        assert sorted(ids(splits["train"]) + ids(splits["val"])) == sorted(ids(CLIPS))
        assert splits["train"]
        held += ids(splits["val"])
        if by == "signer":
            assert not {c.signer for c in splits["train"]} & {c.signer for c in splits["val"]}
        else:
            whole, part = Counter(GLOSSES), Counter(c.glosses[0] for c in splits["val"])
            assert all(abs(part[g] - n / of) < 1 for g, n in whole.items())
            assert abs(len(splits["val"]) - len(CLIPS) / of) < 1
    assert sorted(held) == sorted(ids(CLIPS)), "every clip is held out exactly once"


def test_folds_are_the_same_for_every_seed() -> None:
    one, other = (load_audit(config(split__fold="2/5", run__seed=seed))[0] for seed in (0, 9))
    assert ids(one["val"]) == ids(other["val"])
    assert ids(one["val"]) != ids(load_audit(config(split__fold="3/5"))[0]["val"])


@pytest.mark.parametrize("fold", ["", "0/5", "6/5", "1/1", "2", "a/b", "-1/5", "1/5/2", "1.0/5", "2/0", " 1/5"])
def test_bad_folds(fold: str) -> None:
    with pytest.raises(ConfigError, match="expected K/N with 1 <= K <= N and N >= 2, such as 2/5"):
        load_audit(config(split__fold=fold))


def test_folds_by_signer_need_signers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ManyClips, "train", [*CLIPS, *make_clips([3], prefix="nobody")])
    with pytest.raises(DataError, match=r"1 have none \(first nobody-0\)"):
        load_audit(config(split__fold="1/2", split__fold_by="signer"))


def test_shares_are_nested_and_keep_every_gloss() -> None:
    before: set[str] = set()
    for share in (0.01, 0.25, 0.5, 0.75, 0.99, 1.0):
        splits, _ = load_audit(config(split__train_share=share))
        now = set(ids(splits["train"]))
        assert before <= now
        assert {c.glosses for c in splits["train"]} == {c.glosses for c in CLIPS}
        counts = Counter(c.glosses[0] for c in splits["train"])
        assert all(counts[g] == max(1, round(share * n)) for g, n in Counter(GLOSSES).items())
        assert ids(splits["val"]) == ids(VAL), "val is left alone"
        before = now
    assert before == set(ids(CLIPS))


def test_a_share_of_a_fold_leaves_what_is_held_out() -> None:
    whole, _ = load_audit(config(split__fold="1/4"))
    part, _ = load_audit(config(split__fold="1/4", split__train_share=0.5))
    assert ids(part["val"]) == ids(whole["val"])
    assert set(ids(part["train"])) < set(ids(whole["train"]))


def test_load_data() -> None:
    data = load_data(config(transform="upside"))
    assert data.train.ids == tuple(ids(CLIPS))
    assert data.val is not None
    assert data.val.vocabulary is data.vocabulary
    assert data.vocabulary.glosses == tuple(sorted(set(GLOSSES)))
    assert np.array_equal(data.train.clip(2).numpy(), -CLIPS[2].features)
    assert np.array_equal(data.val.clip(1).numpy(), -VAL[1].features)


def test_load_split_gives_what_the_run_saw() -> None:
    vocabulary = Vocabulary(("g0",))
    for values in (
        {},
        {"split__fold": "2/5"},
        {"split__train_share": 0.5},
        {"split__fold": "2/5", "split__train_share": 0.5},
    ):
        chosen = config(transform="upside", **values)
        seen, _ = load_audit(chosen)
        for split in ("train", "val"):
            store = load_split(chosen, split, vocabulary)
            assert store.ids == tuple(ids(seen[split])), (values, split)
            assert np.array_equal(store.clip(0).numpy(), seen[split][0].features)
            assert store.vocabulary is vocabulary
    with pytest.raises(
        DataError, match=r"data set 'many' has no split 'test', only train, val\. Choose with --split train or val"
    ):
        load_split(config(), "test", vocabulary)


def test_unsound_clips_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ManyClips, "val", make_clips([3], prefix="val", width=4))
    with pytest.raises(DataError, match="val clips have 4 features per frame and train clips 3"):
        load_data(config())
    monkeypatch.setattr(ManyClips, "val", [*VAL, *VAL])
    with pytest.raises(DataError, match="2 clip ids occur more than once in val"):
        load_data(config())
    with pytest.raises(DataError, match="2 clip ids occur more than once in val"):
        load_split(config(), "val", Vocabulary(()))
    monkeypatch.setattr(ManyClips, "findings", lambda _: [Finding("error", "own", "the files are of two takes")])
    with pytest.raises(DataError, match="the files are of two takes"):
        load_data(config(split__fold="1/2"))


def test_a_data_set_without_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ManyClips, "splits", lambda _: ("val",))
    with pytest.raises(DataError, match="has no train split, only val"):
        load_data(config())


def test_frames_are_held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the data are loaded, only the store holds frames: what the data set handed out is gone."""
    import gc
    import weakref

    from asl_core.api import configure
    from asl_core.data.splits import load_data
    from asl_demo.dataset import DemoDataset

    seen = []
    clips = DemoDataset.clips

    def watched(self: DemoDataset, split: str):
        for clip in clips(self, split):
            seen.append(weakref.ref(clip.features))
            yield clip

    monkeypatch.setattr(DemoDataset, "clips", watched)
    data = load_data(configure({"dataset": "demo", "dataset.glosses": 4}, environ={}))
    gc.collect()
    assert data.val is not None
    assert len(seen) == len(data.train) + len(data.val)
    assert not [ref for ref in seen if ref() is not None]
    assert data.train.features.shape[0] == int(data.train.lengths.sum())


def test_clips_are_left_out_of_every_split_after_the_folds() -> None:
    without = {"split__without": ("train-1", "val-0", "nobody")}
    splits, audit = load_audit(config(**without))
    assert ids(splits["train"]) == [i for i in ids(CLIPS) if i != "train-1"]
    assert ids(splits["val"]) == ["val-1"]
    said = {f.code: f.message for f in audit.findings}
    assert said["left-out"] == "split.without leaves out 1 of train, 1 of val clips"
    assert "1 ids that no clip of train or val has (nobody)" in said["left-out-unknown"]
    assert load_split(config(**without), "val", Vocabulary(())).ids == ("val-1",)
    whole, part = (load_audit(config(split__fold="1/4", **more))[0] for more in ({}, without))
    for split in whole:
        assert ids(part[split]) == [i for i in ids(whole[split]) if i != "train-1"], "the folds are the same"


@pytest.mark.parametrize(
    "values",
    [{}, {"split__fold": "2/5"}, {"split__train_share": 0.5}, {"split__without": ("train-2",), "split__fold": "1/3"}],
)
def test_clips_are_identified_as_a_run_takes_them(values: dict[str, Any]) -> None:
    data, found = load_data(config(transform="upside", **values)), identify(config(transform="upside", **values))
    assert found == data.identities
    assert tuple(found["train"]) == data.train.ids
    assert data.val is not None
    assert tuple(found["val"]) == data.val.ids


class Known(Upside):
    """Takes NaN for what was not seen."""

    takes_nan = True

    def __call__(self, clip: Clip) -> Clip:
        return attrs.evolve(clip, features=np.nan_to_num(clip.features))


def test_numbers_are_judged_after_the_transforms(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [np.where(np.arange(3) == n, bad, CLIPS[0].features) for n, bad in enumerate([np.nan, np.inf, 1e20])]
    odd = [attrs.evolve(CLIPS[0], id=f"odd-{n}", features=f, source="f.pkl") for n, f in enumerate(frames)]
    monkeypatch.setattr(ManyClips, "train", [odd[0], *CLIPS, *odd[1:]])
    known = offer("transform", attrs.evolve(component("known"), factory="test_splits:Known"))
    many = offer("dataset", attrs.evolve(component("many"), factory="test_splits:ManyClips"))

    def of(transform: str) -> RunConfig:
        return resolve([value_layer({"dataset": "many", "transform": transform}, "script")], registry(many, known))

    with pytest.raises(DataError) as told:
        load_data(of("none"))
    for text in (
        "clip 'odd-0' (f.pkl) holds NaN at frame 0, dimension 0 (and 2 more such numbers, in 3 of 3 frames)",
        "clip 'odd-1' (f.pkl) holds an infinite number at frame 0, dimension 1",
        "clip 'odd-2' (f.pkl) holds 1e+20 at frame 0, dimension 2",
        "3 of 44 clips of train cannot be learned from",
    ):
        assert text in str(told.value)
    with pytest.raises(DataError, match="2 of 44 clips of train cannot be learned from: clip 'odd-1'"):
        load_data(of("known"))
    monkeypatch.setattr(ManyClips, "bad_clips", "drop", raising=False)
    data = load_data(of("known"))
    assert data.train.ids == ("odd-0", *ids(CLIPS))
    assert set(identify(of("known"))["train"]) == set(data.train.ids)
    (dropped,) = [f for f in data.audit.findings if f.code == "bad-clips"]
    assert (dropped.level, dropped.data["ids"]) == ("warning", ["odd-1", "odd-2"])


def test_what_is_held_out_stays_the_same_from_version_to_version() -> None:
    """Runs on folds and shares are compared with runs of before."""

    def places(split: str, **values: Any) -> list[int]:
        return [int(name.rpartition("-")[2]) for name in ids(load_audit(config(**values))[0][split])]

    assert places("val", split__fold="2/5") == BY_GLOSS
    assert places("val", split__fold="1/3", split__fold_by="signer") == BY_SIGNER
    assert places("train", split__train_share=0.2) == BY_SHARE


def test_val_is_not_looked_at_where_a_fold_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_train(self: ManyClips, split: str) -> Iterable[Clip]:
        assert split == "train", "settings are chosen on folds so that val stays unseen"
        return self.train

    monkeypatch.setattr(ManyClips, "clips", only_train)
    splits, _ = load_audit(config(split__fold="1/4"))
    assert set(splits) == {"train", "val"}


def test_a_reader_knows_how_wide_the_clips_of_the_file_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ManyClips, "train", make_clips([5, 4], ["a", "b"]))
    dataset: Any = ManyClips(cast("Any", None))
    reader = _Reader.of(config(), dataset)
    assert len(reader.clips("train")) == 2
    assert reader.width == 3


def test_a_split_is_read_without_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_train(self: ManyClips, split: str) -> Iterable[Clip]:
        assert split == "train", "nobody asked for it"
        return self.train

    monkeypatch.setattr(ManyClips, "clips", only_train)
    assert load_split(config(), "train", Vocabulary(("g0",))).ids == tuple(ids(CLIPS))


def test_features_of_one_dimension_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = [attrs.evolve(clip, features=np.zeros(3, np.float32)) for clip in CLIPS]
    monkeypatch.setattr(ManyClips, "train", flat)
    with pytest.raises(DataError, match="clips of train have no frames"):
        load_data(config())


def test_a_data_set_that_fails_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    def clips(self: ManyClips, split: str) -> Iterable[Clip]:
        raise ZeroDivisionError(split)

    monkeypatch.setattr(ManyClips, "clips", clips)
    with pytest.raises(RunError, match=r"(?s)^dataset .*ManyClips.*ZeroDivisionError: train"):
        load_data(config())
