"""Several processes that train one model: ``torchrun --no-python --nproc-per-node N asl run …``.

Every process holds the whole model and all clips, computes its share of every batch, and the gradients are summed; the
first process writes the run. They are summed in one flat buffer per step, and not by torch's DistributedDataParallel,
which averages over processes (wrong where shares differ in size), waits for hooks of a backward pass that a process
with an empty share does not run, and wraps one forward call, while a step here runs encoder, heads and losses. Its
gain, sending during the backward pass, is small for models of a few megabytes.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import signal
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import torch
import torch.distributed as dist
from torch import Tensor

from asl_core.compute.device import choose_device
from asl_core.errors import AslError, ConfigError, RunError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

__all__ = ["ALONE", "TIMEOUT", "EchoError", "LostContactError", "Processes"]

T = TypeVar("T")

#: how long a process waits for the others; if one hangs, the run ends after this
TIMEOUT = timedelta(minutes=10)


class LostContactError(RunError):
    """Another process died, or did not answer in time."""


class EchoError(AslError):
    """A fault that another process reports; not printed."""

    def __init__(self, exit_code: int):
        super().__init__("another process reports the fault")
        self.exit_code = exit_code


@attrs.frozen(eq=False)
class Processes:
    """This process among those that train a run. With one process, methods return their argument."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  #: among the processes of this machine
    faults: Store | None = None  #: faults already reported; kept by torchrun, so that it survives a process

    @property
    def leads(self) -> bool:
        """Whether this process writes the run and prints."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """The device of this process: one GPU per process, or the CPU.

        Raises:
            ConfigError: there is no such device, or not one per process.
        """
        if self.size == 1:
            return choose_device(name)
        device = choose_device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        if device.type == "cpu":
            return device
        if device.type != "cuda" or ":" in name:
            raise ConfigError([f"run.device is {name!r}, which {self.size} processes cannot share: use cuda or cpu"])
        if self.local_rank >= torch.cuda.device_count():
            raise ConfigError(
                [
                    f"process {self.local_rank} of this machine has no GPU, there are {torch.cuda.device_count()}: "
                    f"start as many processes as there are GPUs, or use --device cpu"
                ]
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)

    def share(self, index: Tensor) -> Tensor:
        """Every ``size``-th clip of a batch, so that shares differ by at most one clip, and little in length."""
        return index if self.size == 1 else index[self.rank :: self.size]

    def part(self, items: Iterable[T]) -> Iterator[tuple[int, T]]:
        """Every ``size``-th item with its index."""
        return ((index, item) for index, item in enumerate(items) if index % self.size == self.rank)

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank; waits for all."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _contact():
            dist.all_gather_object(values, value)
        return values

    def total(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Sums by name over all processes, in the order of ranks; a process may lack a name."""
        totals: dict[str, float] = {}
        for one in self.gather(dict(sums)):
            for name, value in one.items():
                totals[name] = totals.get(name, 0.0) + value
        return totals

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Sum the gradients of all processes.

        A parameter without a gradient in any process keeps none, as in one process, so that the optimiser skips it: the
        same buffer counts the processes that have one.
        """
        if self.size == 1:
            return
        several = list(parameters)
        pieces = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in several]
        have = torch.tensor([float(p.grad is not None) for p in several], device=pieces[0].device)
        flat = torch.cat([*pieces, have])
        with _contact():
            dist.all_reduce(flat)
        *sums, counts = torch.split(flat, [*(len(piece) for piece in pieces), len(have)])
        for parameter, value, count in zip(several, sums, counts.tolist(), strict=True):
            parameter.grad = value.view_as(parameter).to(parameter.dtype) if count else None

    @torch.no_grad()
    def take_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the first process, bit by bit."""
        several = [t for t in tensors if t.numel()]
        if self.size == 1 or not several:
            return
        flat = torch.cat([t.detach().contiguous().flatten().view(torch.uint8) for t in several])
        with _contact():
            dist.broadcast(flat, 0)
        sizes = [t.numel() * t.element_size() for t in several]
        for tensor, value in zip(several, torch.split(flat, sizes), strict=True):
            tensor.copy_(value.clone().view(tensor.dtype).view(tensor.shape))  # a copy, for alignment

    def check_same(self, what: str, state: Mapping[str, Tensor]) -> None:
        """Compare the tensors of all processes, bit by bit.

        Raises:
            RunError: they differ.
        """
        if self.size == 1:
            return
        digest = 0
        for name in sorted(state):
            flat = state[name].detach().cpu().contiguous().flatten()
            digest = zlib.crc32(flat.view(torch.uint8).numpy().data, zlib.crc32(name.encode(), digest))
        digests = self.gather(digest)
        if len(set(digests)) > 1:
            raise RunError(
                f"{what} differs between the processes ({', '.join(f'{d:08x}' for d in digests)}), and should be equal "
                f"to the bit: a component uses its own random generator, or the machines differ. Find the component, "
                f"or train in one process."
            )

    def agree(self, what: str, value: object) -> None:
        """Compare the values of all processes with that of the first.

        Raises:
            RunError: they differ.
        """
        others = [rank for rank, other in enumerate(self.gather(value)) if other != value]
        if others:
            raise RunError(
                f"{what} differs between process {self.rank} and process {others[0]}; start all of them with the same "
                f"command, environment and files."
            )

    @contextlib.contextmanager
    def reported_once(self) -> Iterator[None]:
        """Let one process report a fault, with its rank; in the others an :class:`EchoError` replaces it.

        A store keeps what was reported. Processes cannot agree on it, since the others may be waiting in another
        exchange, which ends when this process does.
        """
        if self.faults is None:
            yield
            return
        try:
            with _ended_by_others():
                yield
        except BaseException as fault:
            atexit.unregister(dist.destroy_process_group)  # it would wait for dead processes
            if not isinstance(fault, Exception):
                raise  # Ctrl-C reaches all of them
            lost = isinstance(fault, LostContactError)
            if (lost and self._reports("fault", 0)) or self._reports("lost" if lost else repr(fault), 1) > 1:
                raise EchoError(fault.exit_code if isinstance(fault, AslError) else 1) from fault
            if not lost:
                self._reports("fault", 1)
            if isinstance(fault, RunError):
                fault.args = (f"process {self.rank} of {self.size}: {fault}",)
            raise

    def _reports(self, fault: str, add: int) -> int:
        """How many processes have reported a fault, after ``add`` more."""
        assert self.faults is not None  # noqa: S101 - for mypy
        try:
            return self.faults.add(f"{zlib.crc32(fault.encode()):08x}", add)
        except RuntimeError:  # no store any more: better reported twice than never
            return add


#: a run in one process
ALONE = Processes()


@contextlib.contextmanager
def _ended_by_others() -> Iterator[None]:
    """Turn the SIGTERM that torchrun sends once another process has ended into an error."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread alone
        return

    def end(*_: object) -> None:
        raise LostContactError(
            "it was ended by SIGTERM, which torchrun sends to all others once one process has ended."
        )

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except Exception:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # let the report be finished
        raise
    except BaseException:
        signal.signal(signal.SIGTERM, before)
        raise
    signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _contact() -> Iterator[None]:
    """Turn what torch raises when another process died into an error."""
    try:
        yield
    except RuntimeError as fault:
        reason = re.sub(r"^\[.*?\] ", "", str(fault).strip()).partition("\n")[0].partition(". ")[0]
        raise LostContactError(
            f"it lost contact with the others ({reason}): one of them was killed, failed, or did not answer for "
            f"{TIMEOUT.seconds // 60} minutes."
        ) from fault
