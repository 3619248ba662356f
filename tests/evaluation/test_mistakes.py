"""Why a model errs: groups add up, intervals hold for few clips, confusions name the clips to look at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scripts import printed
from small import small
from toy_components import make_clips

import asl_core as asl
from asl_core import ClipStore, Vocabulary
from asl_core.cli import main
from asl_core.cli.error_analysis import error_lines
from asl_core.errors import UsageError
from asl_core.evaluation.mistakes import Mistakes, _by_value, explain
from asl_core.evaluation.scoring import Predictions

ABC = Vocabulary(("a", "b", "c"))
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def store(lengths: list[int], glosses: list[str], signers: list[str | None], stem: str = "v") -> ClipStore:
    clips = [
        attrs.evolve(c, id=f"{stem}{n}", signer=s)
        for n, (c, s) in enumerate(zip(make_clips(lengths, glosses), signers, strict=True))
    ]
    return ClipStore(clips, ABC)


def said(names: str) -> Predictions:
    """What a model says that is sure of each name."""
    scores = torch.full((len(names), 3), 0.1)
    for n, name in enumerate(names):
        scores[n, "abc".index(name)] = 0.8
    return Predictions(scores.log(), None, {})


@pytest.fixture
def found() -> Mistakes:
    train = store([3] * 5, ["a", "a", "b", "b", "c"], ["s", "s", "t", None, "t"], "t")
    val = store([2, 2, 4, 4, 6, 8], ["a", "a", "a", "b", "b", "c"], ["s", "s", "new", "t", None, "new"])
    unseen = [np.full(int(n), share) for n, share in zip(val.lengths, [0, 0, 0, 0.5, 0.5, 1], strict=True)]
    return explain(said("abbabc"), val, unseen, train)


def test_groups(found: Mistakes) -> None:
    rows = {name: [(g.name, g.clips, g.right) for g in groups] for name, groups in found.groups.items()}
    assert rows["frames of the clip"] == [("2", 2, 1), ("4", 2, 0), ("6", 1, 1), ("8", 1, 1)]
    assert rows["share that was not seen"] == [("0 %", 3, 1), ("50 %", 2, 1), ("100 %", 1, 1)]
    assert rows["share of frames in which nothing was seen"] == [("0 %", 5, 2), ("100 %", 1, 1)]
    assert rows["training clips of the sign"] == [("1", 1, 1), ("2", 5, 2)]
    assert rows["signer known"] == [
        ("signer in train", 3, 1),
        ("signer not in train", 2, 1),
        ("signer not named", 1, 1),
    ]
    assert rows["signer"] == [("new", 2, 1), ("s", 2, 1), ("not named", 1, 1), ("t", 1, 0)]
    assert (found.clips, found.right, found.notes) == (6, 3, ())


def test_signs_and_confusions(found: Mistakes) -> None:
    a, b, c = found.signs
    assert (a.gloss, a.train_clips, a.clips, a.right, a.false_alarms, a.taken_for) == ("a", 2, 3, 1, 1, (("b", 2),))
    assert (b.gloss, b.right, b.taken_for, c.gloss, c.right) == ("b", 1, (("a", 1),), "c", 1)
    first, second = found.confusions
    assert (first.was, first.said, first.reverse, [m.clip for m in first.mistakes]) == ("a", "b", 1, ["v1", "v2"])
    assert (first.was_examples, first.said_examples) == (("t0", "t1"), ("t2", "t3"))
    mistake = first.mistakes[0]
    assert (mistake.probability, mistake.true_probability) == pytest.approx((0.8, 0.1))
    assert mistake.true_rank == 3, "a tie counts against the model, as in the metrics"
    assert (second.was, second.said) == ("b", "a")


def test_what_is_shown(found: Mistakes) -> None:
    lines = "\n".join(error_lines(found))
    for text in ("by signer known", "signer not in train", "a as b: 2 clips, and 1 the other way", "v1: b 80 %, a 10 %",
                 "a in train: t0, t1", "1 of 3 signs have every clip right"):  # fmt: skip
        assert text in lines
    assert json.loads(json.dumps(found.to_json()))["groups"]["signer"][0]["right"] == 1


def test_what_cannot_be_told_is_said() -> None:
    val = store([2, 2], ["a", "b"], [None, None])
    found = explain(said("ab"), val, [np.zeros(2), np.zeros(2)])
    assert found.groups == {}
    notes = "\n".join(found.notes)
    for text in (
        "frames of the clip: 2 for every clip",
        "the training clips are not available",
        "no clip names its signer",
    ):
        assert text in notes
    assert found.confusions == ()
    assert "all 2 signs have every clip right" in error_lines(found)


def test_sentences_have_groups_and_no_signs() -> None:
    clips = make_clips([2, 4], ["a", "b"])
    clips[1] = attrs.evolve(clips[1], glosses=("b", "c"))
    found = explain(Predictions(None, [[0], [1]], {}), ClipStore(clips, ABC), [np.zeros(2), np.zeros(4)])
    assert [(g.name, g.right) for g in found.groups["frames of the clip"]] == [("2", 1), ("4", 0)]
    assert "these clips are sentences" in found.notes[0]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60))
def test_every_clip_is_in_one_group(clips: list[tuple[int, bool]]) -> None:
    names = "".join("a" if right else "b" for _, right in clips)
    val = store([n + 1 for n, _ in clips], ["a"] * len(clips), [None] * len(clips))
    unseen = [np.full(n + 1, n / 9) for n, _ in clips]
    found = explain(said(names), val, unseen)
    assert len({n for n, _ in clips}) == 1 or len(found.groups["frames of the clip"]) > 1
    for groups in found.groups.values():
        assert sum(g.clips for g in groups) == len(clips)
        assert sum(g.right for g in groups) == found.right == names.count("a")
        assert len({g.name for g in groups}) == len(groups)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("why")
    return asl.run(asl.configure(small(out, run__name="r"), project_file=False, environ={})).path


def call(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["eval", *words, "--device", "cpu"])
    told = capsys.readouterr()
    assert not stop.value.code, told.err
    return told.out


@pytest.mark.slow
def test_eval_why(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = call(capsys, str(trained), "--errors")
    assert text.startswith("val, final weights: top-1")
    assert "by frames of the clip" in text
    assert "have every clip right" in text
    whole = json.loads(call(capsys, str(trained), "--errors", "--json"))
    right = round(whole["metrics"]["top1"] * whole["clips"])
    assert whole["why"]["right"] == sum(s["right"] for s in whole["why"]["signs"]) == right
    assert "why" not in json.loads(call(capsys, str(trained), "--json"))


def test_the_train_split_explains_itself(trained: Path) -> None:
    found = asl.explain_run(trained, split="train", device="cpu")
    assert found.mistakes.clips == len(found.store) == 36
    assert {s.train_clips for s in found.mistakes.signs} == {6}


def test_a_stage_1_run_names_no_signs(tmp_path: Path) -> None:
    values = small(tmp_path, run__name="s1", head="reconstruct", loss="masked-frames", train__epochs=1)
    path = asl.run(asl.configure(values, project_file=False, environ={})).path
    with pytest.raises(UsageError, match="has no head that names signs"):
        asl.explain_run(path, device="cpu")


@pytest.mark.slow
def test_the_learning_curve_is_drawn_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command itself, and again in this process."""
    values = small(tmp_path, train__epochs=1)
    del values["run.out"]
    words = [f"{k}={v}" for k, v in values.items()]
    script = EXAMPLES / "learning_curve.py"
    words = ["--shares", "1", "0.5", "--seeds", "0", "--out", str(tmp_path / "runs"), "--set", *words]
    command = [sys.executable, str(script), *words]
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    rows = first.splitlines()
    assert [row.split(" | ")[:3] for row in rows[2:]] == [["| 50%", "18", "3.0"], ["| 100%", "36", "6.0"]]
    made = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*") if p.is_file()}
    assert printed(capsys, script, *words, cwd=tmp_path) == first
    assert made == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*") if p.is_file()}


def test_groups_of_values_of_which_most_are_the_largest() -> None:
    """The quarters all end at the largest value; it stays apart from the others all the same."""
    values = np.array([1.0, 2, 3, 4, *[5] * 20])
    groups = _by_value(values, np.arange(24) % 2 == 0, lambda v: f"{v:.0f}")
    assert [(g.name, g.clips, g.right) for g in groups] == [("1 to 4", 4, 2), ("5", 20, 10)]


def test_three_training_clips_are_examples_of_a_sign() -> None:
    train = store([3] * 6, ["a"] * 4 + ["b", "b"], [None] * 6, "t")
    val = store([2, 2], ["a", "b"], [None, None])
    found = explain(said("bb"), val, [np.zeros(2), np.zeros(2)], train)
    assert found.confusions[0].was_examples == ("t0", "t1", "t2")
    assert found.confusions[0].said_examples == ("t4", "t5")


def test_a_gloss_that_is_not_known_is_never_among_the_first_five() -> None:
    val = ClipStore(make_clips([2, 2], ["zzz", "a"]), ABC)
    found = explain(said("ab"), val, [np.zeros(2), np.zeros(2)])
    assert {s.gloss: (s.top5, s.mean_rank) for s in found.signs} == {"zzz": (0, 4.0), "a": (1, 3.0)}


def test_the_sixth_of_seven_is_not_among_the_first_five() -> None:
    scores = torch.arange(7.0)[None].repeat(2, 1).log_softmax(1)
    val = ClipStore(make_clips([2, 2], ["b", "c"]), Vocabulary(tuple("abcdefg")))
    found = explain(Predictions(scores, None, {}), val, [np.zeros(2), np.zeros(2)])
    assert {s.gloss: (s.top5, s.mean_rank) for s in found.signs} == {"b": (0, 6.0), "c": (1, 5.0)}


def test_what_is_zero_is_a_group_of_its_own_and_no_part_of_the_quarters() -> None:
    values = np.array([0.0] * 20 + [2, 3, 4, 5, 6, 7, 8, 9])
    groups = _by_value(values, np.ones(28, bool), lambda v: f"{v:.0f}")
    assert [(g.name, g.clips) for g in groups] == [
        ("0", 20),
        ("2 to 3", 2),
        ("4 to 5", 2),
        ("6 to 7", 2),
        ("8 to 9", 2),
    ]


def test_a_sign_is_taken_for_the_commonest_other_first() -> None:
    val = store([2] * 4, ["a"] * 4, [None] * 4)
    (sign,) = explain(said("bcca"), val, [np.zeros(2)] * 4).signs
    assert sign.taken_for == (("c", 2), ("b", 1))
