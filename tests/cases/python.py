"""In Python: settings, classes and objects given to ``asl.run``, and what comes back."""

from __future__ import annotations

import functools
import logging
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import SMALL, small
from torch import Tensor, nn

import asl_core as asl
from cases.table import asl as typed
from cases.table import case


class Circles:
    """Two signs: a hand that circles one way or the other."""

    def __init__(self, clips: int = 8) -> None:
        self.number = clips

    def splits(self) -> list[str]:
        return ["train", "val"]

    def clips(self, split: str) -> Iterator[asl.Clip]:
        random = np.random.default_rng(len(split))
        for number in range(self.number):
            angle = (-1) ** number * np.linspace(0, 6, 14 + number) + random.uniform(0, 6)
            frames = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            yield asl.Clip(id=f"{split}-{number}", features=frames, glosses=("left" if number % 2 else "right",))

    def findings(self) -> list[asl.Finding]:
        return [asl.Finding("warning", "turned", "half of the hands turn left")]


class Linear(asl.Encoder):
    """Each frame by itself."""

    def __init__(self, input_size: int, size: int = 6):
        super().__init__()
        self.output_size = size
        self.linear = nn.Linear(input_size, size)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        found: Tensor = self.linear(features).relu()
        return found


class MeanHead(asl.Head):
    """The mean over real frames."""

    kind = "my-logits"
    needs_frames = False

    def __init__(self, input_size: int, classes: int):
        super().__init__()
        self.linear = nn.Linear(input_size, classes)

    def forward(self, frames: Tensor, lengths: Tensor | None) -> asl.HeadOutput:
        assert lengths is not None
        mask = asl.frame_mask(lengths, frames.shape[1])[:, :, None]
        return asl.HeadOutput(self.linear((frames * mask).sum(1) / lengths[:, None]), None)

    def scores(self, output: asl.HeadOutput) -> Tensor:
        return output.values.log_softmax(-1)


class Entropy(asl.Loss):
    """Cross-entropy."""

    accepts = frozenset({"my-logits"})

    def forward(self, sample: asl.Sample) -> asl.LossResult:
        return asl.LossResult(nn.functional.cross_entropy(sample.output.values, sample.batch.single))


@functools.cache
def trained() -> asl.RunResult:
    """One run of all that a script may give, for the cases that look at it."""
    out = Path(tempfile.mkdtemp())
    return asl.run(
        {"dataset": Circles(), "encoder": Linear, "head": MeanHead, "loss": Entropy},
        run__out=out, epochs=2, batch_size=4, device="cpu", environ={}, transform=[lambda clip: clip],
    )  # fmt: skip


def registry() -> asl.Registry:
    return asl.registry_with(
        dataset=Circles(), encoder=Linear, head=MeanHead, loss=Entropy, transform=[lambda clip: clip]
    )


def refused(**settings: Any) -> str:
    with pytest.raises(asl.ConfigError) as told:
        asl.run(settings.pop("values", None), environ={}, **settings)
    return " ".join(str(told.value).split())


@case("asl.run with a mapping, nested tables and keyword arguments")
def spelled(place: Path) -> str:
    values = {"dataset": {"name": "demo", "glosses": 3, "train": 3, "val": 1}, "encoder.hidden_size": 8, "epochs": 9}
    result = asl.run(values, environ={}, encoder="gru", encoder__front_size=8, train={"epochs": 1}, out=place)
    config = asl.configure(file=result.path / "config.toml", environ={})
    options: Any = config.encoder.options
    assert (options.hidden_size, options.front_size, config.train.epochs, len(result.history)) == (8, 8, 1, 1)
    return f"{result.path.name}: hidden-size {options.hidden_size}, {config.train.epochs} epoch"


@case("asl.run with a wrong keyword, a file's name, a configuration and settings")
def misspelled(place: Path) -> str:
    epoch = refused(epoch=2)
    assert "did you mean 'train.epochs'?" in epoch
    assert "one setting with two values" in refused(values={"epochs": 2, "train.epochs": 3})
    assert "expected a mapping" in refused(values="config.toml")
    assert "asl.configure" in refused(values=asl.configure(SMALL, environ={}), epochs=3)
    assert not list(place.iterdir())
    return epoch


@case("a class or an object as data set, encoder, head, loss, transform")
def objects(place: Path) -> str:
    result = trained()
    text = (result.path / "config.toml").read_text()
    for name in ("Circles", "Linear", "MeanHead", "Entropy", "transform"):
        assert f'"script:{name}"' in text, text
    assert math.isfinite(result.last["loss"])
    assert "registry=asl.registry_with(encoder=…)" in (result.path / "log.txt").read_text()
    return ", ".join(line for line in text.splitlines() if "script:" in line)


@case("loading, resuming, repeating a run of objects without them")
def objects_again(place: Path) -> str:
    result = trained()
    said = []
    for again in (asl.load, asl.resume, asl.evaluate_run):
        with pytest.raises(asl.ConfigError) as told:
            again(result.path)
        said.append(" ".join(str(told.value).split()))
    assert all("pass registry=asl.registry_with(encoder=Linear)" in s for s in said), said
    for words in (["run", "--resume", str(result.path)], ["eval", str(result.path)]):
        told_there = typed(place, *words)
        assert told_there.code == 2
        assert "the command line needs it in a plugin" in told_there.error
    assert asl.resume(result.path, registry=registry()).last == result.last
    report, _, _ = asl.evaluate_run(result.path, device="cpu", registry=registry())
    assert report["metrics"]["top1"] == result.last["top1"]
    return said[0]


@case("objects that do not keep the contract of their slot")
def broken(place: Path) -> str:
    class NoSize(asl.Encoder):
        def __init__(self, input_size: int):
            super().__init__()

        def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
            return features

    class OneArgument(Linear):
        def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]
            return features

    class NoFindings:
        def splits(self) -> list[str]:
            return ["train"]

        def clips(self, split: str) -> list[asl.Clip]:
            return []

    told = {
        "plain module": refused(dataset=Circles, encoder=nn.Linear(2, 6), out=place),
        "no output_size": refused(dataset=Circles, encoder=NoSize, out=place),
        "other width": refused(dataset=Circles, encoder=Linear(5), out=place),
        "one argument": refused(dataset=Circles, encoder=OneArgument, out=place),
        "no arguments": refused(dataset=Circles, encoder=lambda: None, out=place),
        "no findings": refused(dataset=NoFindings, out=place),
        "a number": refused(encoder=3, out=place),
        "no transform": refused(dataset=Circles, transform=object(), out=place),
        "no observer": refused(dataset=Circles, observer=object(), out=place),
    }
    expected = {
        "plain module": "is a Linear; expected a subclass of asl.Encoder", "no output_size": "output_size None",
        "other width": "failed on two clips", "one argument": "failed on two clips",
        "no arguments": "(input_size) raised",
        "no findings": "has no findings()", "a number": "encoder.name is 3", "no transform": "cannot be called",
        "no observer": "has no on_start(), on_epoch(), on_end()",
    }  # fmt: skip
    for name, part in expected.items():
        assert part in told[name], (name, told[name])
    assert not list(place.iterdir()), "refused before anything is written"
    return told["plain module"]


@case("result.history")
def history(place: Path) -> str:
    found = trained().history
    assert [entry["epoch"] for entry in found] == [1, 2]
    assert found[-1]["val"] == trained().last
    assert "loss" in found[0]["train"]
    return str([round(entry["train"]["loss"], 3) for entry in found])


@case("embeddings and log-probabilities of clips in one call")
def embeddings(place: Path) -> str:
    result = asl.run(small(place, train__epochs=1), environ={})
    loaded = asl.load(result.path)
    clips = [asl.Clip(id=str(n), features=np.random.default_rng(n).normal(size=(5 + n, 36))) for n in range(3)]
    found = loaded.embed(clips)
    classes, size = len(loaded.vocabulary), loaded.model.encoder.output_size
    assert found.ids == ("0", "1", "2")
    assert found.pooled.shape == (3, size)
    assert found.frames is not None
    assert found.log_probabilities is not None
    assert found.frame_log_probabilities is not None
    assert [tuple(f.shape) for f in found.frames] == [(5, size), (6, size), (7, size)]
    assert found.log_probabilities.shape == (3, classes)
    assert [tuple(f.shape) for f in found.frame_log_probabilities] == [(5 + n, 1 + classes) for n in range(3)]
    torch.testing.assert_close(found.frames[2].mean(0), found.pooled[2])
    for logs in (found.log_probabilities, *found.frame_log_probabilities):
        torch.testing.assert_close(logs.exp().sum(-1), torch.ones(len(logs)))
    told = asl.predict_clips(loaded, clips, top=1)
    assert [found.glosses[n] for n in found.log_probabilities.argmax(1)] == [p.top[0][0] for p in told]
    alone = loaded.embed(clips[:1])
    torch.testing.assert_close(alone.pooled, found.pooled[:1])
    nn.Linear(size, 2)(found.pooled).sum().backward()  # they can be trained on
    return f"pooled {tuple(found.pooled.shape)}, log_probabilities {tuple(found.log_probabilities.shape)}"


@case("audit warnings reach the caller, once")
def warned(place: Path) -> str:
    logger = logging.getLogger("asl")
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        asl.run(dataset=Circles, encoder=Linear, epochs=1, out=place / "runs", device="cpu", environ={})
        assert said == ["the data: half of the hands turn left"]
        values = {**SMALL, "run.out": "typed", "train.epochs": 1}
        words = [w for k, v in values.items() for w in (f"--{k}", str(v))]
        shown = typed(place, "run", *words)
        assert (shown.out.count("warning: "), shown.err.count("warning")) == (1, 0), shown
    finally:
        logger.removeHandler(handler)
    return said[0]
