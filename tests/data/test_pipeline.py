"""Transforms of clips run once, those of batches in the model; each is asked about what arrives at it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
import torch
from small import small

from asl_core import Batch, Clip, Component, ConfigError, Finding, api, option
from asl_core.data.pipeline import Noticed, Pipeline
from asl_core.evaluation.prediction import predict_clips
from asl_core.registry.component import Offer, Registry
from asl_core.registry.discovery import discover


@attrs.frozen
class Nothing:
    factor: float = option(2.0, help="of every number")


class Double:
    """Clip by clip: every number twice as large, one number more."""

    def __init__(self, options: Nothing):
        self.options = options

    def unfit(self, width: int) -> str | None:
        return None if width == 36 else f"it knows 36 numbers, not {width}"

    def __call__(self, clip: Clip) -> Clip:
        wider = np.concatenate([self.options.factor * clip.features, clip.features[:, :1]], axis=1)
        return attrs.evolve(clip, features=wider)


class Squares:
    """Batch by batch: the numbers and their squares."""

    batchwise = True

    def __init__(self, options: Nothing):
        self.options = options

    def unfit(self, width: int) -> str | None:
        return None if width == 37 else f"it knows 37 numbers, not {width}"

    def output_width(self, width: int) -> int:
        return 2 * width

    def __call__(self, batch: Batch) -> Batch:
        return batch.with_features(torch.cat([batch.features, batch.features.square()], dim=2))


class Turned:
    """A raw augmentation that shows what arrived at it."""

    raw = True
    seen: ClassVar[set[int]] = set()

    def __init__(self, options: Nothing):
        self.options = options

    def __call__(self, batch: Batch, random: Any) -> Batch:
        self.seen.add(batch.features.shape[2])
        return batch


class Late(Turned):
    raw = False
    seen: ClassVar[set[int]] = set()


@pytest.fixture
def registry() -> Registry:
    def offer(slot: str, name: str) -> Offer:
        made = Component(name=name, factory=f"test_pipeline:{name.title()}", options=Nothing, summary="of this test")
        return Offer(slot, made, "tests", "fitting")

    extra = [offer("transform", "double"), offer("transform", "squares"), offer("augment", "turned")]
    return Registry([*discover().registry, *extra, offer("augment", "late")])


@pytest.fixture
def run(registry: Registry, tmp_path: Path) -> Callable[..., api.RunResult]:
    def made(**more: Any) -> api.RunResult:
        config = api.configure(small(tmp_path, **more), registry=registry, project_file=False, environ={})
        return api.run(config, registry=registry)

    return made


@pytest.mark.slow
def test_a_model_of_transformed_frames_trains_resumes_its_names_and_takes_raw_clips(
    run: Callable[..., api.RunResult], registry: Registry
) -> None:
    found = run(transform="double,squares", augment="turned,late")
    assert Turned.seen == {37}, "raw augmentations see what is stored"
    assert Late.seen == {74}, "others what the encoder sees"
    loaded = api.load(found.path, registry=registry)
    assert loaded.width == 37
    assert loaded.model.standardiser.mean.shape == (74,)
    dataset = loaded.config.dataset.build()
    clips = list(dataset.clips("val"))
    said = {p.id: p.top for p in predict_clips(loaded, clips)}
    rows = (found.path / "predictions-val.csv").read_text().splitlines()[1:]
    assert len(rows) == len(said)
    for row in rows:
        name, _, _, first = row.split(",")[:4]
        assert said[name][0][0] == first, "prediction on raw clips agrees with evaluation"


@pytest.mark.slow
def test_the_standardiser_is_fitted_on_what_the_encoder_sees(
    run: Callable[..., api.RunResult], registry: Registry
) -> None:
    found = run(transform="double,squares", augment="none")
    standardiser = api.load(found.path, registry=registry).model.standardiser
    frames = np.concatenate(
        [c.features for c in api.load(found.path, registry=registry).config.dataset.build().clips("train")]
    )
    np.testing.assert_allclose(standardiser.mean[37 + 5], np.square(2 * frames[:, 5]).mean(), rtol=1e-4)


def test_every_fault_of_the_chain_is_told(run: Callable[..., api.RunResult], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"transform squares does not fit: it knows 37 numbers, not 36"):
        run(transform="squares")
    with pytest.raises(ConfigError, match=r"put double before squares"):
        run(transform="squares,double")
    assert not any(tmp_path.iterdir())


def test_of_a_chain_that_does_not_fit_the_first_is_told(run: Callable[..., api.RunResult], tmp_path: Path) -> None:
    """What the others would say comes of the first one's not being applied."""
    with pytest.raises(ConfigError) as told:
        run(transform="landmarks,trim,fill-gaps,hand-features")
    assert len(told.value.problems) == 1
    assert "transform landmarks does not fit: it reads raw landmarks" in told.value.problems[0]
    assert "these frames have 36 (recipe numbers36 is for those); leave it out of --transform" in told.value.problems[0]


def test_a_recipe_for_other_clips_is_one_fault(tmp_path: Path) -> None:
    values = {"dataset": "demo", "run.out": str(tmp_path), "run.device": "cpu"}
    config = api.configure(values, recipe="hands", project_file=False, environ={})
    with pytest.raises(ConfigError) as told:
        api.run(config)
    (problem,) = told.value.problems
    assert "hands.toml line" in problem
    assert "these frames have 36 (recipe numbers36 is for those)" in problem
    assert problem.endswith("; name clips that it can take, or choose another --transform")


class Watchful:
    """Says of clips what their numbers do not: the last number of a frame is 1 where it was not seen."""

    def __init__(self, options: Nothing):
        pass

    def __call__(self, clip: Clip) -> Clip:
        return clip

    def unseen(self, clip: Clip) -> np.ndarray | None:
        return None if clip.features.shape[1] == 9 else clip.features[:, -1]

    def findings(self, clip: Clip) -> list[Finding]:
        return [Finding("warning", "large", "numbers beyond 5")] if (clip.features > 5).any() else []


def test_transforms_tell_what_was_not_seen_and_what_is_odd() -> None:
    pipeline = Pipeline([Watchful(Nothing()), Double(Nothing())], [])
    clip = Clip(id="x", features=np.array([[0.0, 0, 1], [1, 0, 0], [0, 9, 0.5]]))
    np.testing.assert_array_equal(pipeline.unseen(clip), [1, 0, 0.5])
    wide = Clip(id="wide", features=np.array([[0.0] * 9, [-1.0] * 9, [1.0] * 6 + [0.0] * 3]))
    np.testing.assert_allclose(pipeline.unseen(wide), [1, 1, 1 / 3], err_msg="where none knows, zeros")
    noticed = Noticed()
    for name, scale in (("a", 1), ("b", 0.1), ("c", 2)):
        pipeline.clip(attrs.evolve(clip, id=name, features=scale * clip.features), noticed)
    clips = [attrs.evolve(clip, id=name) for name in "abcd"]
    (found,) = noticed.findings("val", clips)
    assert (found.level, found.code) == ("warning", "large")
    assert found.message == "2 of 4 clips of val (a, c): numbers beyond 5"
    assert found.data == {"split": "val", "ids": ["a", "c"]}
    assert noticed.findings("train", clips[1:2]) == []


def test_described_clips_have_the_frames_of_the_store(registry: Registry, tmp_path: Path) -> None:
    config = api.configure(
        small(tmp_path, transform="double,squares"), registry=registry, project_file=False, environ={}
    )
    from asl_core.data.splits import load_data
    from asl_core.model.recogniser import build_model

    data = load_data(config)
    model = build_model(data.config, data.train.width, len(data.vocabulary))
    described = model.standardiser.described(data.train)
    expected = torch.cat([data.train.features, data.train.features.square()], dim=1)
    assert torch.equal(described.features, expected)
    assert Pipeline.of(data.config).width(37) == 74
