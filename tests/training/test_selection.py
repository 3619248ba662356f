"""Which way a metric is better, and whose figures choose."""

from __future__ import annotations

import math

import pytest

from asl_core.errors import ConfigError
from asl_core.training.selection import check_selection, deciding, selection_value

LOSSES = {"ctc", "sign.ctc"}
BETTER_WHEN_LARGER = ["top1", "top5", "top1-known", "top5-known", "second.top1", "accuracy", "main.retrieval",
                      "frame-accuracy"]  # fmt: skip
BETTER_WHEN_SMALLER = ["loss", "wer", "main.wer", "error", "code-error", "ctc", "ctc/mmi", "sign.ctc", "sign.ctc/blank"]


@pytest.mark.parametrize("name", BETTER_WHEN_LARGER)
def test_the_larger_is_better(name: str) -> None:
    assert selection_value(name, {name: 0.75}, LOSSES) == 0.75
    assert selection_value(name, {name: 0.25}, LOSSES) < selection_value(name, {name: 0.75}, LOSSES)


@pytest.mark.parametrize("name", BETTER_WHEN_SMALLER)
def test_the_smaller_is_better(name: str) -> None:
    assert selection_value(name, {name: 0.75}, LOSSES) == -0.75
    assert selection_value(name, {name: 0.25}, LOSSES) > selection_value(name, {name: 0.75}, LOSSES)


@pytest.mark.parametrize("name", [*BETTER_WHEN_LARGER, *BETTER_WHEN_SMALLER])
def test_nan_is_worst(name: str) -> None:
    assert selection_value(name, {name: math.nan}, LOSSES) == -math.inf


@pytest.mark.parametrize(
    ("figures", "chosen"),
    [
        ({"loss": 2.0, "top1": 0.5, "top5": 0.75, "blank": 0.1}, 0.5),
        ({"loss": 2.0, "wer": 0.75, "blank": 0.1}, -0.75),
        ({"loss": 2.0, "wer": 0.75, "top1": 0.5, "top5": 1.0}, -0.75),
        ({"loss": 2.0, "retrieval": 0.5}, -2.0),
    ],
)
def test_auto(figures: dict[str, float], chosen: float) -> None:
    assert selection_value("auto", figures, LOSSES) == chosen


def test_whose_figures_choose() -> None:
    trained = {"loss": 1.0, "ctc": 1.0}
    assert deciding({}, trained) is trained, "no val"
    assert deciding({"blank": 0.5, "blank-prob": 0.5}, trained) is trained, "no clip of val has a gloss"
    for measured in ("top1", "wer", "loss"):
        validated = {"blank": 0.5, measured: 0.5}
        assert deciding(validated, trained) is validated


def test_a_metric_that_cannot_choose_is_refused_with_those_that_can() -> None:
    measured = {"loss": 1.0, "top1": 0.5, "blank": 0.5, "ctc/mmi": 1.0}
    check_selection("auto", {}, LOSSES)
    check_selection("top1", measured, LOSSES)
    check_selection("ctc/mmi", measured, LOSSES)
    with pytest.raises(
        ConfigError,
        match=r"'wer', which is not measured by this run \(it needs a head that reads sentences\); choose among "
        r"ctc/mmi, loss, top1",
    ):
        check_selection("wer", measured, LOSSES)
    with pytest.raises(ConfigError, match="'blank', which has no better way"):
        check_selection("blank", measured, LOSSES)
