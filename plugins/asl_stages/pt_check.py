"""Bounds the cost of a ``.pt`` file's pickle before torch reads it.

torch's weights-only reader runs no code, but it hashes any key, makes any number of objects, and views a storage in any
shape. The same instructions go through a :class:`~asl_core.PickleMachine` first, which stays in its budget and makes
stand-ins instead of tensors.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import torch

from asl_core import PickleBudget, PickleMachine, PickleRefused, PickleStandIns, PickleSymbol
from asl_stages.archive import Archive

__all__ = ["PLAIN", "check_pickle", "is_kind"]

PLAIN = {
    "collections.OrderedDict", "collections.Counter", "builtins.set", "__builtin__.set", "torch.Size", "torch.device",
    "torch.nn.parameter.Parameter", "torch._utils._rebuild_parameter", "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
}  # fmt: skip
_MOST_STEPS = 500_000  #: some 60 per tensor with its names
_CALL = 4  #: steps of a call in torch's reader; below, of a tensor's
_TENSOR_CALL = 24
_TENSOR = 1536  #: bytes of a tensor besides its values
_MOST_DIMENSIONS = 16


def is_kind(name: str) -> bool:
    """Whether a global is a dtype or storage class, ``torch.float32``, ``torch.FloatStorage``: it allocates nothing."""
    module, _, last = name.rpartition(".")
    if module != "torch":
        return False
    return isinstance(getattr(torch, last, None), torch.dtype) or (
        last.endswith("Storage") and last != "UntypedStorage"
    )


def check_pickle(data: bytes, archive: Archive) -> None:
    """Run the pickle of an archive with stand-ins.

    Raises:
        PickleRefused: it costs too much, or claims more than its storages have.
        Exception: of many kinds, where it is damaged.
    """
    PickleMachine(data, _TorchStandIns(PickleBudget(len(data), _MOST_STEPS), archive)).run()


@attrs.frozen(eq=False)
class _Storage:
    """The values of a part of the archive."""

    numbers: int


class _Made:
    """An object of torch, which nothing can be added to."""


class _TorchStandIns(PickleStandIns):
    """Stand-ins for :data:`PLAIN`, dtypes and storage classes."""

    def __init__(self, budget: PickleBudget, archive: Archive):
        calls = {
            "OrderedDict": self._ordered, "Counter": self._counter, "set": self._set, "Size": self._made,
            "device": self._made, "Parameter": self._made, "_rebuild_parameter": self._made,
            "_rebuild_tensor": self._tensor, "_rebuild_tensor_v2": self._tensor,
        }  # fmt: skip
        table = {}
        for name in PLAIN:
            module, _, last = name.rpartition(".")
            table[module, last] = PickleSymbol(name, calls[last])
        super().__init__(budget, table)
        self._archive = archive

    def find(self, module: str, name: str) -> PickleSymbol:
        """Dtypes and storage classes are not callable; the rest is in the table."""
        if is_kind(f"{module[:80]}.{name[:80]}"):
            return PickleSymbol(name)
        return super().find(module, name)

    def build(self, target: object, state: object) -> object:
        """A state dict has the versions of its modules as attributes of its OrderedDict."""
        if type(target) is not dict or type(state) is not dict:
            return super().build(target, state)
        self._pay(len(state))
        return target

    def persistent(self, reference: object) -> _Storage:
        """A storage: ("storage", class, part of the archive, device, values)."""
        self.budget.work(_CALL)
        if type(reference) is not tuple or len(reference) != 5 or reference[0] != "storage":
            raise PickleRefused("a reference of an unknown kind to something outside of its list of tensors")
        _, kind, key, _, numbers = reference
        if type(kind) is not PickleSymbol or type(key) is not str or type(numbers) is not int:
            raise PickleRefused("a storage of an unknown kind")
        entry = self._archive.entries.get(f"data/{key}")
        if entry is None:
            raise PickleRefused(f"a storage {key[:40]!r} that the archive does not hold")
        if not 0 <= numbers <= entry.size:
            raise PickleRefused(f"a storage of {numbers:,} numbers in {entry.size:,} bytes")
        return _Storage(numbers)

    def _tensor(self, args: tuple[Any, ...]) -> _Made:
        self.budget.work(_TENSOR_CALL)
        self.budget.spend(_TENSOR)
        if len(args) < 4 or type(args[0]) is not _Storage:
            raise PickleRefused("a tensor without a storage")
        offset, shape, steps = args[1:4]
        if type(shape) is not tuple or type(steps) is not tuple or not len(shape) == len(steps) <= _MOST_DIMENSIONS:
            raise PickleRefused("a tensor of an impossible shape")
        if any(type(n) is not int or not 0 <= n < 1 << 62 for n in (offset, *shape, *steps)):
            raise PickleRefused("a tensor of an impossible shape")
        last = offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
        if math.prod(shape) and last >= args[0].numbers:
            raise PickleRefused(f"a tensor of {math.prod(shape):,} numbers in a storage of {args[0].numbers:,}")
        return _Made()

    def _ordered(self, args: tuple[Any, ...]) -> dict[Any, Any]:
        """Empty; later instructions fill it."""
        self._pay(0)
        if args:
            raise PickleRefused("a table that is made in another way than torch.save writes one")
        return {}

    def _counter(self, args: tuple[Any, ...]) -> dict[Any, Any]:
        if len(args) > 1 or (args and type(args[0]) is not dict):
            raise PickleRefused("counts that are made in another way than torch.save writes them")
        self._pay(len(args[0]) if args else 0)
        return dict(*args)

    def _pay(self, items: int) -> None:
        """For a container made from another one's items, which a file may repeat at will."""
        self.budget.work(_CALL + items)
        self.budget.spend(256 + 112 * items)

    def _set(self, args: tuple[Any, ...]) -> _Made:
        if len(args) != 1 or type(args[0]) is not list or not all(type(item) in (str, int) for item in args[0]):
            raise PickleRefused("a set of something else than text and whole numbers")
        self._pay(len(args[0]))
        self.budget.probe(len(args[0]), 0)
        return _Made()

    def _made(self, args: tuple[Any, ...]) -> _Made:
        self._pay(sum(len(part) for part in args if type(part) in (tuple, list, dict, str)))
        return _Made()
