"""The plan of a transfer: every tensor in one list, and shares of numbers rather than of tensors."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_core.checkpoints.transfer import Mismatch, TransferPlan, rename, rule_effects, suggest_map
from asl_core.errors import CheckpointError

NAMES = st.sampled_from(["a", "b", "c.weight", "c.bias", "d"])
SHAPES = st.lists(st.integers(1, 4), max_size=3).map(tuple)
SIDE = st.dictionaries(NAMES, SHAPES)


@given(SIDE, SIDE)
def test_every_tensor_of_both_sides_is_in_one_list(theirs: dict, ours: dict) -> None:
    plan = TransferPlan.of(theirs.items(), ours.items())
    loaded, missing, unexpected = (dict(x) for x in (plan.loaded, plan.missing, plan.unexpected))
    wrong = {m.name: m for m in plan.mismatched}
    assert sorted([*loaded, *missing, *wrong]) == sorted(ours)
    assert sorted([*loaded, *unexpected, *wrong]) == sorted(theirs)
    assert all(theirs[n] == ours[n] == s for n, s in loaded.items())
    assert all((m.checkpoint, m.encoder) == (theirs[n], ours[n]) and theirs[n] != ours[n] for n, m in wrong.items())
    assert sorted(plan.encoder) == sorted(ours.items())
    assert plan.total == sum(map(math.prod, ours.values()))
    assert plan.covered == sum(math.prod(ours[n]) for n in ours if theirs.get(n) == ours[n])
    assert plan.enough(1.0) == (bool(ours) and not missing and not wrong)


@given(SIDE.filter(bool))
def test_itself_is_covered_whole(side: dict) -> None:
    plan = TransferPlan.of(side.items(), side.items())
    assert plan.share == 1.0
    assert plan.enough(1.0)
    assert plan.short() == [f"{len(side)} of {len(side)} encoder tensors loaded ({plan.total:,} of {plan.total:,} "
                            f"parameters, 100 %)"]  # fmt: skip


def test_the_share_is_of_numbers() -> None:
    plan = TransferPlan.of([("w", (3, 100)), ("b", (2,))], [("w", (3, 100)), ("b", (3,)), ("n", (97,))])
    assert plan.share == 300 / 400
    assert plan.mismatched == (Mismatch("b", (2,), (3,)),)
    assert plan.enough(0.75)
    assert not plan.enough(0.7500001)
    text = "\n".join(plan.short())
    assert "left at random, of another shape: b (2 in the checkpoint, 3 in the encoder)" in text
    assert "left at random, not in the checkpoint: n (97)" in text
    assert plan.to_json()["mismatched"] == [{"name": "b", "checkpoint": [2], "encoder": [3]}]


def test_no_tensor_at_all_is_never_enough() -> None:
    assert not TransferPlan.of([("a", (2,))], [("b", (2,))]).enough(1e-9)
    assert not TransferPlan.of([], []).enough(1e-9)


def test_nearly_all_is_not_called_all() -> None:
    assert "99.9 %" in TransferPlan.of([("a", (99999,))], [("a", (99999,)), ("b", (1,))]).short()[0]


def test_a_name_twice_on_one_side() -> None:
    with pytest.raises(ValueError, match="'a' occurs twice"):
        TransferPlan.of([("a", (1,)), ("a", (1,))], [])


@pytest.mark.parametrize(
    ("rules", "after"),
    [
        ([], ["net.rnn.w", "net.rnn.b", "netx.w"]),
        (["net.rnn=lstm"], ["lstm.w", "lstm.b", "netx.w"]),
        (["net="], ["rnn.w", "rnn.b", "netx.w"]),
        (["net.=", "net.rnn.w=first"], ["first", "rnn.b", "netx.w"]),
        (["=all", "netx=x"], ["all.net.rnn.w", "all.net.rnn.b", "x.w"]),
    ],
)
def test_rename_whole_parts_longest_first(rules: list[str], after: list[str]) -> None:
    assert list(rename({"net.rnn.w": 0, "net.rnn.b": 1, "netx.w": 2}, rules)) == after


@pytest.mark.parametrize(
    ("rules", "word"),
    [
        (["net"], "OLD=NEW"),
        (["ne=x"], "no tensor of the checkpoint starts with 'ne'"),
        (["net=", "net=x"], "twice"),
        (["net.rnn=netx"], "another has already"),
        (["net.rnn.w="], "is empty"),
    ],
)
def test_rules_that_cannot_be_meant(rules: list[str], word: str) -> None:
    with pytest.raises(CheckpointError, match=word):
        rename({"net.rnn.w": 0, "netx.w": 2}, rules)


def test_a_prefix_that_would_help_is_found() -> None:
    theirs = [("model.encoder.w", (2, 2)), ("model.encoder.b", (2,)), ("model.head.w", (5,))]
    suggested = suggest_map(theirs, [("w", (2, 2)), ("b", (2,))])
    assert suggested is not None
    rule, plan = suggested
    assert rule == "model.encoder="
    assert plan.share == 1.0
    assert suggest_map(theirs, [("v", (2, 2))]) is None
    assert suggest_map([("w", (2,))], [("w", (2,))]) is None


@pytest.mark.parametrize(
    ("rule", "near"),
    [("rnn=lstm", "module.rnn=lstm"), ("Module.RNN=lstm", "module.rnn=lstm"), ("modul=lstm", "module=lstm")],
)
def test_a_rule_that_fits_nothing_names_the_prefix_that_is_near(rule: str, near: str) -> None:
    with pytest.raises(
        CheckpointError, match=rf"no tensor of the checkpoint starts with .*Did you mean --init\.map {near}\?"
    ):
        rename({"module.rnn.weight": 1, "module.norm.weight": 2}, [rule])


def test_what_each_rule_did_is_counted() -> None:
    encoder = [("lstm.weight", (2,)), ("lstm.bias", (2,)), ("norm.weight", (2,))]
    names = ["a.weight", "a.bias", "b.weight", "c"]
    assert rule_effects(names, ["a=lstm"], encoder) == [
        "--init.map a=lstm renames 2 tensors; the encoder has 2 of the new names"
    ]
    (line,) = rule_effects(names, ["a=LSTM"], encoder)
    assert line.startswith("warning: --init.map a=LSTM renames 2 tensors, and the encoder has none of the new names")
    assert line.endswith("did you mean a=lstm?")
    assert rule_effects(names, [], encoder) == []


def test_a_rule_that_is_near_to_nothing_has_no_hint() -> None:
    with pytest.raises(CheckpointError, match="no tensor of the checkpoint starts with 'zq'") as raised:
        rename({"module.rnn.weight": 1}, ["zq=lstm"])
    assert "Did you mean" not in str(raised.value)


def test_the_plan_that_is_suggested_is_of_the_checkpoint_for_the_encoder() -> None:
    suggested = suggest_map([("m.w", (2, 2)), ("m.more", (3,))], [("w", (2, 2)), ("b", (2,))])
    assert suggested is not None
    rule, plan = suggested
    assert (rule, plan.covered, plan.total) == ("m=", 4, 6)
    assert [name for name, _ in plan.unexpected] == ["more"]
    assert [name for name, _ in plan.missing] == ["b"]


def test_what_stands_outside_of_a_prefix_is_not_in_the_plan_for_it() -> None:
    suggested = suggest_map([("m.w", (2, 2)), ("b", (2,))], [("w", (2, 2)), ("b", (2,))])
    assert suggested is not None
    assert (suggested[0], suggested[1].covered) == ("m=", 4)
