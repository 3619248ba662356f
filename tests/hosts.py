"""Programs that have set something of torch, and all that such a program may do with a run."""

from __future__ import annotations

import contextlib
import functools
import logging
import random
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from small import SMALL

from asl_core import api
from asl_core.compute import host
from asl_core.evaluation.error_analysis import explain_run
from asl_core.evaluation.prediction import predict_file
from asl_core.studies.comparison import compare
from asl_core.studies.curriculum import load_curriculum, run_curriculum
from asl_core.training.events import EpochReport

__all__ = [
    "HOSTS",
    "SETTINGS",
    "USES",
    "Stop",
    "check",
    "clip",
    "content",
    "cut_off",
    "expected",
    "run",
    "state",
    "trained",
]

SETTINGS = {
    **SMALL,
    "train.epochs": 1,
    "train.select": "loss",
    "dataset.glosses": 3,
    "dataset.train": 3,
    "encoder.dropout": 0.5,
    "augment": "speed",
}


@contextlib.contextmanager
def changed(setting: str, value: Any) -> Iterator[None]:
    """One of the settings that all threads share."""
    (found,) = (s for s in host.SETTINGS if s.name == setting)
    before = found.value()
    found.write(value)
    try:
        yield
    finally:
        found.write(before)


@contextlib.contextmanager
def kernels() -> Iterator[None]:
    values = {
        "precision of matrix products": "medium",
        "mkldnn.enabled": False,
        "cudnn.benchmark": True,
        "flash_sdp": False,
        "fast path of attention": False,
    }
    with contextlib.ExitStack() as stack:
        for name, value in values.items():
            stack.enter_context(changed(name, value))
        yield


@contextlib.contextmanager
def default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    yield


HOSTS: dict[str, Callable[[], Any]] = {
    "default dtype": lambda: changed("default dtype", torch.float64),
    "threads": lambda: changed("threads", 2),
    "deterministic algorithms": lambda: changed("deterministic algorithms", (True, False)),
    "anomaly detection": lambda: changed("anomaly detection", (True, True)),
    "kernels": kernels,
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default device": default_device,
    "torch.device": lambda: torch.device("meta"),
    "denormal numbers": flushed,
    "generators": seeded,
    "numpy's errors": lambda: np.errstate(all="raise"),
}


def state() -> dict[str, Any]:
    """All that a run might leave behind."""
    return {
        **{setting.name: setting.value() for setting in host.SETTINGS},
        "gradients": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "default device": torch.get_default_device(),
        "denormal numbers": bool(float(torch.tensor([1e-310], dtype=torch.float64, device="cpu") * 1)),
        "torch's generator": torch.get_rng_state().tolist(),
        "numpy's generator": str(np.random.get_state()),  # noqa: NPY002
        "Python's generator": random.getstate(),
        "numpy's errors": np.geterr(),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "warnings": list(warnings.filters),
        "logging": (logging.root.level, logging.root.manager.disable, list(logging.root.handlers)),
    }


@functools.cache
def trained() -> Path:
    """A finished run."""
    return api.run(api.configure(SETTINGS | {"run.out": tempfile.mkdtemp(), "run.name": "a"}, environ={})).path


def content(run: Path) -> dict[str, bytes]:
    """The figures and the weights of a run."""
    tensors = safetensors.torch.load((run / "last" / "state.safetensors").read_bytes())
    found = {
        name: tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes() for name, tensor in tensors.items()
    }
    return found | {"metrics": (run / "metrics.jsonl").read_bytes()}


def run(place: Path) -> Any:
    return content(api.run(api.configure(SETTINGS | {"run.out": str(place)}, environ={})).path)


class Stop:
    """Cuts a run off after its first epoch."""

    def on_start(self, config: object, summary: object) -> None: ...

    def on_epoch(self, report: EpochReport) -> None:
        raise KeyboardInterrupt

    def on_end(self, summary: object) -> None: ...


@functools.cache
def cut_off() -> Path:
    values = SETTINGS | {"run.out": tempfile.mkdtemp(), "run.name": "cut", "train.epochs": 2}
    with pytest.raises(KeyboardInterrupt):
        api.run(api.configure(values, environ={}), [Stop()])
    return Path(values["run.out"]) / "cut"


def resume(place: Path) -> Any:
    return content(api.resume(shutil.copytree(cut_off(), place / "cut")).path)


def clip(place: Path) -> Path:
    np.save(place / "clip.npy", np.random.default_rng(0).normal(size=(20, 36)).astype(np.float32))
    return place / "clip.npy"


def curriculum(place: Path) -> Any:
    tables = {"dataset": ("name", "glosses", "train", "val"), "encoder": ("name", "hidden-size", "front-size")}
    text = [f"[common.train]\nepochs = 1\n[common.run]\ndevice = 'cpu'\nthreads = 1\nout = '{place.as_posix()}'"]
    for table, keys in tables.items():
        text.append(f"[common.{table}]")
        text += [f"{key} = {SETTINGS.get(f'{table}.{key}', SETTINGS.get(table))!r}" for key in keys]
    (place / "c.toml").write_text("\n".join([*text, "[[stage]]", "name = 'one'"]))
    (stage,) = run_curriculum(load_curriculum(place / "c.toml"))
    return content(stage.path)


USES: dict[str, Callable[[Path], Any]] = {
    "run": run,
    "resume": resume,
    "complete": lambda place: content(
        api.complete(api.configure(SETTINGS | {"run.out": str(place), "run.name": "x"}, environ={}))
    ),
    "curriculum": curriculum,
    "evaluate_run": lambda _: api.evaluate_run(trained(), device="cpu")[1].scores.numpy().tobytes(),
    "explain_run": lambda _: explain_run(trained(), device="cpu").report,
    "load": lambda _: [p.sum().item() for p in api.load(trained()).model.parameters()],
    "predict_file": lambda place: predict_file(trained(), clip(place)),
    "audit_data": lambda _: api.audit_data(api.configure(SETTINGS, environ={})).to_json(),
    "compare": lambda _: compare([trained()], [trained()], [0], samples=10),
}


@functools.cache
def expected(use: str) -> Any:
    """What comes of it in a program that sets nothing."""
    return USES[use](Path(tempfile.mkdtemp()))


def check(use: str, hosts: list[str], place: Path) -> None:
    wanted = expected(use)
    with contextlib.ExitStack() as stack:
        for name in hosts:
            stack.enter_context(HOSTS[name]())
        before = state()
        found = USES[use](place)
        after = state()
    assert found == wanted
    assert {k: (before[k], v) for k, v in after.items() if v != before[k]} == {}
