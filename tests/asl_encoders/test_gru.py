"""The GRU written out for CPUs against torch's own, and the options of the encoder."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_core import testing
from asl_encoders.gru import GruEncoder
from asl_encoders.options import GruOptions


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(1, 3),
)
def test_equals_the_packed_gru(lengths: list[int], layers: int, hidden: int, downsample: int) -> None:
    """Outputs and every gradient, for any lengths, layers and widths."""
    torch.manual_seed(0)
    options = GruOptions(hidden_size=hidden, layers=layers, dropout=0.0, downsample=downsample, front_size=0)
    encoder = GruEncoder(options, 7).double()
    batch = testing.random_batch(tuple(lengths), width=7)
    results = []
    for run in (encoder._written_out, encoder._packed):
        encoder.zero_grad()
        features = batch.features.clone().requires_grad_()
        frames = run(*encoder.downsample(features, batch.lengths))
        (frames * torch.linspace(-1, 1, frames.numel()).view_as(frames)).sum().backward()
        results.append([frames.detach(), features.grad, *(p.grad for p in encoder.parameters())])
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-9, atol=1e-12)


def test_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    encoder = GruEncoder(GruOptions(hidden_size=3, layers=2, dropout=0.0, front_size=3, front_dropout=0.0), 4).double()
    lengths = torch.tensor([5, 2])
    features = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: encoder(x, lengths), (features,))


@pytest.mark.parametrize("bidirectional", [True, False])
def test_output_size(bidirectional: bool) -> None:
    encoder = GruEncoder(GruOptions(hidden_size=5, bidirectional=bidirectional), 36)
    batch = testing.random_batch(dtype=torch.float32)
    assert encoder(batch.features, batch.lengths).shape[2] == encoder.output_size == (10 if bidirectional else 5)


def test_one_direction_sees_no_later_frame() -> None:
    encoder = GruEncoder(GruOptions(hidden_size=5, bidirectional=False, dropout=0.0, front_size=0), 36).double().eval()
    batch = testing.random_batch((9,))
    changed = batch.features.clone()
    changed[:, 5:] += 1
    with torch.no_grad():
        a, b = (encoder(x, batch.lengths) for x in (batch.features, changed))
    torch.testing.assert_close(a[:, :5], b[:, :5], rtol=0, atol=0)
    assert not torch.allclose(a[:, 5:], b[:, 5:])


def test_autocast_runs() -> None:
    encoder = GruEncoder(GruOptions(hidden_size=5), 36)
    batch = testing.random_batch(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(encoder(batch.features, batch.lengths).float()).all()
