"""Bounds on the model that a file may describe: it is no larger than the file's weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration

from asl_core.errors import CheckpointError

__all__ = ["no_larger_than", "on_meta"]

_SPARE_NUMBERS = 1 << 22  #: 16 MiB of float32, for computed tables that are not saved
_SPARE_PARTS = 2000


class _TooLargeError(Exception):
    """The model is larger than these weights can fill."""


@contextmanager
def no_larger_than(tensors: Collection[Tensor], path: Path) -> Iterator[None]:
    """Stop building a model as soon as it is larger than its weights can fill.

    A file of a kilobyte may describe an encoder of a terabyte. Each parameter and buffer is counted when it is
    registered, after its allocation: build the model on the meta device first (:func:`on_meta`).

    Args:
        tensors: all of the file.
        path: of the file.

    Raises:
        CheckpointError: it has more than twice the values or tensors of the file, and some spare.
    """
    left = {
        "numbers": 2 * sum(t.numel() for t in tensors) + _SPARE_NUMBERS,
        "tensors": 2 * len(tensors) + _SPARE_PARTS,
        "modules": 8 * len(tensors) + _SPARE_PARTS,
    }

    def spend(what: str, count: int) -> None:
        left[what] -= count
        if left[what] < 0:
            raise _TooLargeError

    def count_tensor(_module: nn.Module, _name: str, tensor: Tensor | None) -> None:
        if tensor is not None:
            spend("tensors", 1)
            spend("numbers", tensor.numel())

    def count_module(_module: nn.Module, _name: str, _child: nn.Module | None) -> None:
        spend("modules", 1)

    hooks = [
        registration.register_module_parameter_registration_hook(count_tensor),
        registration.register_module_buffer_registration_hook(count_tensor),
        registration.register_module_module_registration_hook(count_module),
    ]
    try:
        yield
    except _TooLargeError as fault:
        raise CheckpointError(
            f"{path} describes a model far larger than the {sum(t.numel() for t in tensors):,} numbers that it holds; "
            f"it was damaged, or made to fill the memory. Use another checkpoint."
        ) from fault
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def on_meta() -> Iterator[None]:
    """Build modules on the meta device, with shapes alone; the process's random generators are left alone."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        yield
