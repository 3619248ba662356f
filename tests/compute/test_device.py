"""The device is chosen by itself or refused in words; fp32 does nothing."""

from __future__ import annotations

import contextlib

import pytest
import torch

from asl_core import ConfigError
from asl_core.compute.device import Precision, choose_device, out_of_memory

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without accelerators; tests give it some."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return monkeypatch


def test_auto(machine: pytest.MonkeyPatch) -> None:
    assert choose_device("auto") == CPU
    machine.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    machine.setattr(torch.cuda, "is_available", lambda: True)
    machine.setattr(torch.cuda, "current_device", lambda: 1)
    assert choose_device("auto") == torch.device("cuda", 1)


def test_named(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cpu") == CPU
    assert choose_device("cuda") == torch.device("cuda", 0)
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("wanted", ["cuda:2", "cuda:-1", "cuda:x", "mps", "tpu", "", "cpu:1", "CPU"])
def test_what_is_not_here(machine: pytest.MonkeyPatch, wanted: str) -> None:
    machine.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match=r"which this machine lacks; it has cpu, cuda \(2\), or say auto") as raised:
        choose_device(wanted)
    assert f"run.device is {wanted!r}" in str(raised.value)


@pytest.mark.parametrize("wanted", ["auto", "fp32"])
def test_fp32_on_a_cpu_does_nothing(wanted: str) -> None:
    precision = Precision.of(wanted, CPU)
    assert (precision.dtype, precision.scaler, precision.state()) == (None, None, {})
    assert isinstance(precision.autocast(), contextlib.nullcontext)
    precision.restore({})


def test_bf16() -> None:
    with Precision.of("bf16", CPU).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16


def test_fp16_needs_a_loss_scaler() -> None:
    with pytest.raises(ConfigError, match="'fp16', which needs CUDA, and the run is on cpu: say bf16 or fp32"):
        Precision.of("fp16", CPU)


@pytest.mark.parametrize(("clip", "norm"), [(0.5, 0.5), (100.0, 5.0), (0.0, 5.0)])
def test_a_step_clips_and_clears(clip: float, norm: float) -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    precision = Precision.of("fp32", CPU)
    precision.backward((parameter * torch.tensor([3.0, 4.0])).sum())
    assert precision.clip(optimizer, clip)
    assert precision.step(optimizer)
    assert float(parameter.detach().norm()) == pytest.approx(norm, rel=1e-5)
    assert parameter.grad is None


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("size mismatch"), False),
        (ValueError("DefaultCPUAllocator"), False),
    ],
)
def test_out_of_memory(fault: BaseException, expected: bool) -> None:
    assert out_of_memory(fault) is expected


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_left_as_it_is(value: float) -> None:
    """No step may follow, and what is wrong with it can be looked at."""
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    parameter.grad = torch.tensor([value, 3.0])
    assert not Precision.of("fp32", CPU).clip(optimizer, 0.5)
    assert parameter.grad.tolist() == pytest.approx([value, 3.0], nan_ok=True)
    parameter.grad = torch.tensor([4.0, 3.0])
    assert Precision.of("fp32", CPU).clip(optimizer, 0.5)


def test_a_scaler_and_its_state_are_restored_together_or_not_at_all() -> None:
    """A run may go on in another precision, or from a state of before its first step."""
    Precision(CPU, None).restore({"scale": torch.tensor(2.0)})
    fresh = Precision(CPU, torch.float16)
    assert fresh.scaler is not None
    before = fresh.scaler.state_dict()
    fresh.restore({})
    assert fresh.scaler.state_dict() == before
