"""What decays, how the learning rate moves, and how weights are averaged."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import nn

from asl_core.config.tables import TrainOptions
from asl_core.training.optimiser import averaged, learning_rate, make_optimizer, set_learning_rate

CPU = torch.device("cpu")


def test_only_matrices_decay() -> None:
    model = nn.ModuleDict(
        {"gru": nn.GRU(3, 4), "norm": nn.LayerNorm(4), "conv": nn.Conv1d(2, 2, 3), "out": nn.Linear(4, 2)}
    )
    loss = nn.Linear(2, 2, bias=False)
    frozen = model["out"].bias.requires_grad_(False)
    optimizer = make_optimizer([model, loss], TrainOptions(weight_decay=0.3, learning_rate=0.01), CPU)
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    named = dict(model.named_parameters()) | {"loss": loss.weight}
    assert {n for n, p in named.items() if decay.get(id(p)) == 0.3} == {
        "gru.weight_ih_l0", "gru.weight_hh_l0", "conv.weight", "out.weight", "loss",
    }  # fmt: skip
    assert {n for n, p in named.items() if decay.get(id(p)) == 0.0} == {
        "gru.bias_ih_l0", "gru.bias_hh_l0", "norm.weight", "norm.bias", "conv.bias",
    }  # fmt: skip
    assert id(frozen) not in decay
    assert {g["lr"] for g in optimizer.param_groups} == {0.01}


def test_one_step_of_decay_alone() -> None:
    """Decoupled decay: with a gradient of zero a matrix shrinks by lr * decay, a bias stays."""
    model = nn.Linear(2, 2)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = make_optimizer([model], TrainOptions(weight_decay=0.5, learning_rate=0.1), CPU)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), before[0] * (1 - 0.1 * 0.5))
    assert torch.equal(model.bias, before[1])


def test_a_module_of_one_kind_makes_one_group() -> None:
    assert len(make_optimizer([nn.LayerNorm(2)], TrainOptions(), CPU).param_groups) == 1


def test_cosine() -> None:
    options = TrainOptions(learning_rate=0.2, warmup=0.1)
    rates = [learning_rate(options, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.02 * (n + 1) for n in range(10)])
    assert rates[10] == pytest.approx(0.2)
    assert rates[55] == pytest.approx(0.1), "half way down the cosine"
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert 0 < rates[-1] < 0.2 * 1e-3
    assert rates[40] == pytest.approx(0.1 * (1 + math.cos(math.pi * 30 / 90)))


def test_constant() -> None:
    options = TrainOptions(learning_rate=0.2, warmup=0.25, schedule="constant")
    assert [learning_rate(options, step, 8) for step in range(8)] == pytest.approx([0.1, *[0.2] * 7])
    assert learning_rate(TrainOptions(learning_rate=0.2, warmup=0.0), 0, 8) == 0.2


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.99])
def test_short_runs_move_at_all(schedule: str, steps: int, warmup: float) -> None:
    options = TrainOptions(learning_rate=0.2, warmup=warmup, schedule=schedule)
    rates = [learning_rate(options, step, steps) for step in range(steps)]
    assert all(0 < rate <= 0.2 * (1 + 1e-12) for rate in rates)
    assert max(rates) == pytest.approx(0.2)


@pytest.mark.parametrize("decay", [0.3, 0.99])
def test_averaging(decay: float) -> None:
    model = nn.Linear(1, 1, dtype=torch.float64)
    average = averaged(model, decay)
    expected = None
    for n in range(60):
        with torch.no_grad():
            model.weight.fill_(math.sin(n))
            model.bias.fill_(n)
        average.update_parameters(model)
        if expected is None:
            expected = math.sin(n)  # the first update takes the weights as they are
        else:
            kept = min(decay, (1 + n) / (10 + n))
            expected = kept * expected + (1 - kept) * math.sin(n)
        mean: Any = average.module
        assert mean.weight.item() == pytest.approx(expected, rel=1e-12)
    assert model.weight.item() == math.sin(59), "the model itself is left alone"


def test_statistics_are_averaged_like_the_weights_they_belong_to_and_counts_are_copied() -> None:
    model = nn.BatchNorm1d(2)
    average = averaged(model, 0.9)
    for n in range(3):
        model.running_mean.fill_(n)
        with torch.no_grad():
            model.weight.fill_(n)
        model.num_batches_tracked.fill_(n)
        average.update_parameters(model)
    mean: Any = average.module
    assert 0 < mean.running_mean[0].item() < 2
    assert torch.equal(mean.running_mean, mean.weight)
    assert int(mean.num_batches_tracked) == 2


def test_the_average_goes_on_after_a_resume() -> None:
    def walk(model: nn.Linear, average: nn.Module, steps: range) -> None:
        for n in steps:
            with torch.no_grad():
                model.weight.fill_(math.cos(n))
            average.update_parameters(model)  # type: ignore[operator]

    model, other = nn.Linear(1, 1), nn.Linear(1, 1)
    whole, first, second = averaged(model, 0.9), averaged(model, 0.9), averaged(other, 0.9)
    walk(model, whole, range(20))
    walk(model, first, range(7))
    second.load_state_dict(first.state_dict())
    walk(other, second, range(7, 20))
    one: Any = whole.module
    two: Any = second.module
    assert torch.equal(one.weight, two.weight)


def test_scaled_parameters_have_groups_of_their_own() -> None:
    model = nn.ModuleDict({"slow": nn.Linear(2, 2), "fast": nn.Linear(2, 2)})
    options = TrainOptions(weight_decay=0.3, learning_rate=0.01)
    optimizer = make_optimizer([model], options, CPU, list(model["slow"].parameters()), 0.1)
    groups = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    found = {n: (groups[id(p)]["lr"], groups[id(p)]["weight_decay"]) for n, p in model.named_parameters()}
    assert found == {
        "slow.weight": (pytest.approx(0.001), 0.3), "slow.bias": (pytest.approx(0.001), 0.0),
        "fast.weight": (0.01, 0.3), "fast.bias": (0.01, 0.0),
    }  # fmt: skip
    set_learning_rate(optimizer, 0.5)
    assert sorted({g["lr"] for g in optimizer.param_groups}) == pytest.approx([0.05, 0.5])
