"""What a run shares with the program around it: torch's settings and the generators of random numbers.

A notebook may have set the default dtype to float64, switched gradients off, or seeded a generator. None of that may
change what a run computes, and none of it may be different after the run. Every public function that uses torch is
wrapped in :func:`undisturbed`; those that draw random numbers (training, and making a model) in :func:`drawing`.
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
    wanted: tuple[Any, ...] = ()  #: values that a run can have, the first for choice; nothing where it sets its own

    def value(self) -> Any:
        """What it is now; None where this torch lacks it, or does not tell."""
        try:
            return self.read()
        # torch refuses to read a precision that was set in its old and in its new way.
        except (AttributeError, RuntimeError):
            return None


def _backend(path: str, *wanted: Any) -> Setting:
    """An attribute of ``torch.backends``, by its dotted path."""
    parts, _, name = path.rpartition(".")

    def owner() -> Any:
        found: Any = torch.backends
        for part in filter(None, parts.split(".")):
            found = getattr(found, part)
        return found

    return Setting(path, lambda: getattr(owner(), name), lambda value: setattr(owner(), name, value), wanted)


def _attention(name: str) -> Setting:
    cuda = torch.backends.cuda
    return Setting(
        f"{name}_sdp", lambda: getattr(cuda, f"{name}_sdp_enabled")(),  # noqa: PLW0108 - looked up when it is called
        lambda v: getattr(cuda, f"enable_{name}_sdp")(v), (True,),  # noqa: PLW0108
    )  # fmt: skip


def _set_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _set_anomaly(value: tuple[bool, bool]) -> None:
    torch.autograd.set_detect_anomaly(*value)


#: each with torch's own default, which is what the command line trains with. In this order they are set and put back:
#: what is said of all arithmetic comes before what is said of one kind
SETTINGS = (
    Setting("default dtype", torch.get_default_dtype, torch.set_default_dtype, (torch.float32,)),
    Setting("threads", torch.get_num_threads, torch.set_num_threads),
    Setting(
        "deterministic algorithms",
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        _set_deterministic,
        ((False, False),),
    ),
    Setting(
        "anomaly detection",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        _set_anomaly,
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
    """What the process had before the first of several threads came in; put back when the last one leaves."""

    lock: Any = attrs.field(factory=threading.Lock)
    inside: int = 0
    before: list[Any] = attrs.field(factory=list)

    def enter(self) -> None:
        with self.lock:
            if not self.inside:
                self.before = [setting.value() for setting in SETTINGS]
                for setting in SETTINGS:
                    found = setting.value()
                    if found is not None and setting.wanted and found not in setting.wanted:
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
    """Compute inside as the command line does, whatever the program has set; afterwards all is as it was.

    Several threads may be inside, and in one thread one inside the other.
    """
    _shared.enter()
    try:
        with contextlib.ExitStack() as stack:
            # These are each thread's own.
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
        with contextlib.suppress(RuntimeError):  # of a device that this torch does not know
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
    if torch.get_default_device().type != "cpu":
        stack.enter_context(torch.device("cpu"))
    if not float(torch.tensor([1e-310], dtype=torch.float64, device="cpu") * 1):  # torch tells in no other way
        torch.set_flush_denormal(False)
        stack.callback(torch.set_flush_denormal, True)
    stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))


def seed_generators(seed: int) -> None:
    """Start torch's, numpy's and Python's generators anew, which components may draw from."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what a component draws from without asking for a generator
    random.seed(seed)


@attrs.define
class _Turn:
    """Whose turn it is to draw: the generators are one for all threads."""

    lock: Any = attrs.field(factory=threading.RLock)
    training: bool = False


_turn = _Turn()


@contextlib.contextmanager
def drawing(what: str, *, training: bool = False) -> Iterator[None]:
    """:func:`undisturbed`, with the generators to oneself; afterwards they go on where they were.

    Args:
        what: the one who draws, for the message.
        training: whether it takes so long that others should not wait for it.

    Raises:
        UsageError: another thread of this process is training.
    """
    while not _turn.lock.acquire(timeout=0.05):
        if _turn.training:
            raise UsageError(
                f"{what} cannot begin: another thread of this program is training, and torch's random numbers and "
                f"settings are one for all threads, so that both would come to other figures. Do one after the other, "
                f"or give each run a process of its own (concurrent.futures.ProcessPoolExecutor)."
            )
    before, _turn.training = _turn.training, _turn.training or training
    try:
        with undisturbed(), _generators_kept():
            yield
    finally:
        _turn.training = before
        _turn.lock.release()


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    """Put the generators back, of torch on every device, of numpy and of Python."""
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
            torch.cuda.manual_seed_all(seed)  # as torch does by itself when a program first uses CUDA
        if mps is not None:
            torch.mps.set_rng_state(mps)
        torch.set_rng_state(state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
