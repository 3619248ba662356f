"""The convformer's parts: a convolution that is torch's own, a batch norm without padding, depth that is skipped."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from asl_core import ConfigError, frame_mask
from asl_encoders.convformer import ConvformerEncoder
from asl_encoders.convolution import DepthwiseConvolution
from asl_encoders.normal import FrameBatchNorm
from asl_encoders.options import ConvformerOptions


@pytest.mark.parametrize("kernel", [1, 3, 11])
def test_the_quick_convolution_is_the_plain_one(kernel: int) -> None:
    torch.manual_seed(0)
    quick = DepthwiseConvolution(6, kernel).double()
    frames = torch.randn(3, 9, 6, dtype=torch.float64, requires_grad=True)
    plain = nn.Conv1d.forward(quick, frames.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(quick(frames), plain, rtol=1e-12, atol=1e-12)
    (one,) = torch.autograd.grad(quick(frames).square().sum(), frames)
    (two,) = torch.autograd.grad(plain.square().sum(), frames)
    torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_padding_is_in_no_mean() -> None:
    torch.manual_seed(0)
    norm = FrameBatchNorm(4).double()
    frames = torch.randn(3, 7, 4, dtype=torch.float64)
    real = frame_mask(torch.tensor([7, 2, 4]), 7)
    out = norm(frames.masked_fill(~real[:, :, None], 1e6), real)
    rows = out[real]
    torch.testing.assert_close(rows.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(rows.var(0, correction=0), torch.ones(4, dtype=torch.float64), atol=1e-3, rtol=0)
    assert bool((out[~real] == 0).all())
    torch.testing.assert_close(norm.running_mean, 0.1 * frames[real].mean(0))


def test_a_single_frame_takes_the_running_averages() -> None:
    norm = FrameBatchNorm(4).train()
    assert norm.running_mean is not None
    before = norm.running_mean.clone()
    out = norm(torch.full((1, 3, 4), 2.0), frame_mask(torch.tensor([1]), 3))
    torch.testing.assert_close(out[0, 0], torch.full((4,), 2.0), rtol=1e-4, atol=0)
    assert torch.equal(norm.running_mean, before)


def test_depth_is_skipped_in_training_alone() -> None:
    torch.manual_seed(0)
    options = ConvformerOptions(hidden_size=8, stochastic_depth=0.9, dropout=0.0, output_dropout=0.0)
    encoder = ConvformerEncoder(options, 5)
    frames, lengths = torch.randn(2, 12, 5), torch.tensor([12, 7])
    one, two = encoder(frames, lengths), encoder(frames, lengths)
    assert not torch.equal(one, two)
    encoder.eval()
    assert torch.equal(encoder(frames, lengths), encoder(frames, lengths))


def test_what_cannot_be_built_is_told() -> None:
    with pytest.raises(ConfigError, match="even multiple of heads"):
        ConvformerEncoder(ConvformerOptions(hidden_size=10, heads=4), 5)
    with pytest.raises(ConfigError, match="odd number"):
        ConvformerEncoder(ConvformerOptions(kernel=4), 5)
