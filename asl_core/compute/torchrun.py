"""Joining the processes that torchrun started, from the environment."""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Mapping

import torch
import torch.distributed as dist

from asl_core.compute.distributed import ALONE, TIMEOUT, Processes
from asl_core.errors import ConfigError, RunError

__all__ = ["joined", "wanted"]

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def wanted(environ: Mapping[str, str] | None = None) -> int:
    """The number of processes that torchrun started."""
    text = (os.environ if environ is None else environ).get("WORLD_SIZE", "1")
    return int(text) if text.isdecimal() else 1


def joined(environ: Mapping[str, str] | None = None) -> Processes:
    """This process among those that torchrun started; :data:`ALONE` without torchrun.

    Raises:
        ConfigError: the environment is incomplete or contradictory.
        RunError: the others do not answer.
    """
    environ = os.environ if environ is None else environ
    if environ.get("WORLD_SIZE", "1") == "1":
        return ALONE
    missing = [name for name in _NEEDED if name not in environ]
    problems = [
        f"the environment asks for several processes (WORLD_SIZE is {environ['WORLD_SIZE']!r}) and lacks "
        f"{', '.join(missing)}: start them with `torchrun --no-python --nproc-per-node N asl run …`, or unset "
        f"WORLD_SIZE"
    ] * bool(missing)
    numbers = {name: environ.get(name, "0") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT")}
    problems += [f"{name} is {text!r}, which is not a whole number" for name, text in numbers.items()
                 if not text.isdecimal()]  # fmt: skip
    if not problems and int(numbers["RANK"]) >= int(numbers["WORLD_SIZE"]):
        problems.append(f"RANK is {numbers['RANK']}, and the processes are numbered from 0 to WORLD_SIZE - 1")
    if not problems and not dist.is_available():
        problems.append("this build of torch has no torch.distributed: run one process")
    if problems:
        raise ConfigError(problems)
    return _join(int(numbers["RANK"]), int(numbers["WORLD_SIZE"]), int(numbers["LOCAL_RANK"]))


@functools.cache
def _join(rank: int, size: int, local_rank: int) -> Processes:
    """Connect, once per process: several runs of a script share the connection."""
    from torch.distributed.distributed_c10d import PrefixStore  # absent in some builds of torch
    from torch.distributed.rendezvous import rendezvous

    # Objects use gloo, gradients on GPUs nccl.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        store, rank, size = next(rendezvous("env://", rank, size, timeout=TIMEOUT))
        store.set_timeout(TIMEOUT)
        dist.init_process_group(backend, store=PrefixStore("asl", store), rank=rank, world_size=size, timeout=TIMEOUT)
    except (RuntimeError, OSError) as fault:
        raise RunError(
            f"process {rank} of {size} could not connect to the others at {os.environ['MASTER_ADDR']}:"
            f"{os.environ['MASTER_PORT']} ({str(fault).strip().partition(chr(10))[0]}); check that all of them "
            f"run and can reach that address."
        ) from fault
    atexit.register(dist.destroy_process_group)
    return Processes(rank, size, local_rank, PrefixStore("asl faults", store))
