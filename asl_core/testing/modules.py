"""What encoders, heads and losses promise alike, as modules: gradients, state, seeds, precision, devices."""

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

__all__ = ["MODULE_CHECKS", "ModuleBench", "repeats", "same_alone_and_padded", "weighted_sum"]

EXACT = 1e-9  #: relative; float64 rounds at 1e-16, and sums of other shapes are rounded in another order
STEPS = 3  #: of training, after which every parameter has to have had a gradient


@attrs.define(slots=False)
class ModuleBench(Bench):
    """A component whose factory gives an ``nn.Module``.

    Attributes:
        width: numbers a frame of what comes in.
    """

    width: int = WIDTH

    def new(self) -> nn.Module:
        """A module with fresh weights, from torch's generator as it stands."""
        module: nn.Module = self.make(self.width)
        return module

    def build(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Module:
        """A module with the weights that ``seed`` gives.

        By default in float64, in which a real difference is not taken for rounding.
        """
        torch.manual_seed(seed)
        return self.new().to(dtype)

    def batch(self, dtype: torch.dtype = torch.float64) -> Batch:
        """What it is tried on."""
        return random_batch(LENGTHS, self.width, CLASSES, dtype=dtype)

    def output(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """What comes out, and the lengths where it has frames."""
        raise NotImplementedError

    def total(self, module: nn.Module, batch: Batch) -> Tensor:
        """() one number for all that comes out."""
        return weighted_sum(*self.output(module, batch))


def weighted_sum(values: Tensor, lengths: Tensor | None) -> Tensor:
    """A scalar of the real frames, weighted so that a swap of frames or clips shows."""
    if lengths is not None and values.ndim == 3:
        values = values.masked_fill(~frame_mask(lengths, values.shape[1])[:, :, None], 0.0)
    weights = torch.linspace(0.5, 1.5, values.numel(), dtype=values.dtype, device=values.device).view_as(values)
    return (values * weights).sum()


def same_alone_and_padded(run: Callable[[Batch], tuple[Tensor, Tensor | None]], batch: Batch) -> None:
    """Every clip alone, in the batch, and in a batch padded further: one result, on its real frames."""
    with torch.no_grad():
        for name, shown in (("among longer ones", batch), ("padded further", padded(batch, 11))):
            many, lengths = run(shown)
            for place, length in enumerate(batch.lengths.tolist()):
                one, own = run(alone(batch, place))
                kept = None if own is None or lengths is None else int(own[0])
                if lengths is not None and kept is not None:
                    require(
                        kept == int(lengths[place]),
                        f"a clip of {length} frames has {kept} frames of output alone and {int(lengths[place])} {name}",
                    )
                    require(one.shape[1] >= kept, f"a clip alone gives {one.shape[1]} frames and declares {kept}")
                a, b = one[0][:kept], many[place][:kept]
                worst = float(((a - b).abs() / b.abs().clamp(min=1e-3)).max())
                require(
                    worst < EXACT,
                    f"a clip of {length} frames gives other numbers alone than {name} (relative difference "
                    f"{worst:.1e}): padding leaks; mask it, or pack the sequences",
                )


def repeats(bench: ModuleBench) -> None:
    """Evaluation draws nothing: one module gives one result."""
    module, batch = bench.build().eval(), bench.batch()
    with torch.no_grad():
        same = torch.equal(bench.total(module, batch), bench.total(module, batch))
    require(same, "evaluating twice gives two results: random numbers are for training")


def _gradients(bench: ModuleBench) -> str:
    """Within a few steps: a residual branch that starts at zero has none in the first one."""
    module, batch = bench.build().train(), bench.batch()
    dead = {n for n, p in module.named_parameters() if p.requires_grad}
    if not dead:
        raise SkippedCheck("it has no parameters to train")
    for step in range(STEPS):
        torch.manual_seed(step)
        module.zero_grad(set_to_none=True)
        total = bench.total(module, batch)
        require(total.requires_grad, "the output depends on no parameter: something detaches it, nothing would train")
        total.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if parameter.grad is not None:
                    if bool(parameter.grad.abs().sum() > 0):
                        dead.discard(name)
                    parameter.sub_(0.01 * parameter.grad / parameter.grad.norm().clamp(min=1.0))
    require(not dead, f"no gradient reaches {', '.join(sorted(dead))}: they would never be trained")
    return f"{sum(p.requires_grad for p in module.parameters())} parameters"


def _state(bench: ModuleBench) -> None:
    """A state dict carries all that matters, as the tensors that a run saves."""
    one, other, batch = bench.build(0).eval(), bench.build(1).eval(), bench.batch()
    state = one.state_dict()
    odd = [k for k, v in state.items() if not isinstance(v, Tensor)]
    require(not odd, f"the state dict holds {', '.join(odd)}, no tensor: checkpoints hold tensors alone")
    saved = safetensors.torch.save({k: v.clone().contiguous() for k, v in state.items()})
    with torch.no_grad():
        expected = bench.total(one, batch)
        other.load_state_dict(safetensors.torch.load(saved))
        same = torch.allclose(expected, bench.total(other, batch), rtol=1e-12)
    require(same, "a module loaded from the state dict gives other numbers: something it needs is not in the state")


def _seed(bench: ModuleBench) -> None:
    """Weights and dropout come from torch's generator: a run is repeated by its seed, and resumed by its state."""
    one, two, batch = bench.build(0).train(), bench.build(0).train(), bench.batch()
    differing = [
        name
        for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True)
        if not torch.equal(a, b)
    ]
    require(not differing, f"under one seed {', '.join(differing)} start otherwise every time: draw with torch")
    totals = []
    for module in (one, two):
        torch.manual_seed(1)
        totals.append(bench.total(module, batch).detach())
    require(torch.equal(*totals), "in training one seed gives two results: draw random numbers with torch")


def _float32(bench: ModuleBench) -> None:
    """What a run computes in: float32 in, float32 out, near to what float64 gives."""
    exact, single = bench.build().eval(), bench.build(dtype=torch.float32).train()
    batch = bench.batch(torch.float32)
    values, lengths = bench.output(single, batch)
    require(values.dtype == torch.float32, f"float32 frames give {values.dtype}")
    weighted_sum(values, lengths).backward()  # type: ignore[no-untyped-call]
    _require_finite(single, values, lengths)
    with torch.no_grad():
        exact.load_state_dict(single.state_dict())  # training has moved the running averages of a batch norm
        expected = bench.output(exact, batch.with_features(batch.features.double()))[0]
        near = _distance(bench.output(single.eval(), batch)[0].double(), expected, lengths)
    require(near < 1e-3, f"float32 is off by {near:.1e} of the largest number: some step loses its precision")


def _mixed_precision(bench: ModuleBench) -> None:
    """Under autocast to bfloat16, which is the default on CUDA."""
    _trains_on(bench, torch.device("cpu"), torch.autocast("cpu", torch.bfloat16))


def _device(bench: ModuleBench) -> str:
    """On CUDA or MPS, where there is one, the numbers of the CPU."""
    others = batches.devices()[1:]
    if not others:
        raise SkippedCheck("there is no CUDA or MPS device here")
    batch = bench.batch(torch.float32)
    with torch.no_grad():
        expected, lengths = bench.output(bench.build(dtype=torch.float32).eval(), batch)
    for device in others:
        _trains_on(bench, device, contextlib.nullcontext())
        if device.type == "cuda":
            _trains_on(bench, device, torch.autocast("cuda", torch.bfloat16))
        with torch.no_grad():
            there, _ = bench.output(bench.build(dtype=torch.float32).to(device).eval(), batch.to(device))
        near = _distance(there.cpu(), expected, lengths)
        require(near < 2e-2, f"on {device} it gives other numbers than on the CPU ({near:.1e} of the largest)")
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
    require(real.isfinite().all(), "the output holds NaN or infinite numbers")
    wild = [n for n, p in module.named_parameters() if p.grad is not None and not bool(p.grad.isfinite().all())]
    require(not wild, f"the gradient of {', '.join(wild)} holds NaN or infinite numbers")


def _distance(one: Tensor, other: Tensor, lengths: Tensor | None) -> float:
    """Largest difference on real frames, as a share of the largest number there."""
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
