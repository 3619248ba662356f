"""Dropout by bytes: share, scale, gradient, reproducibility, evaluation."""

from __future__ import annotations

import pytest
import torch

from asl_encoders.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_share_and_expectation(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    values = torch.ones(400, 501, dtype=dtype)
    out = Dropout(p).train()(values)
    rounded = round(256 * p) / 256
    assert float((out == 0).double().mean()) == pytest.approx(rounded, abs=0.005)
    assert float(out.double().mean()) == pytest.approx(1, abs=0.03)
    assert out.unique().tolist() == [0.0, pytest.approx(1 / (1 - rounded))]
    assert out.dtype == dtype


def test_neighbours_are_independent() -> None:
    """Eight numbers share a word of random bits, none of them a bit."""
    torch.manual_seed(0)
    kept = (Dropout(0.5).train()(torch.ones(20_000, 8)) > 0).double()
    correlation = torch.corrcoef(kept.T) - torch.eye(8)
    assert float(correlation.abs().max()) < 0.03


def test_gradient_is_that_of_the_kept() -> None:
    torch.manual_seed(0)
    values = torch.randn(7, 5, requires_grad=True)
    out = Dropout(0.5).train()(values)
    out.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad == 0, out == 0)


def test_same_seed_same_mask_and_other_seed_another() -> None:
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return Dropout(0.5).train()(torch.ones(100))

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_evaluation_and_zero_change_nothing() -> None:
    values = torch.randn(3, 4)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0).train()(values), values)
