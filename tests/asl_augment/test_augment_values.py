from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from asl_augment.hiding import Drop, Mask
from asl_augment.options import DropOptions, MaskOptions, NoiseOptions, ScaleOptions
from asl_augment.values import Noise, Scale
from asl_core import Batch, ClipRandom, testing


def ones(lengths: list[int], width: int = 6) -> Batch:
    batch = testing.random_batch(lengths, width, dtype=torch.float32)
    return batch.with_features(torch.ones_like(batch.features) * batch.mask[:, :, None])


def random(batch: Batch, seed: int = 0) -> ClipRandom:
    return ClipRandom.of(batch.index, seed)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    number=st.integers(1, 20),
    share=st.floats(0.01, 1),
    seed=st.integers(0, 99),
)
def test_mask_hides_whole_frames_and_never_all(lengths: list[int], number: int, share: float, seed: int) -> None:
    batch = ones(lengths)
    out = Mask(MaskOptions(number=number, max_share=share))(batch, random(batch, seed)).features
    assert ((out == 0).all(2) | (out == 1).all(2)).all()
    left = out[:, :, 0].sum(1)
    assert (left >= 1).all()
    assert (left >= batch.lengths - number * (batch.lengths * share + 1).floor()).all()


def test_mask_spans() -> None:
    batch = ones([20] * 3000)
    hidden = Mask(MaskOptions(number=1, max_share=0.25))(batch, random(batch)).features[:, :, 0] == 0
    widths = hidden.sum(1)
    assert sorted(set(widths.tolist())) == [0, 1, 2, 3, 4, 5]
    assert torch.bincount(widths).min() > 400  # each of the six is as likely
    starts = hidden[:, 1:] & ~hidden[:, :-1]
    assert (starts.sum(1) + hidden[:, 0] <= 1).all()
    assert hidden.any(0).all()


def test_drop_hides_dimensions_for_the_whole_clip() -> None:
    batch = ones([12, 7] * 500, width=10)
    out = Drop(DropOptions(share=0.3))(batch, random(batch))
    kept = out.features.sum(1) / batch.lengths[:, None]
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert abs(1 - kept.mean() - 0.3) < 0.02


def test_noise() -> None:
    batch = ones([30] * 300)
    change = Noise(NoiseOptions(std=0.2))(batch, random(batch)).features - 1
    assert abs(change.std() - 0.2) < 0.002
    assert abs(change.mean()) < 0.003
    rows = torch.corrcoef(change.flatten(1)[:40])
    assert (rows - torch.eye(40)).abs().max() < 0.35


def test_scale_is_one_gain_and_offset_a_dimension() -> None:
    batch = testing.random_batch([20, 9], 5, dtype=torch.float32)
    out = Scale(ScaleOptions(gain=0.3, offset=0.5))(batch, random(batch))
    for x, y, n in zip(batch.features, out.features, batch.lengths.tolist(), strict=True):
        for d in range(5):
            line = torch.stack([x[:n, d], torch.ones(n)], 1)
            fit = torch.linalg.lstsq(line, y[:n, d, None]).solution
            assert torch.allclose(line @ fit, y[:n, d, None], atol=1e-4)
    many = ones([2] * 4000, width=1)
    assert abs(Scale(ScaleOptions(gain=0.3, offset=0.0))(many, random(many)).features[:, 0].std() - 0.3) < 0.02
    assert abs(Scale(ScaleOptions(gain=0.0, offset=0.5))(many, random(many)).features[:, 0].std() - 0.5) < 0.03
