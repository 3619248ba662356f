"""Facts: a factory that has a parameter ``facts`` is told what the run knows of its clips; any other is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small import small

from asl_core import Encoder, Facts, Head, HeadOutput, Loss, LossResult, Sample, api, registry_with

TOLD: dict[str, Facts | None] = {}


class Mean(Encoder):
    """An encoder of api 1: it is told of its input alone."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return features * self.gain


class Curious(Mean):
    def __init__(self, input_size: int, facts: Facts | None = None) -> None:
        super().__init__(input_size)
        TOLD["encoder"] = facts


class Scores(Head):
    kind = "logits"

    def __init__(self, input_size: int, classes: int, *, facts: Facts | None = None) -> None:
        super().__init__()
        TOLD["head"] = facts
        self.linear = torch.nn.Linear(input_size, classes)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor | None) -> HeadOutput:
        return HeadOutput(self.linear(frames.mean(1)), None)

    def scores(self, output: HeadOutput) -> torch.Tensor:
        return output.values.log_softmax(-1)


class Plain(Loss):
    accepts = frozenset({"logits"})

    def __init__(self, facts: Facts | None = None) -> None:
        super().__init__()
        TOLD["loss"] = facts

    def forward(self, sample: Sample) -> LossResult:
        return LossResult(torch.nn.functional.cross_entropy(sample.output.values, sample.batch.single))


def values(out: Path, **more: Any) -> dict[str, Any]:
    base = {k: v for k, v in small(out).items() if not k.startswith(("encoder", "head", "loss"))}
    return base | {"encoder": Curious, "head": Scores, "loss": Plain, "train.epochs": 1, "augment": "none"} | more


@pytest.fixture(autouse=True)
def _forget() -> None:
    TOLD.clear()


def test_all_three_slots_are_told_the_same(tmp_path: Path) -> None:
    config = api.configure(values(tmp_path, **{"train.standardise": False}), environ={})
    before = dict(TOLD)
    api.run(config)
    assert before == {}, "nothing is known before the clips are read"
    facts = TOLD["head"]
    assert facts == TOLD["loss"] == TOLD["encoder"]
    assert facts is not None
    assert (facts.standardised, facts.sentences, facts.fps) == (False, False, None)
    assert facts.classes > 1


def test_sizes_before_and_after_the_transforms_of_batches(tmp_path: Path) -> None:
    class Twice:
        batchwise = True

        def output_width(self, width: int) -> int:
            return 2 * width

        def __call__(self, batch: Any) -> Any:
            return batch.with_features(torch.cat([batch.features, batch.features], 2))

    api.run(values(tmp_path, transform=Twice()))
    facts = TOLD["loss"]
    assert facts is not None
    assert (facts.stored_size, facts.feature_size) == (36, 72)


@pytest.mark.slow
def test_a_checkpoint_decides_on_standardising_before_anything_is_told(tmp_path: Path) -> None:
    first = api.run(values(tmp_path, encoder=Mean, **{"train.standardise": False, "run.name": "first"}))
    assert TOLD["head"] is not None
    assert not TOLD["head"].standardised
    again = api.run(values(tmp_path, encoder=Mean, init=str(first.path)))
    assert not TOLD["head"].standardised
    assert not TOLD["loss"].standardised
    TOLD.clear()
    api.load(again.path, registry=registry_with(encoder=Mean, head=Scores, loss=Plain))
    assert TOLD["head"] is not None
    assert not TOLD["head"].standardised, "and again when the run is loaded"
