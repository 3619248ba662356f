"""Every clip once an epoch, like lengths together, in an order that is a pure function."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from asl_core.clips.batching import epoch_batches

POOLED = [[0, 2], [6], [9, 10], [8, 4], [3, 1], [5, 7]]
PLAIN = [[2, 0], [7], [10, 3], [8, 5], [1, 9], [6, 4]]


@given(
    st.lists(st.integers(1, 80), min_size=1, max_size=200),
    st.integers(1, 20),
    st.integers(0, 2**63 - 1),
    st.integers(1, 10**6),
    st.integers(1, 8),
)
def test_every_clip_exactly_once(lengths: list[int], size: int, seed: int, epoch: int, pool: int) -> None:
    sizes = torch.tensor(lengths)
    batches = epoch_batches(sizes, size, seed, epoch, pool)
    assert sorted(torch.cat(batches).tolist()) == list(range(len(lengths)))
    assert sum(len(b) != size for b in batches) <= 1
    assert max(map(len, batches)) <= size
    torch.manual_seed(seed % 7)  # the global generator has no say
    again = epoch_batches(sizes, size, seed, epoch, pool)
    assert all(torch.equal(a, b) for a, b in zip(batches, again, strict=True))


def order(lengths: Tensor, seed: int, epoch: int) -> list[int]:
    return torch.cat(epoch_batches(lengths, 16, seed, epoch)).tolist()


def test_epochs_and_seeds_differ() -> None:
    lengths = torch.randint(4, 77, (200,), generator=torch.Generator().manual_seed(0))
    orders = {tuple(order(lengths, seed, epoch)) for seed in range(4) for epoch in range(1, 6)}
    assert len(orders) == 20
    assert order(lengths, 1, 2) != order(lengths, 2, 1)


@pytest.mark.parametrize("pool", [1, 4, 32])
def test_clips_mix(pool: int) -> None:
    """Sorting by length must not freeze the batches: neighbours of a clip change from epoch to epoch."""
    lengths = torch.randint(4, 77, (640,), generator=torch.Generator().manual_seed(0))

    def neighbours(epoch: int) -> set[int]:
        return set(next(b for b in epoch_batches(lengths, 16, 0, epoch, pool) if 0 in b.tolist()).tolist()) - {0}

    met = [neighbours(epoch) for epoch in range(1, 21)]
    assert len(set.union(*met)) > 30
    first = [epoch_batches(lengths, 16, 0, epoch, pool)[0].tolist() for epoch in range(1, 21)]
    mean = [float(lengths[b].double().mean()) for b in first]
    assert max(mean) - min(mean) > 5, "the first batch is not always the shortest clips"


def padding(lengths: Tensor, batches: list[Tensor]) -> float:
    frames = sum(len(b) * int(lengths[b].max()) for b in batches)
    return 1 - int(lengths.sum()) / frames


def test_like_lengths_stand_together() -> None:
    lengths = (torch.randn(800, generator=torch.Generator().manual_seed(0)).mul(0.45).exp() * 24).long().clamp(4, 76)
    pooled = padding(lengths, epoch_batches(lengths, 16, 0, 1))
    plain = padding(lengths, epoch_batches(lengths, 16, 0, 1, pool=1))
    assert plain > 0.4
    assert pooled < 0.1


def test_the_order_is_kept_from_version_to_version() -> None:
    """A run that another version began goes on with the batches that are left of its epoch."""
    lengths = torch.tensor([5, 3, 9, 1, 7, 2, 8, 4, 6, 3, 3])
    assert [b.tolist() for b in epoch_batches(lengths, 2, seed=3, epoch=2, pool=3)] == POOLED
    assert [b.tolist() for b in epoch_batches(lengths, 2, seed=3, epoch=2, pool=1)] == PLAIN
    assert [b.tolist() for b in epoch_batches(lengths, 2, seed=3, epoch=2, pool=0)] == PLAIN


def test_a_pool_is_32_batches_unless_another_is_asked_for() -> None:
    lengths = torch.randperm(99, generator=torch.Generator().manual_seed(0)) + 1
    assert all(map(torch.equal, epoch_batches(lengths, 1, 0, 1), epoch_batches(lengths, 1, 0, 1, pool=32)))
    assert not all(map(torch.equal, epoch_batches(lengths, 1, 0, 1), epoch_batches(lengths, 1, 0, 1, pool=33)))
