"""What every augmentation promises, over all of them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_augment import asl_augments
from asl_core import Batch, ClipRandom, Component, testing

COMPONENTS = {c.name: c for c in asl_augments()}
#: Other options than the defaults, at their ends.
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in COMPONENTS),
    ("speed", {"max": 3.0, "warp": 0.99}),
    ("speed", {"max": 0.3, "warp": 0.5, "probability": 0.5}),
    ("crop", {"min": 1e-6}),
    ("crop", {"min": 0.5, "probability": 0.5}),
    ("mask", {"number": 100, "max_share": 1.0}),
    ("mask", {"number": 1, "max_share": 0.3, "probability": 0.5}),
    ("drop", {"share": 0.9}),
    ("drop", {"share": 0.3, "probability": 0.5}),
    ("noise", {"std": 10.0, "probability": 0.5}),
    ("scale", {"gain": 1.0, "offset": 3.0, "probability": 0.5}),
]
every = pytest.mark.parametrize(("name", "options"), VARIANTS, ids=lambda v: str(v) if v else "defaults")


def made(name: str, **options: Any) -> Any:
    component: Component = COMPONENTS[name]
    return component.load()(component.options(**options))


def batch_of(lengths: list[int], frames: int | None = None, seed: int = 0) -> Batch:
    return testing.random_batch(lengths, seed=seed, dtype=torch.float32, frames=frames)


def drawn(batch: Batch, *parts: int) -> ClipRandom:
    return ClipRandom.of(batch.index, *parts)


@every
def test_contract(name: str, options: dict[str, Any]) -> None:
    testing.check_augment(COMPONENTS[name], **options)


@every
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=9),
    padding=st.integers(0, 17),
    seed=st.integers(0, 1000),
)
@settings(max_examples=12, deadline=None)
def test_a_clip_is_the_same_alone_in_any_batch_and_under_any_padding(
    name: str, options: dict[str, Any], lengths: list[int], padding: int, seed: int
) -> None:
    augment = made(name, **options)
    batch = batch_of(lengths, frames=max(lengths) + padding, seed=seed)
    out = augment(batch, drawn(batch, seed))
    assert out.features.dtype == torch.float32
    assert out.features.isfinite().all()
    assert (out.lengths >= 1).all()
    assert out.features.shape[1] >= int(out.lengths.max())
    assert not out.features[~out.mask].any()
    assert out.ids == batch.ids
    assert torch.equal(out.targets, batch.targets)
    for i, length in enumerate(lengths):
        one = batch.rows(i, i + 1).with_features(batch.features[i : i + 1, :length])
        alone = augment(one, drawn(one, seed))
        assert int(alone.lengths[0]) == int(out.lengths[i])
        after = int(alone.lengths[0])
        assert torch.equal(alone.features[0, :after], out.features[i, :after])


@every
def test_clips_epochs_and_seeds_differ(name: str, options: dict[str, Any]) -> None:
    augment = made(name, **options)
    batch = batch_of([20] * 64)
    # The same frames in every clip: what differs after was drawn.
    batch = batch.with_features(batch.features[:1].expand(64, -1, -1).contiguous())

    def fingerprints(*parts: int) -> list[bytes]:
        out = augment(batch, drawn(batch, *parts))
        return [x[:n].numpy().tobytes() for x, n in zip(out.features, out.lengths.tolist(), strict=True)]

    first, again, other = fingerprints(1, 1), fingerprints(1, 1), fingerprints(1, 2)
    assert first == again
    if options != {"probability": 1.0}:  # mirroring always is the one variant that draws nothing
        assert len(set(first)) > 1
        assert first != other


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_probability(name: str) -> None:
    batch = batch_of([24] * 400)
    before = batch.features

    def untouched(probability: float) -> float:
        out = made(name, probability=probability)(batch, drawn(batch, 7))
        assert out.features.shape[1] >= int(out.lengths.max())
        frames = min(before.shape[1], out.features.shape[1])
        same = (out.lengths == batch.lengths) & (out.features[:, :frames] == before[:, :frames]).flatten(1).all(1)
        return float(same.float().mean())

    assert untouched(0.0) == 1.0
    assert 0.4 < untouched(0.5) < 0.75
    # Some clips may draw a change of nothing: no dropped dimension, no shorter length, spans of no frames.
    assert untouched(1.0) < 0.3


@every
def test_the_batch_that_came_in_is_not_changed(name: str, options: dict[str, Any]) -> None:
    batch = batch_of([9, 14, 3])
    features, lengths = batch.features.clone(), batch.lengths.clone()
    made(name, **options)(batch, drawn(batch, 0))
    assert torch.equal(batch.features, features)
    assert torch.equal(batch.lengths, lengths)


def test_float64_stays_float64() -> None:
    batch = testing.random_batch()
    for name in COMPONENTS:
        assert made(name)(batch, drawn(batch, 0)).features.dtype == torch.float64, name


def test_catalogue_imports_nothing_heavy() -> None:
    code = "import sys, asl_augment; asl_augment.asl_augments(); sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
