"""What encoders, heads and losses have in common as modules: gradients, state, seeds, precision, devices."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import attrs
import safetensors.torch
import torch
from torch import Tensor, nn

from asl_core.clips.batch import Batch, frame_mask
from asl_core.testing import batches
from asl_core.testing.batches import CLASSES, LENGTHS, WIDTH, alone, padded, random_batch
from asl_core.testing.checks import Bench, Checks, SkippedCheck, require

__all__ = [
    "EXACT", "MODULE_CHECKS", "ModuleBench", "other_devices", "repeats", "require_module", "same_alone_and_padded",
    "weighted_sum",
]  # fmt: skip

EXACT = 1e-9  #: relative tolerance; float64 rounds at 1e-16, and other shapes are summed in another order
STEPS = 3  #: training steps, in one of which each parameter must have a gradient


@attrs.define(slots=False)
class ModuleBench(Bench):
    """A component whose factory returns an ``nn.Module``.

    Attributes:
        width: features per frame of the input.
    """

    width: int = WIDTH

    @property
    def tried_on(self) -> str:
        """The options and the batch."""
        lengths = ", ".join(map(str, LENGTHS))
        return f"{super().tried_on}; clips of {lengths} frames with {self.width} features per frame"

    def new(self) -> nn.Module:
        """A module with new weights, from torch's generator in its present state."""
        module: nn.Module = self.make(self.width)
        return module

    def build(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Module:
        """A module with the weights of ``seed``.

        In float64 by default, so that a real difference is not mistaken for rounding.
        """
        torch.manual_seed(seed)
        return self.new().to(dtype)

    def batch(self, dtype: torch.dtype = torch.float64) -> Batch:
        """The batch it is tried on."""
        return random_batch(LENGTHS, self.width, CLASSES, dtype=dtype)

    def output(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The output values, and their lengths where they have frames."""
        raise NotImplementedError

    def total(self, module: nn.Module, batch: Batch) -> Tensor:
        """() one number for the whole output."""
        return weighted_sum(*self.output(module, batch))


def weighted_sum(values: Tensor, lengths: Tensor | None) -> Tensor:
    """A scalar of the real frames, weighted so that swapped frames or clips change it."""
    if lengths is not None and values.ndim == 3:
        values = values.masked_fill(~frame_mask(lengths, values.shape[1])[:, :, None], 0.0)
    weights = torch.linspace(0.5, 1.5, values.numel(), dtype=values.dtype, device=values.device).view_as(values)
    return (values * weights).sum()


def same_alone_and_padded(run: Callable[[Batch], tuple[Tensor, Tensor | None]], batch: Batch) -> None:
    """Require the same result for a clip alone, in the batch, and in a batch with more padding, on its real frames."""
    with torch.no_grad():
        for name, shown in (("among longer ones", batch), ("with more padding", padded(batch, 11))):
            many, lengths = run(shown)
            for index, length in enumerate(batch.lengths.tolist()):
                one, length_alone = run(alone(batch, index))
                real = None if length_alone is None or lengths is None else int(length_alone[0])
                if lengths is not None and real is not None:
                    require(
                        real == int(lengths[index]),
                        f"a clip of {length} frames has {real} output frames alone and {int(lengths[index])} {name}: "
                        f"compute output lengths from the clip's own length",
                    )
                    require(
                        one.shape[1] >= real, f"a clip alone has {one.shape[1]} frames of output, declared are {real}"
                    )
                a, b = one[0][:real], many[index][:real]
                worst = float(((a - b).abs() / b.abs().clamp(min=1e-3)).max())
                require(
                    worst < EXACT,
                    f"a clip of {length} frames has another output alone than {name} (relative difference "
                    f"{worst:.1e}): padding leaks; mask it, or pack the sequences",
                )


def require_module(made: object) -> None:
    """Require what a factory returned to be an ``nn.Module``."""
    require(isinstance(made, nn.Module), f"the factory returns a {type(made).__name__}; expected an nn.Module")


def other_devices() -> list[torch.device]:
    """The devices of this machine besides the CPU.

    Raises:
        SkippedCheck: there is none.
    """
    others = batches.devices()[1:]
    if not others:
        raise SkippedCheck("this machine has no CUDA or MPS device")
    return others


def repeats(bench: ModuleBench) -> None:
    """In evaluation mode a module has one output for one input."""
    module, batch = bench.build().eval(), bench.batch()
    with torch.no_grad():
        same = torch.equal(bench.total(module, batch), bench.total(module, batch))
    require(same, "evaluating twice gives two results: draw random numbers only while self.training")


def _gradients(bench: ModuleBench) -> str:
    """Every trainable parameter gets a gradient within three steps.

    A residual branch that starts at zero has none in the first one.
    """
    module, batch = bench.build().train(), bench.batch()
    untrained = {n for n, p in module.named_parameters() if p.requires_grad}
    if not untrained:
        raise SkippedCheck("it has no parameters to train")
    for step in range(STEPS):
        torch.manual_seed(step)
        module.zero_grad(set_to_none=True)
        total = bench.total(module, batch)
        require(
            total.requires_grad,
            "the output depends on no parameter, so nothing would be trained: remove the detach() or no_grad()",
        )
        total.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if parameter.grad is not None:
                    if bool(parameter.grad.abs().sum() > 0):
                        untrained.discard(name)
                    parameter.sub_(0.01 * parameter.grad / parameter.grad.norm().clamp(min=1.0))
    names = ", ".join(sorted(untrained))
    require(not untrained, f"no gradient reaches {names}: they would never be trained; use them, or delete them")
    return f"{sum(p.requires_grad for p in module.parameters())} parameters"


def _state(bench: ModuleBench) -> None:
    """A module loaded from the saved state dict, which holds only tensors, has the same output."""
    one, other, batch = bench.build(0).eval(), bench.build(1).eval(), bench.batch()
    state = one.state_dict()
    others = [k for k, v in state.items() if not isinstance(v, Tensor)]
    require(not others, f"{', '.join(others)} of the state dict is no tensor: checkpoints hold tensors only")
    saved = safetensors.torch.save({k: v.clone().contiguous() for k, v in state.items()})
    with torch.no_grad():
        expected = bench.total(one, batch)
        other.load_state_dict(safetensors.torch.load(saved))
        same = torch.allclose(expected, bench.total(other, batch), rtol=1e-12)
    require(
        same,
        "a module loaded from the state dict has another output: something it needs is not in the state; "
        "use register_buffer",
    )


def _seed(bench: ModuleBench) -> None:
    """Weights and dropout come from torch's generator, so that a run can be repeated by its seed and resumed."""
    one, two, batch = bench.build(0).train(), bench.build(0).train(), bench.batch()
    differing = [
        name
        for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True)
        if not torch.equal(a, b)
    ]
    require(
        not differing, f"under one seed {', '.join(differing)} start with other values every time: draw them with torch"
    )
    totals = []
    for module in (one, two):
        torch.manual_seed(1)
        totals.append(bench.total(module, batch).detach())
    require(torch.equal(*totals), "in training one seed gives two results: draw random numbers with torch")


def _float32(bench: ModuleBench) -> None:
    """float32 features give a finite float32 output, close to that in float64."""
    exact, single = bench.build().eval(), bench.build(dtype=torch.float32).train()
    batch = bench.batch(torch.float32)
    values, lengths = bench.output(single, batch)
    require(
        values.dtype == torch.float32,
        f"float32 features give an output of {values.dtype}: create tensors with the dtype of the input",
    )
    weighted_sum(values, lengths).backward()  # type: ignore[no-untyped-call]
    _require_finite(single, values, lengths)
    with torch.no_grad():
        exact.load_state_dict(single.state_dict())  # training has moved the running averages of a batch norm
        expected = bench.output(exact, batch.with_features(batch.features.double()))[0]
        error = _distance(bench.output(single.eval(), batch)[0].double(), expected, lengths)
    require(error < 1e-3, f"float32 is off by {error:.1e} of the largest value: some step loses precision")


def _mixed_precision(bench: ModuleBench) -> None:
    """It trains under autocast to bfloat16, the default on CUDA."""
    _trains_on(bench, torch.device("cpu"), torch.autocast("cpu", torch.bfloat16))


def _device(bench: ModuleBench) -> str:
    """On CUDA or MPS it trains, and its output is that on the CPU."""
    others = other_devices()
    batch = bench.batch(torch.float32)
    with torch.no_grad():
        expected, lengths = bench.output(bench.build(dtype=torch.float32).eval(), batch)
    for device in others:
        _trains_on(bench, device, contextlib.nullcontext())
        if device.type == "cuda":
            _trains_on(bench, device, torch.autocast("cuda", torch.bfloat16))
        with torch.no_grad():
            on_device, _ = bench.output(bench.build(dtype=torch.float32).to(device).eval(), batch.to(device))
        error = _distance(on_device.cpu(), expected, lengths)
        require(
            error < 2e-2, f"on {device} the output differs from that on the CPU by {error:.1e} of the largest value"
        )
    return ", ".join(map(str, others))


def _trains_on(bench: ModuleBench, device: torch.device, context: contextlib.AbstractContextManager[object]) -> None:
    module = bench.build(dtype=torch.float32).to(device).train()
    with context:
        values, lengths = bench.output(module, bench.batch(torch.float32).to(device))
    total = weighted_sum(values.float(), lengths)
    if total.requires_grad:
        total.backward()  # type: ignore[no-untyped-call]
    _require_finite(module, values, lengths)


def _require_finite(module: nn.Module, values: Tensor, lengths: Tensor | None) -> None:
    real = values if lengths is None or values.ndim < 3 else values[frame_mask(lengths, values.shape[1])]
    require(real.isfinite().all(), "the output has NaN or infinite values")
    infinite = [n for n, p in module.named_parameters() if p.grad is not None and not bool(p.grad.isfinite().all())]
    require(not infinite, f"the gradient of {', '.join(infinite)} has NaN or infinite values")


def _distance(one: Tensor, other: Tensor, lengths: Tensor | None) -> float:
    """Largest difference on real frames, relative to the largest value."""
    difference = (one - other).abs()
    if lengths is not None and one.ndim == 3:
        real = frame_mask(lengths, one.shape[1])
        difference, other = difference[real], other[real]
    return float(difference.max() / other.abs().max().clamp(min=1e-3))


MODULE_CHECKS: Checks[ModuleBench] = {
    "gradients": _gradients,
    "state": _state,
    "seed": _seed,
    "float32": _float32,
    "mixed precision": _mixed_precision,
    "device": _device,
}
