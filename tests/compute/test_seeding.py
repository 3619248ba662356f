"""Numbers are functions of (seed, epoch, clip), whatever batch a clip is in."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asl_core import ClipRandom, mix_seed


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=8),
    st.integers(0, 2**63 - 1),
    st.integers(1, 10**6),
    st.data(),
)
def test_a_clip_draws_the_same_alone(index: list[int], seed: int, epoch: int, data: st.DataObject) -> None:
    together = ClipRandom.of(torch.tensor(index), seed, epoch, "x")
    place = data.draw(st.integers(0, len(index) - 1))
    alone = ClipRandom.of(torch.tensor([index[place]]), seed, epoch, "x")
    assert torch.equal(alone.uniform(3, 2)[0], together.uniform(3, 2)[place])
    assert torch.equal(alone.normal(5)[0], together.normal(5)[place])
    assert torch.equal(alone.stream("s").uniform()[0], together.stream("s").uniform()[place])


def test_longer_draws_begin_with_shorter_ones() -> None:
    random = ClipRandom.of(torch.arange(3), 0)
    assert torch.equal(random.uniform(10)[:, :4], random.uniform(4))


def test_every_part_of_the_key_matters() -> None:
    index = torch.arange(4)
    keys: list[tuple[Any, ...]] = [
        (0, 1, "a"),
        (1, 1, "a"),
        (0, 2, "a"),
        (0, 1, "b"),
        (1, 0, "a"),
        ("a", 0, 1),
        (0, 1),
        (0, 1, "a", 0),
    ]
    draws = [ClipRandom.of(index, *parts).uniform(4) for parts in keys]
    draws += [ClipRandom.of(index, 0, 1, "a").stream("a").uniform(4), ClipRandom.of(index + 4, 0, 1, "a").uniform(4)]
    flat = torch.stack(draws).view(len(draws), -1)
    assert len({tuple(row.tolist()) for row in flat}) == len(draws)
    assert len(set(flat.flatten().tolist())) > 0.99 * flat.numel()


def test_published_values() -> None:
    """The first outputs of splitmix64 from state 0, as its reference implementation prints them."""
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert mix_seed(0) == published[0] & (2**63 - 1)
    draws = ClipRandom(torch.zeros(1, dtype=torch.int64)).uniform(3)[0]
    assert draws.tolist() == [(n >> 40) / 2**24 for n in published]


def test_mixed_seeds_are_seeds() -> None:
    assert len({mix_seed(3, 1, "order"), mix_seed(1, 3, "order"), mix_seed(3, 1, "ordre"), mix_seed(3, 1)}) == 4
    assert min(mix_seed(n, "x") for n in range(100)) >= 0


def test_uniform() -> None:
    draws = ClipRandom.of(torch.arange(2000), 7, 1).uniform(100).double()
    assert float(draws.min()) >= 0
    assert float(draws.max()) < 1
    # 200,000 draws: the mean of n uniforms has deviation sqrt(1/12/n), five of which are allowed
    assert abs(float(draws.mean()) - 0.5) < 5 * math.sqrt(1 / 12 / draws.numel())
    assert abs(float(draws.var()) - 1 / 12) < 1e-3
    counts = torch.histc(draws.float(), 50, 0, 1)
    expected = draws.numel() / 50
    assert float(((counts - expected) ** 2 / expected).sum()) < 100, "chi-square of 49 degrees of freedom"
    for one, other in ((draws[:, 0], draws[:, 1]), (draws[:-1, 0], draws[1:, 0])):  # along draws, along clips
        assert abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) < 0.1


def test_normal() -> None:
    draws = ClipRandom.of(torch.arange(2000), 7, 1).normal(100).double()
    assert bool(torch.isfinite(draws).all())
    assert abs(float(draws.mean())) < 5 / math.sqrt(draws.numel())
    assert abs(float(draws.var()) - 1) < 0.02
    assert abs(float((draws**4).mean()) - 3) < 0.15
    assert abs(float((draws.abs() < 1).double().mean()) - 0.6827) < 0.01


def test_streams_are_independent() -> None:
    random = ClipRandom.of(torch.arange(5000), 0, 1)
    draws = torch.stack([random.stream(n).uniform() for n in ("a", "b", "c")] + [random.uniform()])
    correlation = torch.corrcoef(draws.double()) - torch.eye(4)
    assert float(correlation.abs().max()) < 0.06


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("clips", [0, 1, 4])
def test_shapes(shape: tuple[int, ...], clips: int) -> None:
    random = ClipRandom.of(torch.arange(clips), 0)
    assert random.uniform(*shape).shape == (clips, *shape)
    assert random.normal(*shape).shape == (clips, *shape)
    assert random.uniform(*shape).dtype == torch.float32
