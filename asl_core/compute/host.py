"""Isolation from the host program: torch's global settings and random generators.

A notebook may have set the default dtype to float64, disabled gradients, or seeded a generator. None of that may change
what a run computes, and a run may not change it. Every public function that uses torch is wrapped in
:func:`undisturbed`; those that draw random numbers (training, creating a model) in :func:`drawing`.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import torch

from asl_core.errors import UsageError

__all__ = ["SETTINGS", "Setting", "drawing", "seed_generators", "undisturbed"]


@attrs.frozen
class Setting:
    """A setting that all threads of the process share."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    wanted: tuple[Any, ...] = ()  #: values a run accepts, the first preferred; empty where the run sets its own

    def value(self) -> Any:
        """The current value; None where this torch lacks or refuses it."""
        try:
            return self.read()
        # torch refuses to read a precision that was set by its old and its new interface.
        except (AttributeError, RuntimeError):
            return None


def _backend(path: str, *wanted: Any) -> Setting:
    """An attribute of ``torch.backends``, by its dotted path."""
    parts, _, name = path.rpartition(".")

    def owner() -> Any:
        module: Any = torch.backends
        for part in filter(None, parts.split(".")):
            module = getattr(module, part)
        return module

    return Setting(path, lambda: getattr(owner(), name), lambda value: setattr(owner(), name, value), wanted)


def _attention(name: str) -> Setting:
    cuda = torch.backends.cuda
    return Setting(
        f"{name}_sdp", lambda: getattr(cuda, f"{name}_sdp_enabled")(),  # noqa: PLW0108 - looked up when it is called
        lambda v: getattr(cuda, f"enable_{name}_sdp")(v), (True,),  # noqa: PLW0108
    )  # fmt: skip


#: with torch's defaults, which the command line trains with; in the order of setting, general before specific
SETTINGS = (
    Setting("default dtype", torch.get_default_dtype, torch.set_default_dtype, (torch.float32,)),
    Setting("threads", torch.get_num_threads, torch.set_num_threads),
    Setting(
        "deterministic algorithms",
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda v: torch.use_deterministic_algorithms(v[0], warn_only=v[1]),
        ((False, False),),
    ),
    Setting(
        "anomaly detection",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda v: torch.autograd.set_detect_anomaly(*v),
        ((False, True), (False, False)),
    ),
    Setting(
        "precision of matrix products",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
        ("highest",),
    ),
    _backend("fp32_precision", "none"),
    _backend("cuda.matmul.fp32_precision", "ieee", "none"),
    _backend("cuda.matmul.allow_fp16_reduced_precision_reduction", True),
    _backend("cuda.matmul.allow_bf16_reduced_precision_reduction", True),
    _backend("cudnn.enabled", True),
    _backend("cudnn.benchmark", False),
    _backend("cudnn.deterministic", False),
    _backend("cudnn.allow_tf32", True),
    _backend("cudnn.fp32_precision", "none", "tf32"),
    _backend("cudnn.conv.fp32_precision", "tf32"),
    _backend("cudnn.rnn.fp32_precision", "tf32"),
    _backend("mkldnn.enabled", True),
    _backend("mkldnn.deterministic", False),
    _backend("mkldnn.fp32_precision", "none", "ieee"),
    _backend("mkldnn.matmul.fp32_precision", "none", "ieee"),
    _backend("mkldnn.conv.fp32_precision", "none", "ieee"),
    _backend("mkldnn.rnn.fp32_precision", "none", "ieee"),
    *(_attention(name) for name in ("flash", "mem_efficient", "math", "cudnn")),
    Setting(
        "fast path of attention",
        torch.backends.mha.get_fastpath_enabled,
        torch.backends.mha.set_fastpath_enabled,
        (True,),
    ),
)


@attrs.define
class _Shared:
    """The settings before the first thread entered; restored when the last one leaves."""

    lock: Any = attrs.field(factory=threading.Lock)
    inside: int = 0
    before: list[Any] = attrs.field(factory=list)

    def enter(self) -> None:
        with self.lock:
            if not self.inside:
                self.before = [setting.value() for setting in SETTINGS]
                for setting in SETTINGS:
                    value = setting.value()
                    if value is not None and setting.wanted and value not in setting.wanted:
                        setting.write(setting.wanted[0])
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                for setting, value in zip(SETTINGS, self.before, strict=True):
                    if value is not None and setting.value() != value:
                        setting.write(value)


_shared = _Shared()
_nested = threading.local()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Compute with the settings of the command line, and restore those of the program afterwards.

    May be nested, and entered by several threads.
    """
    _shared.enter()
    try:
        with contextlib.ExitStack() as stack:
            # Per thread.
            if not getattr(_nested, "depth", 0):
                _enter_thread(stack)
            _nested.depth = getattr(_nested, "depth", 0) + 1
            try:
                yield
            finally:
                _nested.depth -= 1
    finally:
        _shared.leave()


def _enter_thread(stack: contextlib.ExitStack) -> None:
    stack.enter_context(torch.inference_mode(False))
    stack.enter_context(torch.enable_grad())
    for kind in ("cpu", "cuda", "mps"):
        with contextlib.suppress(RuntimeError):  # a device that this torch does not know
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
    if torch.get_default_device().type != "cpu":
        stack.enter_context(torch.device("cpu"))
    if not float(torch.tensor([1e-310], dtype=torch.float64, device="cpu") * 1):  # torch has no getter
        torch.set_flush_denormal(False)
        stack.callback(torch.set_flush_denormal, True)
    stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))


def seed_generators(seed: int) -> None:
    """Seed the global generators of torch, numpy and Python, which components may use."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the global generator that components may use
    random.seed(seed)


@attrs.define
class _Turn:
    """Serialises use of the generators, which all threads share."""

    lock: Any = attrs.field(factory=threading.RLock)
    training: bool = False


_turn = _Turn()


@contextlib.contextmanager
def drawing(what: str, *, training: bool = False) -> Iterator[None]:
    """:func:`undisturbed`, with exclusive use of the random generators, whose states are restored afterwards.

    Args:
        what: what draws random numbers, for the message.
        training: whether it takes so long that other threads should fail instead of wait.

    Raises:
        UsageError: another thread of this process trains.
    """
    while not _turn.lock.acquire(timeout=0.05):
        if _turn.training:
            raise UsageError(
                f"{what} cannot begin: another thread of this program is training, and all threads share torch's "
                f"random generators and settings, so that both results would change. Run them one after the other, or "
                f"each in its own process (concurrent.futures.ProcessPoolExecutor)."
            )
    before, _turn.training = _turn.training, _turn.training or training
    try:
        with undisturbed(), _generators_restored():
            yield
    finally:
        _turn.training = before
        _turn.lock.release()


@contextlib.contextmanager
def _generators_restored() -> Iterator[None]:
    """Restore the generators of torch on every device, of numpy and of Python."""
    state, seed = torch.get_rng_state(), torch.initial_seed()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        elif torch.cuda.is_available():
            torch.cuda.manual_seed_all(seed)  # as torch does when a program first uses CUDA
        if mps is not None:
            torch.mps.set_rng_state(mps)
        torch.set_rng_state(state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
