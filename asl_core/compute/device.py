"""Device, precision, and errors of exhausted memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from asl_core.errors import ConfigError, RunError

__all__ = ["Precision", "choose_device", "memory_errors", "out_of_memory"]


def choose_device(wanted: str) -> torch.device:
    """The device of a run; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: there is no such device.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    available = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    kind, _, number = wanted.partition(":")
    if kind not in available or (number and not number.isdecimal()) or int(number or 0) >= available[kind]:
        have = ", ".join(f"{k} ({n})" if k == "cuda" else k for k, n in available.items() if n)
        raise ConfigError([f"run.device is {wanted!r}, which this machine lacks; it has {have}, or say auto"])
    return torch.device(kind, int(number or 0)) if kind == "cuda" else torch.device(kind)


class Precision:
    """Autocast and, for fp16, a loss scaler; nothing in fp32."""

    def __init__(self, device: torch.device, dtype: torch.dtype | None):
        self.device, self.dtype = device, dtype
        self.scaler = torch.amp.GradScaler(device.type) if dtype is torch.float16 else None

    @classmethod
    def of(cls, wanted: str, device: torch.device) -> Precision:
        """The precision of a name; auto is bf16 on CUDA devices with hardware for it, else fp32.

        Raises:
            ConfigError: fp16 on a device without a loss scaler for it.
        """
        if wanted == "auto":
            fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
            return cls(device, torch.bfloat16 if fast else None)
        if wanted == "fp16" and device.type != "cuda":
            raise ConfigError(
                [f"train.precision is 'fp16', which needs CUDA, and the run is on {device.type}: say bf16 or fp32"]
            )
        return cls(device, {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted])

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """For the forward pass."""
        return torch.autocast(self.device.type, self.dtype) if self.dtype else contextlib.nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Gradients of a scalar."""
        (self.scaler.scale(loss) if self.scaler else loss).backward()  # type: ignore[no-untyped-call]

    def clip(self, optimizer: torch.optim.Optimizer, clip_norm: float) -> bool:
        """Scale the gradients to a norm of at most ``clip_norm``, where it is not 0.

        Returns:
            Whether :meth:`step` may follow: not where the norm is not finite; the gradients are then unchanged. With a
            loss scaler always, since it skips such a step itself.
        """
        if self.scaler:
            self.scaler.unscale_(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if not self.scaler and not bool(torch.isfinite(norm)):
            return False
        if clip_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, clip_norm, norm)
        return True

    def step(self, optimizer: torch.optim.Optimizer) -> bool:
        """Step, and clear the gradients.

        Returns:
            Whether the weights changed: a loss scaler skips the step where its scale was too large.
        """
        taken = True
        if self.scaler:
            before = self.scaler.get_scale()
            self.scaler.step(optimizer)
            self.scaler.update()
            taken = self.scaler.get_scale() >= before
        else:
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return taken

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint; float64 tensors hold the scaler's numbers exactly."""
        values = self.scaler.state_dict() if self.scaler else {}
        return {k: torch.tensor(float(v), dtype=torch.float64) for k, v in values.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of :meth:`state`."""
        if self.scaler and state:
            kinds = self.scaler.state_dict()
            self.scaler.load_state_dict({k: type(kinds[k])(float(v)) for k, v in state.items()})


@contextlib.contextmanager
def memory_errors(where: str, device: torch.device, remedy: str) -> Iterator[None]:
    """Turn a failed allocation into an error that says what to try.

    Raises:
        RunError: memory ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as fault:
        if not out_of_memory(fault):
            raise
        raise RunError(f"memory ran out on {device} {where}: try {remedy} in a new run, or a smaller model.") from fault


def out_of_memory(fault: BaseException) -> bool:
    """Whether an exception means exhausted memory, on any device."""
    if isinstance(fault, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(fault)
    return isinstance(fault, RuntimeError) and ("DefaultCPUAllocator" in text or "MPS backend out of memory" in text)
