"""The optimiser, its schedule, and the averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from asl_core.config.tables import TrainOptions
from asl_core.errors import ConfigError

__all__ = ["averaged", "averaged_equally", "learning_rate", "make_optimizer", "set_learning_rate"]


def make_optimizer(
    modules: Iterable[nn.Module],
    options: TrainOptions,
    device: torch.device,
    scaled: Collection[nn.Parameter] = (),
    scale: float = 1.0,
) -> torch.optim.AdamW:
    """AdamW with decay on matrices only: norms, biases and gains are not pulled to zero.

    Args:
        modules: those of their parameters that take a gradient are trained.
        options: learning rate and decay.
        device: of the parameters.
        scaled: parameters whose learning rate is multiplied by ``scale``; see :func:`set_learning_rate`.
        scale: that factor.

    Raises:
        ConfigError: no parameter takes a gradient.
    """
    scaled_ids = {id(parameter) for parameter in scaled} if scale != 1 else set()
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {
        (factor, matrix): [] for factor in (1.0, scale) for matrix in (True, False)
    }
    for module in modules:
        for parameter in module.parameters():
            if parameter.requires_grad:
                groups[scale if id(parameter) in scaled_ids else 1.0, parameter.ndim > 1].append(parameter)
    if not any(groups.values()):
        raise ConfigError(["nothing is left to train: all weights are frozen; leave out --freeze"])
    fused = device.type in ("cpu", "cuda")  # one kernel for all tensors; other devices lack it
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "weight_decay": options.weight_decay if matrix else 0.0,
                "lr": options.learning_rate * factor,
                "scale": factor,
            }
            for (factor, matrix), parameters in groups.items()
            if parameters
        ],
        lr=options.learning_rate,
        fused=fused,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the rate, times the group's own scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def learning_rate(options: TrainOptions, step: int, steps: int) -> float:
    """The rate of step ``step`` (from 0) of ``steps``: a linear rise, then half a cosine to zero, or constant."""
    warm = max(1, round(options.warmup * steps)) if options.warmup else 0
    if step < warm:
        return options.learning_rate * (step + 1) / warm
    if options.schedule == "constant":
        return options.learning_rate
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of the weights.

    After ``n`` updates the decay is min(decay, (1 + n) / (10 + n)), as documented for TensorFlow's
    ExponentialMovingAverage, so that the first weights do not dominate a run of a few hundred steps.
    """
    return _average(model, lambda n: 1 - min(decay, (1 + n) / (10 + n)))


def averaged_equally(model: nn.Module) -> AveragedModel:
    """The mean of the weights at every update (stochastic weight averaging, Izmailov et al., UAI 2018)."""
    return _average(model, lambda n: 1 / (n + 1))


def _average(model: nn.Module, weight: Callable[[int], float]) -> AveragedModel:
    """An average in which the newest weights count ``weight(n)`` after ``n`` updates; the first update copies them.

    Buffers are averaged too: the statistics of a batch norm belong to the weights that made them.
    """

    def update(averages: Sequence[Tensor], values: Sequence[Tensor], count: int | Tensor) -> None:
        share = weight(int(count))
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value.to(average.dtype), share)
            else:
                average.copy_(value)

    multi: Callable[..., None] = update
    return AveragedModel(model, multi_avg_fn=torch.no_grad()(multi), use_buffers=True)
