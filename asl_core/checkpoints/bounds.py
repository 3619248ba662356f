"""What a file may make of this program: a model no larger than its weights, and files inside its own folder."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration

from asl_core.errors import CheckpointError

__all__ = ["no_larger_than", "on_meta"]

_SPARE_NUMBERS = 1 << 22  #: 16 MiB of float32, for tables that are computed and not saved
_SPARE_PARTS = 2000


class _TooLargeError(Exception):
    """More was made than a model of these weights can hold."""


@contextmanager
def no_larger_than(tensors: Collection[Tensor], path: Path) -> Iterator[None]:
    """Stop the making of a model as soon as it has more in it than its weights can fill.

    A file of a kilobyte may describe an encoder of a terabyte. Each parameter and buffer is counted as it is
    registered, which comes after it is allocated: make the model where that costs nothing first (:func:`on_meta`).

    Args:
        tensors: all of the file.
        path: of the file.

    Raises:
        CheckpointError: it has more than twice the numbers or tensors of the file, and some spare.
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
    """Modules are made with shapes alone and no numbers; the random numbers of the process are not touched."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        yield
