"""Data that no figure should be taken from: clips that were trained on, outliers, NaN, names that look the same."""

from __future__ import annotations

import functools
import json
import pickle
import tempfile
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases.table import Outcome, asl, case, shared_data

Entries = dict[str, dict[str, Any]]
Change = Callable[[Entries], None]

TINY = (
    "--encoder", "gru", "--encoder.hidden-size", "8", "--encoder.front-size", "8", "--epochs", "1", "--device", "cpu",
    "--augment", "none",
)  # fmt: skip

STAGES = """
[common]
dataset = {name = "wlasl", root = "D"}
encoder = {name = "gru", hidden-size = 8, front-size = 8}
train = {epochs = 1}
augment = {names = []}
run = {device = "cpu"}
[[stage]]
name = "one"
dataset = {train = "*.pkl", val = "none", test = "none"}
head = {name = "HEAD"}
loss = {name = "LOSS"}
[[stage]]
name = "two"
init = "one"
head = {name = "mean"}
"""


def entries(first: int, glosses: Iterable[str], *, clips: int = 4, width: int = 5, frames: int = 6) -> Entries:
    """``clips`` clips of each gloss, numbered from ``first`` on, each with frames of its own."""
    found: Entries = {}
    for gloss in glosses:
        for _ in range(clips):
            number = first + len(found)
            features = np.random.default_rng(number).uniform(0, 1, (frames, width)).astype(np.float32)
            found[f"{number:05d}"] = {"features": features, "gloss": gloss}
    return found


def write(folder: Path, change: Change | None = None, change_val: Change | None = None, **more: Any) -> Path:
    """A data set of three glosses: 12 clips of train, 6 of val."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, first, clips, alter in (("train", 0, 4, change), ("val", 1000, 2, change_val)):
        content = entries(first, ("book", "drink", "go"), clips=clips, **more)
        if alter is not None:
            alter(content)
        (folder / f"features_{split}_x.pkl").write_bytes(pickle.dumps(content))
    return folder


def train(place: Path, *more: str, root: str = "D") -> Outcome:
    return asl(place, "run", "--dataset", "wlasl", "--dataset.root", root, "--transform", "none", *TINY, *more)


def findings(place: Path, root: str = "D", *more: str) -> dict[str, str]:
    """The audit's messages by code."""
    said = asl(place, "data", root, "--json", *more)
    return {f["code"]: f["message"] for f in json.loads(said.out)["findings"]}


def refused(said: Outcome, *words: str) -> str:
    assert said.code == 2, said.text[-800:]
    for word in words:
        assert word in said.error, (word, said.error)
    return said.error


@functools.cache
def trained() -> Path:
    """A folder with the data set ``D`` and a run on it, ``runs/a``."""
    place = Path(tempfile.mkdtemp())
    write(place / "D")
    assert train(place, "--name", "a").code == 0
    return place


def curriculum(place: Path, head: str = "mean", loss: str = "cross-entropy", root: Path | str = "D") -> Outcome:
    text = STAGES.replace("HEAD", head).replace("LOSS", loss).replace('"D"', f'"{Path(root).as_posix()}"')
    (place / "c.toml").write_text(text, encoding="utf-8")
    return asl(place, "run", "c.toml", "--quiet")


# Clips that are evaluated on and were trained on


@case("recipe hands-stage1 without the pool's root", slow=True)
def val_in_the_pool(place: Path) -> str:
    root = shared_data() / "wlasl100-hands"
    said = asl(place, "run", "--recipe", "hands-stage1", "--dataset.root", str(root))
    assert not (place / "runs").exists(), "nothing was begun"
    return refused(said, "165 of 165 clips of val", "--set stage.stage1.dataset.root=pool/")


@case("a stage 1 with labels on val")
def supervised_stage(place: Path) -> str:
    write(place / "D")
    said = curriculum(place)
    assert not (place / "runs").exists()
    return refused(said, "stage 'one'", "stage 'two'", "6 of 6 clips of val", "--set stage.one.dataset.root=")


@case("a stage 1 without labels on val")
def unsupervised_stage(place: Path) -> str:
    write(place / "D")
    return refused(curriculum(place, "projection", "contrast-views"), "6 of 6 clips of val", "whatever the loss")


@case("a pool that holds two clips of val under other names", slow=True)
def renamed_in_the_pool(place: Path) -> str:
    write(place / "D")
    pool = entries(5000, ("other", "more"))
    val = pickle.loads((place / "D" / "features_val_x.pkl").read_bytes())
    pool |= {"copy-1": val["01000"], "copy-2": val["01001"]}
    (place / "pool").mkdir()
    (place / "pool" / "p.pkl").write_bytes(pickle.dumps(pool))
    curriculum(place)
    said = asl(place, "run", "c.toml", "--quiet", "--set", "stage.one.dataset.root=pool")
    error = refused(said, "2 by frames under another id (01000 = copy-1, 01001 = copy-2)")
    without = "stage.one.split.without=copy-1,copy-2"
    assert f"--set {without}" in error
    assert asl(place, "run", "c.toml", "--quiet", "--set", "stage.one.dataset.root=pool", "--set", without).code == 0
    return error


@case("a pool in which val's ids stand with other frames")
def same_recordings(place: Path) -> str:
    write(place / "D")
    (place / "pool").mkdir()
    (place / "pool" / "p.pkl").write_bytes(pickle.dumps(entries(1000, ("other",), clips=3, frames=9)))
    curriculum(place)
    said = asl(place, "run", "c.toml", "--quiet", "--set", "stage.one.dataset.root=pool")
    error = refused(said, "3 by id, with other frames", "--set stage.two.init.ids=any")
    allowed = ("--set", "stage.one.dataset.root=pool", "--set", "stage.two.init.ids=any")
    assert asl(place, "run", "c.toml", "--quiet", *allowed).code == 0
    return error


@case("a fold of stage 2 in train of stage 1")
def folds(place: Path) -> str:
    write(place / "D")
    curriculum(place)
    own = ("--set", "stage.one.dataset.train=features_train_x.pkl")
    said = asl(place, "run", "c.toml", "--quiet", *own, "--set", "stage.two.split.fold=1/3")
    error = refused(said, "4 of 4 clips of val", "--set stage.one.split.fold=1/3")
    assert asl(place, "run", "c.toml", "--quiet", *own, "--set", "split.fold=1/3").code == 0
    return error


@case("asl compare with a curriculum whose stage 1 holds val")
def compared(place: Path) -> str:
    write(place / "D")
    curriculum(place)
    (place / "plain.toml").write_text('[dataset]\nname = "wlasl"\nroot = "D"\n[train]\nepochs = 1\n', encoding="utf-8")
    said = asl(place, "compare", "plain.toml", "c.toml", "--seeds", "0")
    assert not (place / "runs").exists(), "nothing was trained"
    return refused(said, "stage 'one'", "6 of 6 clips of val")


@case("--init run:RUN that was trained on a fold's clips")
def initial(place: Path) -> str:
    start = ("--init", f"run:{trained() / 'runs' / 'a'}", "--split.fold", "1/4", "--transform", "none")
    said = asl(trained(), "run", "--dataset", "wlasl", "--dataset.root", "D", *TINY, *start, "--out", str(place))
    return refused(said, "3 of 3 clips of val", "were trained on", "Start from other weights")


@case("--init run:RUN, two runs later")
def grandchild(place: Path) -> str:
    def replaced(clips: dict[str, dict[str, Any]]) -> None:
        clips.clear()
        clips.update(entries(7000, ("a", "b")))

    write(place / "D")
    write(place / "E", replaced)
    assert train(place, "--name", "first", root="D").code == 0
    assert train(place, "--name", "second", "--dataset.val", "none", "--init", "run:runs/first", root="E").code == 0
    said = train(place, "--init", "run:runs/second", "--split.fold", "1/4")
    return refused(said, "the weights of runs/first were trained on")


@case("--init run:RUN of version 0.1, which keeps nothing")
def old_run(place: Path) -> str:
    write(place / "D")
    assert train(place, "--name", "old").code == 0
    (place / "runs" / "old" / "trained-on.json").unlink()
    said = train(place, "--init", "run:runs/old", "--split.fold", "1/4")
    assert said.code == 0, said.text
    assert "runs/old does not say which clips it was trained on" in said.text
    assert "could not be checked" in said.text
    return "noted that it could not be checked"


@case("asl eval on another folder whose val was trained on")
def evaluated(place: Path) -> str:
    other = write(place / "E")
    (other / "features_val_x.pkl").write_bytes((trained() / "D" / "features_train_x.pkl").read_bytes())
    said = asl(trained(), "eval", "runs/a", "--root", str(other))
    assert asl(trained(), "eval", "runs/a", "--split", "train").code == 0
    return refused(said, "12 of 12 clips of val", "runs/a was trained on", "--split train")


@case("an ensemble of which one run was trained on val")
def ensemble(place: Path) -> str:
    write(place / "D")
    assert train(place, "--name", "a").code == 0
    # Trained on what is val for the first: its own val is something else.
    both = ("--dataset.train", "features_*_x.pkl", "--dataset.val", "none", "--name", "b")
    assert train(place, *both).code == 0
    from asl_core import DataError, evaluate_run

    values = {"dataset.val": "features_val_x.pkl"}
    with pytest.raises(DataError, match=r"6 of 6 clips of val are clips that .*b was trained on") as refusal:
        evaluate_run(place / "runs" / "a", ensemble=[place / "runs" / "b"], values=values)
    return str(refusal.value)


@case("--dataset.train '*.pkl' that matches val too")
def pattern(place: Path) -> str:
    write(place / "D")
    return refused(train(place, "--dataset.train", "*.pkl"), "6 of 6 clips of val are clips of train", "--dataset.val")


@case("asl eval --split test of clips that '*.pkl' matched")
def test_split(place: Path) -> str:
    write(place / "D")
    (place / "D" / "features_val_x.pkl").rename(place / "D" / "features_test_x.pkl")
    both = train(place, "--dataset.train", "*.pkl", "--name", "a")
    assert both.code == 0, both.text
    return refused(asl(place, "eval", "runs/a", "--split", "test"), "6 of 6 clips of test", "runs/a was trained on")


@case("packed clips of val in a stage 1")
def packed(place: Path) -> str:
    write(place / "D")
    pool = ("--dataset.train", "*.pkl", "--dataset.val", "none")
    assert asl(place, "pack", "--dataset", "wlasl", "--dataset.root", "D", *pool, "P").code == 0
    curriculum(place)
    text = (
        (place / "c.toml")
        .read_text(encoding="utf-8")
        .replace('dataset = {train = "*.pkl", val = "none", test = "none"}', 'dataset = {name = "packed", root = "P"}')
    )
    (place / "c.toml").write_text(text.replace('dataset = {name = "wlasl", root = "D"}\n', ""), encoding="utf-8")
    stage_two = ("--set", "stage.two.dataset.name=wlasl", "--set", "stage.two.dataset.root=D")
    return refused(asl(place, "run", "c.toml", "--quiet", *stage_two), "6 of 6 clips of val, 6 by id and frames")


@case("clips of val in half precision, with other marks of a lost hand, under other ids in train")
def near_copies(place: Path) -> str:
    def alter(content: Entries) -> None:
        one, two = entries(1000, ("book",), clips=2).values()
        content["half"] = {**one, "features": one["features"].astype(np.float16)}
        content["double"] = {**two, "features": two["features"].astype(np.float64)}

    write(place / "D", alter)
    text = findings(place)["leak"]
    assert "01000 = half" in text
    assert "01001 = double" in text
    return text


@case("one clip of val under another id in train")
def copy(place: Path) -> str:
    def alter(content: Entries) -> None:
        content["copied"] = {**entries(1000, ("book",), clips=1)["01000"]}

    write(place / "D", alter)
    text = findings(place)["leak"]
    assert "01000 = copied" in text
    assert "--split.without 01000" in text
    said = train(place, "--split.without", "01000")
    assert said.code == 0
    assert "split.without leaves out 0 of train, 1 of val clips" in said.text
    return text


# NaN


def hands(content: Entries) -> None:
    """Landmarks in which the second hand was not seen, and is NaN."""
    for clip in content.values():
        clip["features"][:, 63:126] = np.nan


@case("NaN where there is no hand, 126 features")
def nan_126(place: Path) -> str:
    write(place / "D", hands, hands, width=126)
    said = asl(
        place, "run", "--dataset", "wlasl", "--dataset.root", "D", "--transform", "landmarks,hand-features", *TINY
    )
    assert said.code == 0, said.text
    return "trained"


@case("NaN landmarks of 225 and 1629 features")
def nan_holistic(place: Path) -> str:
    def lost(first: int) -> Change:
        def alter(content: Entries) -> None:
            for clip in content.values():
                clip["features"][::2, first : first + 63] = np.nan

        return alter

    for width, left_hand in ((225, 99), (1629, 1404)):
        write(place / str(width), lost(left_hand), lost(left_hand), width=width)
        codes = findings(place, str(width), "--transform", "landmarks,hand-features")
        assert "non-finite" not in codes, codes
    return "taken"


@case("NaN packed, and a run on that")
def nan_packed(place: Path) -> str:
    write(place / "D", hands, hands, width=126)
    assert asl(place, "pack", "--dataset", "wlasl", "--dataset.root", "D", "P").code == 0
    figures = []
    for name, root in (("wlasl", "D"), ("packed", "P")):
        chosen = ("--dataset", name, "--dataset.root", root, "--transform", "landmarks,hand-features", "--name", name)
        assert asl(place, "run", *chosen, *TINY).code == 0
        figures.append((place / "runs" / name / "metrics.jsonl").read_bytes())
    assert figures[0] == figures[1]
    return "the same figures as on the pickles"


@case("NaN without a transform that knows it")
def nan_alone(place: Path) -> str:
    def alter(content: Entries) -> None:
        content["00003"]["features"][2, 100] = np.nan

    write(place / "D", alter, width=126)
    error = refused(
        train(place),
        "clip '00003'",
        "NaN at frame 2, dimension 100",
        "--transform landmarks takes it",
        "--dataset.bad-clips drop",
    )
    said = train(place, "--dataset.bad-clips", "drop")
    assert said.code == 0
    assert "dropped: 1 of 12 clips of train" in said.text
    return error


@case("infinite numbers under a transform that knows NaN")
def infinite(place: Path) -> str:
    def alter(content: Entries) -> None:
        content["00000"]["features"][1, 7] = np.inf
        content["00005"]["features"][4, 2] = 3.4e38

    write(place / "D", alter, width=126)
    chosen = ("--transform", "landmarks,hand-features")
    said = asl(place, "run", "--dataset", "wlasl", "--dataset.root", "D", *chosen, *TINY)
    error = refused(said, "an infinite number at frame 1, dimension 7", "3.4e+38 at frame 4, dimension 2")
    dropped = asl(
        place, "run", "--dataset", "wlasl", "--dataset.root", "D", *chosen, *TINY, "--dataset.bad-clips", "drop"
    )
    assert dropped.code == 0, dropped.text
    return error


# Outliers


def outlier(number: float, *clips: str) -> Change:
    def alter(content: Entries) -> None:
        for clip in clips:
            content[clip]["features"][2, :3] = number

    return alter


def _steady(place: Path, name: str, **changed: Change) -> None:
    """What the model's statistics are with and without odd numbers in train: they hardly move."""
    from asl_core import load

    write(place / "clean")
    write(place / name, changed.get("train"), changed.get("val"))
    for root in ("clean", name):
        assert train(place, "--name", root, root=root).code == 0
    ours, clean = (load(place / "runs" / root).model.standardiser for root in (name, "clean"))
    np.testing.assert_allclose(ours.mean, clean.mean, atol=0.08)
    np.testing.assert_allclose(ours.scale, clean.scale, rtol=0.2)


@case("three numbers of one frame of a clip are 1e6")
def million(place: Path) -> str:
    _steady(place, "D", train=outlier(1e6, "00004"))
    text = findings(place)["outliers"]
    assert "clip '00004', frame 2, dimensions 0-2 (1e+06 in dimension 0, usually" in text
    assert "--split.without 00004" in text
    return text


@case("three numbers of one frame of a clip are -9999")
def minus(place: Path) -> str:
    _steady(place, "D", train=outlier(-9999.0, "00007"))
    return findings(place)["outliers"]


@case("outliers in two clips of train and one of val")
def several(place: Path) -> str:
    _steady(place, "D", train=outlier(1e12, "00001", "00008"), val=outlier(-1e5, "01002"))
    said = asl(place, "data", "D")
    assert "2 of 12 clips of train hold numbers far outside of the rest: clip '00001', frame 2" in said.text
    assert "1 of 6 clips of val hold numbers far outside of the rest: clip '01002', frame 2" in said.text
    return said.text


@case("one clip in pixels, the others from 0 to 1")
def pixels(place: Path) -> str:
    def alter(content: Entries) -> None:
        content["00002"]["features"] *= 640

    _steady(place, "D", train=alter)
    text = findings(place)["outliers"]
    assert "clip '00002', frames 0-5, dimensions 0-4" in text
    return text


@case("asl predict of a clip with outliers, and of one in pixels")
def predicted(place: Path) -> str:
    clip = np.random.default_rng(9).uniform(0, 1, (6, 5)).astype(np.float32)
    np.save(place / "fine.npy", clip)
    np.save(place / "pixels.npy", 640 * clip)
    clip[3, 1] = -9999
    np.save(place / "odd.npy", clip)
    run = str(trained() / "runs" / "a")
    said = {name: asl(place, "predict", run, f"{name}.npy") for name in ("fine", "odd", "pixels")}
    assert all(one.code == 0 for one in said.values())
    assert "unreliable" not in said["fine"].text
    assert "frames 3 hold numbers far outside of those that the model was trained on (dimensions 1 " in said["odd"].text
    assert "the prediction is unreliable. Was it extracted in the same way, in the same units?" in said["pixels"].text
    return said["odd"].text


@case("no outlier in the real clips", slow=True)
def real_clips(place: Path) -> str:
    shared = shared_data()
    for folder in ("wlasl100", "wlasl100-hands"):
        assert "outliers" not in findings(place, str(shared / folder), "--transform", "none"), folder
    return "none found"


# Names


@case("glosses of macOS, zero width, soft hyphens, spaces, _ and -")
def names(place: Path) -> str:
    pairs = [
        ("caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")), ("go", "go\u200b"), ("soft", "so\u00adft"),
        ("thank  you", "thank you"), ("ice_cream", "ice-cream"),
    ]  # fmt: skip
    write(place / "D", lambda c: c.update(entries(100, [name for pair in pairs for name in pair], clips=1)))
    text = findings(place)["gloss-look"]
    assert text.startswith("5 glosses are written in several ways")
    assert r"'cafe\u0301' / 'caf\xe9'" in text
    return text


@case("glosses that differ in case")
def case_of_names(place: Path) -> str:
    write(place / "D", lambda c: c.update(entries(100, ["Book"])))
    text = findings(place)["gloss-case"]
    assert "'Book' / 'book'" in text
    return text


# Named twice


@case("--augment speed,speed, and other lists")
def twice(place: Path) -> str:
    said = [
        refused(asl(place, "run", "--augment", "speed,speed"), "augment 'speed' is named 2 times"),
        refused(asl(place, "run", "--augment", "speed,asl-core:speed"), "augment 'speed' is named 2 times"),
        refused(asl(place, "run", "--transform", "hands36,hands36"), "transform 'hands36' is named 2 times"),
    ]
    return said[0]


# Odd as a whole


@case("one gloss only")
def alone(place: Path) -> str:
    def one(clips: dict[str, dict[str, Any]]) -> None:
        for clip in clips.values():
            clip.update(gloss="book")

    write(place / "D", one, one)
    text = findings(place)["one-gloss"]
    assert "all 12 clips of train have the gloss 'book'" in text
    assert "--dataset.train" in text
    return text


def padded(*, before: bool) -> Change:
    def alter(content: Entries) -> None:
        for number, clip in enumerate(content.values()):
            features = clip["features"]
            zeros = 1 + number % 3
            features[:zeros] = 0 if before else features[:zeros]
            features[len(features) - zeros :] = features[len(features) - zeros :] if before else 0

    return alter


@case("clips padded with frames of zeros to a common length")
def zeros(place: Path) -> str:
    texts = []
    for name, before in (("ends", False), ("starts", True)):
        write(place / name, padded(before=before), width=36)
        text = findings(place, name, "--transform", "dominant36")["padding"]
        assert "12 of 12 clips of train have frames of zeros only at an end" in text
        assert text.endswith("Cut it: --transform unpad,dominant36.")
        codes = findings(place, name, "--transform", "unpad,dominant36")
        assert "padding" not in codes
        texts.append(text)
    from asl_core import audit_data, configure

    cut = configure({"dataset": "wlasl", "dataset.root": str(place / "ends"), "transform": "unpad"}, environ={})
    assert audit_data(cut).splits["train"].frames == (3, 4, 5)
    return texts[0]


@case("hands that were lost at the ends of clips of one length")
def lost_hands(place: Path) -> str:
    def alter(content: Entries) -> None:
        for clip in content.values():
            clip["features"][[0, 2, 5]] = 0

    write(place / "D", alter)
    assert "padding" not in findings(place, "D", "--transform", "none")
    return "not taken for padding"
