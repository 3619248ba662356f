"""Residual blocks: how often they are left out, that nothing is lost by it on average, and rotary positions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from asl_encoders.blocks import Attention, Residual, skip_rates
from asl_encoders.convformer import ConvformerEncoder
from asl_encoders.options import ConvformerOptions


class Ones(nn.Module):
    """A branch that says 1."""

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        return torch.ones_like(frames)


@pytest.mark.parametrize(("stages", "convolutions"), [(1, 0), (2, 2), (3, 1)])
def test_the_last_block_is_left_out_as_often_as_the_option_says(stages: int, convolutions: int) -> None:
    options = ConvformerOptions(hidden_size=8, stages=stages, convolutions=convolutions, stochastic_depth=0.9)
    rates: list[Any] = [block.skip for block in ConvformerEncoder(options, 5).blocks]
    assert rates == sorted(rates)
    assert rates[0] == 0.0
    if len(set(rates)) > 1:
        assert rates[-1] == rates[-2] == 0.9, "attention and the layers after it"


def test_rates_of_one_block() -> None:
    assert skip_rates(0.5, 1) == [0.0]
    assert skip_rates(0.5, 3) == [0.0, 0.25, 0.5]


def test_what_is_left_out_is_made_up_for() -> None:
    torch.manual_seed(0)
    frames, real = torch.zeros(20_000, 1, 1), torch.ones(20_000, 1, dtype=torch.bool)
    block = Residual(Ones(), dropout=0.0, skip=0.8)
    out = block(frames, real)
    assert out.unique().tolist() == pytest.approx([0.0, 5.0])
    assert float(out.mean()) == pytest.approx(1.0, abs=0.05)
    block.eval()
    assert torch.equal(block(frames, real), torch.ones_like(frames))


def test_attention_knows_distances_and_not_places() -> None:
    """Frames moved to a later place by padding in front give the same, as rotary positions promise."""
    torch.manual_seed(0)
    attention = Attention(16, heads=2).double().eval()
    frames = torch.randn(1, 9, 16, dtype=torch.float64)
    later = torch.cat([torch.randn(1, 5, 16, dtype=torch.float64), frames], dim=1)
    real = torch.ones(1, 9, dtype=torch.bool)
    out = attention(frames, real)
    moved = attention(later, torch.cat([torch.zeros(1, 5, dtype=torch.bool), real], dim=1))[:, 5:]
    torch.testing.assert_close(moved, out, rtol=1e-5, atol=1e-6)
    turned = attention(frames.flip(1), real).flip(1)
    assert not torch.allclose(turned, out, atol=1e-3), "but the order of frames counts"
