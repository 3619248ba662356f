"""Metric objects: direction, title and print of every figure that a run may have."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from asl_core.cli.console import print_report
from asl_core.evaluation.metrics import AUTO, LOSS, TOP1, TOP5, WER, headlines, metric_of


@pytest.mark.parametrize(
    ("name", "sign", "text"),
    [
        ("top1", 1, "34.6 %"),
        ("top5-known", 1, "34.6 %"),
        ("second.top1", 1, "34.6 %"),
        ("wer", -1, "34.6 %"),
        ("loss", -1, "0.346"),
        ("ctc", -1, "0.346"),
        ("ctc/blank", -1, "0.346"),
        ("frame-accuracy", 1, "0.346"),
        ("code-error", -1, "0.346"),
        ("blank", 0, "34.6 %"),
        ("main.blank", 0, "34.6 %"),
        ("blank-prob", 0, "0.346"),
    ],
)
def test_direction_and_print(name: str, sign: int, text: str) -> None:
    metric = metric_of(name, {"ctc"})
    assert (metric.name, metric.sign, metric.text(0.3456)) == (name, sign, text)


def test_named_ones_are_found_as_they_are() -> None:
    assert [metric_of(m.name) for m in (TOP1, TOP5, WER, LOSS)] == [TOP1, TOP5, WER, LOSS]
    assert metric_of("head.top1").title == "head.top1"
    assert all(metric.needs and metric.sign for metric in AUTO)
    assert (TOP1.heading, WER.heading, WER.title) == ("top-1", "WER", "word error rate")


def test_headlines_stand_in_one_order() -> None:
    assert headlines({"wer": 0.1, "loss": 2.0, "top1": 0.5}) == [TOP1, WER]
    assert headlines(["second.top1", "blank"]) == []


@pytest.mark.parametrize(
    ("interval", "text"),
    [({"wer_interval": (0.1, 1.04)}, "val: word error rate 40.0 % (95 % interval 10.0 % to 104.0 %), 5 clips\n"),
     ({}, "val: word error rate 40.0 %, 5 clips\n")],
)  # fmt: skip
def test_a_word_error_rate_is_printed_with_its_interval(interval: dict[str, object], text: str) -> None:
    console = Console(file=io.StringIO())
    print_report({"clips": 5, "scored": 5, "metrics": {"wer": 0.4}, **interval}, console, "val")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == text
