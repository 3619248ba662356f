from __future__ import annotations

import math

import attrs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asl_augment.options import CropOptions, SpeedOptions
from asl_augment.timing import Crop, Speed, fewest_frames, read_at
from asl_core import Batch, ClipRandom, testing


def counting(lengths: list[int], width: int = 2) -> Batch:
    """Clips whose frame t holds the number t + 1."""
    batch = testing.random_batch(lengths, width, dtype=torch.float32)
    time = torch.arange(1.0, max(lengths) + 1)[None, :, None].expand(len(lengths), -1, width)
    return batch.with_features(time * batch.mask[:, :, None])


def labelled(batch: Batch, glosses: int) -> Batch:
    return attrs.evolve(
        batch,
        targets=torch.zeros(len(batch) * glosses, dtype=torch.int64),
        target_lengths=torch.full((len(batch),), glosses),
    )


def random(batch: Batch, seed: int = 0) -> ClipRandom:
    return ClipRandom.of(batch.index, seed)


def test_read_at_whole_and_fractional_places() -> None:
    features = torch.tensor([[[0.0], [10.0], [40.0], [0.0]]])
    places = torch.tensor([[0.0, 0.25, 1.0, 1.5, 2.0, 9.0, -1.0]])
    out = read_at(features, torch.tensor([3]), places, torch.tensor([7]))
    assert out.flatten().tolist() == [0.0, 2.5, 10.0, 25.0, 40.0, 40.0, 0.0]


def test_read_at_does_not_look_into_padding() -> None:
    features = torch.tensor([[[1.0], [2.0], [math.nan]]])
    out = read_at(features, torch.tensor([2]), torch.tensor([[0.5, 1.0, 1.7, 5.0]]), torch.tensor([3]))
    assert out.flatten().tolist() == [1.5, 2.0, 2.0, 0.0]


@pytest.mark.parametrize("largest", [0.3, 1.0])
def test_speed_factors_are_symmetric_in_faster_and_slower(largest: float) -> None:
    batch = counting([200] * 4000)
    factor = Speed(SpeedOptions(max=largest))(batch, random(batch)).lengths / 200
    logs = factor.log() / math.log1p(largest)
    assert logs.min() < -0.97
    assert logs.max() > 0.97
    assert logs.abs().max() < 1.02
    assert abs(logs.mean()) < 0.04
    assert abs(logs.std() - 1 / math.sqrt(3)) < 0.03  # of a uniform on -1 … 1


def test_speed_keeps_both_ends_and_the_order() -> None:
    batch = counting([30, 12, 50, 2])
    for warp in (0.0, 0.9):
        out = Speed(SpeedOptions(max=0.5, warp=warp))(batch, random(batch, 3))
        for x, n, length in zip(out.features[..., 0], out.lengths.tolist(), [30, 12, 50, 2], strict=True):
            assert x[0] == 1.0
            assert abs(float(x[n - 1]) - (length if n > 1 else 1)) < 1e-4
            assert (x[:n].diff() >= 0).all()


def test_speed_without_warp_is_even() -> None:
    batch = counting([40])
    out = Speed(SpeedOptions(max=1.0))(batch, random(batch, 5))
    steps = out.features[0, :, 0].diff()
    assert out.lengths[0] != 40
    assert torch.allclose(steps, steps[:1].expand_as(steps), atol=1e-4)


def test_warp_changes_speed_within_a_clip_only() -> None:
    batch = counting([40] * 200)
    out = Speed(SpeedOptions(max=0.0, warp=0.8))(batch, random(batch))
    assert torch.equal(out.lengths, batch.lengths)
    steps = out.features[..., 0].diff(dim=1)
    assert steps.min() < 0.4
    assert steps.max() > 1.6
    assert (steps > 0.19).all()
    assert (steps < 1.81).all()


def test_speed_of_nothing_is_the_same_to_the_bit() -> None:
    batch = testing.random_batch([37, 5, 1], dtype=torch.float32)
    out = Speed(SpeedOptions(max=0.0))(batch, random(batch))
    assert torch.equal(out.features, batch.features)


@given(
    minimum=st.floats(0.05, 1), lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8), seed=st.integers(0, 99)
)
def test_crop_keeps_a_run_of_frames(minimum: float, lengths: list[int], seed: int) -> None:
    batch = counting(lengths)
    out = Crop(CropOptions(min=minimum))(batch, random(batch, seed))
    for x, n, length in zip(out.features[..., 0], out.lengths.tolist(), lengths, strict=True):
        assert max(1, math.floor(minimum * length)) <= n <= length
        assert x[0] >= 1
        assert x[n - 1] <= length
        assert (x[:n].diff() == 1).all()


def test_crop_takes_from_both_ends_and_every_share() -> None:
    batch = counting([50] * 2000)
    out = Crop(CropOptions(min=0.5))(batch, random(batch))
    first = out.features[:, 0, 0]
    last = first + out.lengths - 1
    assert set(out.lengths.tolist()) >= set(range(26, 51))
    assert (first == 1).any()
    assert (first > 20).any()
    assert (last == 50).any()
    assert (last < 30).any()
    assert abs(float(first.mean() - 1 - (50 - last).mean())) < 0.7


@pytest.mark.parametrize("augment", [Speed(SpeedOptions(max=3.0)), Crop(CropOptions(min=0.01))])
def test_a_sentence_keeps_the_frames_its_label_needs(augment: Speed | Crop) -> None:
    batch = labelled(counting([12, 5, 40] * 30), 4)
    out = augment(batch, random(batch))
    assert (out.lengths >= fewest_frames(batch)).all()
    assert fewest_frames(batch)[:3].tolist() == [8, 5, 8]
    assert (out.lengths == 8).any()
    assert (out.lengths[2::3] < 40).any()


def test_labels_of_nothing_keep_a_frame() -> None:
    batch = labelled(counting([1, 9]), 0)
    assert fewest_frames(batch).tolist() == [1, 1]
