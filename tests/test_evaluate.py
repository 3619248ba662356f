"""Ranks, shares, intervals and reports, against plain counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from toy_components import ClassLoss, LinearEncoder, MeanHead, SmallOptions, make_clips

from asl_core import ClipStore, HeadOutput, Vocabulary
from asl_core.data import UNKNOWN
from asl_core.evaluate import Predictions, bootstrap_interval, metrics, predict, ranks, report
from asl_core.model import Recognizer, Standardiser
from asl_core.objectives import Objective

ABC = Vocabulary(("a", "b", "c"))


def predictions(scores: Any, **more: Any) -> Predictions:
    return Predictions(torch.tensor(scores, dtype=torch.float32), more.get("decoded"), more.get("figures", {}))


def store(glosses: list[Any], vocabulary: Vocabulary = ABC) -> ClipStore:
    return ClipStore(make_clips([2] * len(glosses), glosses), vocabulary)


def test_ranks() -> None:
    nan, inf = math.nan, math.inf
    rows = [
        ([3.0, 2, 1], 0, 0),
        ([3.0, 2, 1], 2, 2),
        ([2.0, 2, 1], 0, 1),  # a tie counts against
        ([2.0, 2, 2], 1, 2),  # as a model that says the same of everything is never right
        ([3.0, 2, 1], UNKNOWN, 3),
        ([nan, 2, 1], 0, 3),
        ([nan, 2, 1], 1, 0),
        ([-inf, -inf, 0], 0, 2),
    ]
    scores, targets = torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])
    assert ranks(scores, targets).tolist() == [r[2] for r in rows]


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=6), st.data())
def test_ranks_by_counting(rows: list[list[int]], data: st.DataObject) -> None:
    targets = [data.draw(st.integers(0, 3)) for _ in rows]
    expected = [sum(s >= row[t] for s in row) - 1 for row, t in zip(rows, targets, strict=True)]
    assert ranks(torch.tensor(rows, dtype=torch.float32), torch.tensor(targets)).tolist() == expected


def test_unknown_glosses_are_wrong_and_the_figure_without_them_stands_beside() -> None:
    vocabulary = Vocabulary(tuple("abcdefg"))
    scores = torch.zeros(4, 7)
    scores[0, 0] = scores[1, 0] = scores[3, 0] = 5.0
    scores[1] += torch.arange(7)
    found = metrics(Predictions(scores, None, {}), store(["a", "b", "zzz", "a"], vocabulary))
    assert found["top1"] == 0.5
    assert found["top1-known"] == pytest.approx(2 / 3)
    assert found["top5"] == 0.5
    assert found["top5-known"] == pytest.approx(2 / 3)
    assert "top1-known" not in metrics(Predictions(scores, None, {}), store(["a", "b", "c", "a"], vocabulary))


def test_top5_of_fewer_than_five_glosses() -> None:
    """Every ranked gloss is among the first five, but an unknown one, or one scored NaN, is not."""
    made = predictions([[1.0, 2, 3], [1, 2, 3], [math.nan, 2, 3]])
    assert metrics(made, store(["a", "zzz", "a"]))["top5"] == pytest.approx(1 / 3)
    assert [r["top5"] for r in report(made, store(["a", "zzz", "b"]))["per_class"]] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(("n", "right"), [(165, 100), (20, 1), (7, 7), (5, 0)])
def test_interval_against_a_bootstrap_over_clips(n: int, right: int) -> None:
    correct = torch.arange(n) < right
    rng = np.random.default_rng(1)
    brute = correct.numpy()[rng.integers(0, n, (20_000, n))].mean(1)
    low, high = bootstrap_interval(correct)
    assert (low, high) == pytest.approx(tuple(np.quantile(brute, [0.025, 0.975])), abs=1.01 / n)
    assert low <= right / n <= high
    assert bootstrap_interval(correct) == (low, high)
    narrower = bootstrap_interval(correct, share=0.5)
    assert low <= narrower[0] <= narrower[1] <= high


def test_the_interval_of_nothing() -> None:
    assert bootstrap_interval(torch.zeros(0, dtype=torch.bool)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("decoded", "wer"),
    [
        ([[0, 1, 2], [1]], 0.0),
        ([[0, 2, 2], [1]], 0.25),  # substituted
        ([[0, 2], [1]], 0.25),  # deleted
        ([[0, 1, 2, 2], [1]], 0.25),  # inserted
        ([[], []], 1.0),
        ([[2, 1, 0, 0, 0], [1, 1]], 1.25),
    ],
)
def test_word_error_rate(decoded: list[list[int]], wer: float) -> None:
    sentences = store([("a", "b", "c"), ("b",)])
    found = metrics(predictions([[0.0, 0, 0]] * 2, decoded=decoded), sentences)
    assert found == {"wer": wer}


def test_a_gloss_that_train_lacks_is_an_error_in_a_sentence() -> None:
    found = metrics(predictions([[0.0, 0, 0]], decoded=[[0, 1]]), store([("a", "zzz")]))
    assert found == {"wer": 0.5}


def test_report() -> None:
    vocabulary = Vocabulary(("a", "b", "c", "d"))
    scores = [
        [9.0, 0, 0, 0],  # a, right
        [9.0, 1, 0, 0],  # a, right
        [9.0, 5, 0, 0],  # b said a
        [9.0, 5, 0, 0],  # b said a
        [0.0, 9, 8, 0],  # c said b
        [0.0, 8, 9, 0],  # c, right
    ]
    made = report(predictions(scores, figures={"loss": 0.5}), store(["a", "a", "b", "b", "c", "c"], vocabulary))
    assert made["metrics"] == {"loss": 0.5, "top1": 0.5, "top5": 1.0}
    assert (made["clips"], made["chance"]) == (6, 0.25)
    assert made["interval"][0] < 0.5 < made["interval"][1]
    assert made["class_top1"] == {"mean": 0.5, "glosses": 3, "without_clips": 1}
    assert [r["gloss"] for r in made["hardest"]] == ["b", "c", "a"]
    assert [r["gloss"] for r in made["easiest"]] == ["a", "c"]  # none of b was right
    assert made["confusions"] == [
        {"was": "b", "said": "a", "clips": 2},
        {"was": "c", "said": "b", "clips": 1},
    ]
    assert made["per_class"][1] == {"gloss": "b", "clips": 2, "top1": 0.0, "top5": 1.0, "mean_rank": 2.0}
    assert len(report(predictions(scores), store(["a", "a", "b", "b", "c", "c"], vocabulary), most=1)["hardest"]) == 1


def test_no_gloss_is_confused_with_itself() -> None:
    """In a tie the true gloss counts as wrong, and may be the first of the equals."""
    made = report(predictions([[1.0, 1, 0], [0, 0, 0], [0, 1, 0]]), store(["a", "a", "zzz"]))
    assert made["confusions"] == [
        {"was": "a", "said": "b", "clips": 2},
        {"was": "zzz", "said": "b", "clips": 1},
    ]


def test_sentences_have_no_per_class_report() -> None:
    made = report(predictions([[0.0, 0, 0]], decoded=[[0]]), store([("a", "b")]))
    assert made == {"clips": 1, "metrics": {"wer": 0.5}}


class Reader(MeanHead):
    """Also reads a sentence of one gloss, and has a figure."""

    def decode(self, output: HeadOutput) -> list[list[int]]:
        return [[int(n)] for n in output.values.argmax(1)]

    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        return {"top": output.values.max(1).values}


def recognizer(head: type[MeanHead] = Reader, heads: tuple[str, ...] = ("main",)) -> Recognizer:
    torch.manual_seed(0)
    model = Recognizer(Standardiser(3), LinearEncoder(SmallOptions(), 3), {n: head(None, 8, 3) for n in heads})
    model.standardiser.mean.copy_(torch.tensor([0.3, -0.2, 0.1]))
    return model


MIXED = ["a", "b", "zzz", "c", "a", "b", "zzz", "a", "c"]


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_predict_does_not_depend_on_the_batch_size(size: int) -> None:
    clips = ClipStore(make_clips([4, 9, 2, 7, 5, 3, 8, 1, 6], MIXED), ABC)
    model = recognizer().double()
    clips.features = clips.features.double()
    loss = [Objective("class", "main", ClassLoss(), 2.0)]
    found = predict(model, clips, size, loss)
    assert found.scores is not None
    for place in range(len(clips)):  # each clip by itself, through nothing but the modules
        frames = model.encoder.layer(clips.clip(place) - model.standardiser.mean).mean(0)
        expected = model.heads["main"].layer(frames).log_softmax(0)
        torch.testing.assert_close(found.scores[place], expected.float().detach())
        assert found.decoded is not None
        assert found.decoded[place] == [int(expected.argmax())]
    known = [i for i, g in enumerate(MIXED) if g != "zzz"]
    targets = torch.tensor([clips.targets[i][0] for i in known])
    cross = float(torch.nn.functional.nll_loss(found.scores[known], targets))
    assert found.figures["class"] == pytest.approx(cross, rel=1e-6)
    assert found.figures["loss"] == pytest.approx(2 * cross, rel=1e-6)
    assert set(found.figures) == {"class", "loss", "top"}


def test_predict_leaves_the_model_as_it_was() -> None:
    clips = ClipStore(make_clips([4, 2], ["a", "b"]), ABC)
    model = recognizer().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    predict(model, clips, 2, [Objective("class", "main", ClassLoss(), 1.0)])
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.encoder.calls == 1, "the loss is computed on the frames that the scores are of"


def test_heads_that_do_not_read_and_figures_of_several() -> None:
    clips = ClipStore(make_clips([4, 2], ["a", "b"]), ABC)
    assert predict(recognizer(MeanHead), clips, 2).decoded is None
    assert set(predict(recognizer(Reader, ("one", "two")), clips, 2).figures) == {"one.top", "two.top"}
