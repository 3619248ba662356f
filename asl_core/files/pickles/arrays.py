"""Stand-ins for the globals that pickles of numpy arrays name; numpy's own functions are never called.

A pickle names functions to be called with arguments of its choice. To allow numpy's own by name is not enough:
``_reconstruct`` with a large shape allocates whatever the file asks for. Each stand-in takes only what numpy's
pickles contain, and an array is a view of bytes that the file really has.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import attrs
import numpy as np

from asl_core.files.pickles.stand_ins import (
    PickleBudget,
    PickleOpaque,
    PicklePending,
    PickleRefused,
    PickleStandIns,
    PickleSymbol,
)

__all__ = ["NumpyStandIns"]

_MAX_DIMENSIONS = 4
_NUMBERS = frozenset(
    [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)] + ["f2", "f4", "f8", "b1"],
)
_MAX_TEXT_BYTES = 4096  #: of a numpy string scalar, which a gloss may be
_SMALL = 128  #: bytes of memory for a dtype, or for a byte string beside its content
_OPAQUE = 512  #: the same of a PickleOpaque, its name and the function that makes it
_ARRAY = 640  #: the same of an array, and of what a data set makes of it: another array, a record, a clip

#: modules of the standard library whose types hold data and nothing else
_DATA_MODULES = {
    "collections", "copyreg", "datetime", "decimal", "enum", "fractions", "ipaddress", "pathlib", "time", "uuid",
    "zoneinfo",
}  # fmt: skip
_BUILTINS = {"set", "frozenset", "complex", "range", "slice", "object", "bytearray", "list", "tuple", "dict"}


@attrs.define(eq=False)
class _PendingDType:
    """A dtype whose byte order follows with its state."""

    code: str  #: ``f4``, or ``U5`` for text
    order: str = "="

    def set_state(self, state: object) -> None:
        """Take the byte order; refuse structure, sub-arrays and fields."""
        if type(state) is not tuple or len(state) not in (8, 9) or type(state[1]) is not str:
            raise PickleRefused("a dtype with an unknown kind of state")
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise PickleRefused("a structured dtype, where plain numbers were expected")
        if self.code in _NUMBERS and state[5:8] != (-1, -1, 0):  # size, alignment and flags of its own
            raise PickleRefused("a dtype of numbers with another size or other flags than numpy's")
        self.order = state[1]

    def numbers(self) -> np.dtype[Any]:
        """As numpy's dtype, for a code of numbers."""
        return np.dtype(("=" if self.order == "|" else self.order) + self.code)


class NumpyStandIns(PickleStandIns):
    """The globals that numpy's pickles of plain arrays name.

    Args:
        budget: of the file.
        size: bytes of the file; its arrays together may claim them once.
        opaque: put a :class:`~asl_core.PickleOpaque` in place of a value of another type, rather than refuse the file.
    """

    def __init__(self, budget: PickleBudget, size: int, *, opaque: bool = False):
        self._unclaimed = size
        self._opaque: dict[str, PickleOpaque] | None = {} if opaque else None
        self._ndarray = PickleSymbol("numpy.ndarray")
        empty = PickleSymbol("builtins.bytes", self._empty)
        table = {
            ("numpy", "ndarray"): self._ndarray,
            ("numpy", "dtype"): PickleSymbol("numpy.dtype", self._dtype),
            ("_codecs", "encode"): PickleSymbol("_codecs.encode", self._encode),
            ("builtins", "bytes"): empty,
            ("__builtin__", "bytes"): empty,
        }
        for core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
            table[f"{core}.multiarray", "_reconstruct"] = PickleSymbol("_reconstruct", self._reconstruct)
            table[f"{core}.multiarray", "scalar"] = PickleSymbol("scalar", self._scalar)
            table[f"{core}.numeric", "_frombuffer"] = PickleSymbol("_frombuffer", self._frombuffer)
        super().__init__(budget, table)

    def find(self, module: str, name: str) -> PickleSymbol:
        """The stand-in for a global; where allowed, one that makes a PickleOpaque of a type that is not read."""
        if self._opaque is None or (module, name) in self.table or not _is_data_type(module, name):
            return super().find(module, name)
        shown = f"{module[:80]}.{name[:80]}".encode("unicode_escape").decode()
        value = self.instead(shown.removeprefix("__builtin__.").removeprefix("builtins."), "")
        return PickleSymbol(shown, lambda _: value)

    def instead(self, kind: str, refusal: str) -> PickleOpaque:
        """The PickleOpaque for a value of a type that is not read, where those are allowed."""
        if self._opaque is None:
            return super().instead(kind, refusal)
        self.budget.spend(_OPAQUE)
        return self._opaque.setdefault(kind, PickleOpaque(kind))

    def build(self, target: object, state: object) -> object:
        """An array from its state, as numpy's ``__setstate__`` takes it, or a dtype with its byte order."""
        if type(target) is _PendingDType:
            target.set_state(state)
            return target
        if type(target) is PickleOpaque:
            return target
        if type(target) is not PicklePending:
            return super().build(target, state)
        if type(state) is not tuple or len(state) != 5 or type(state[3]) not in (bool, int):
            raise PickleRefused("an array with an unknown kind of state")
        return self._array(state[4], state[2], state[1], "F" if state[3] else "C")

    def _array(self, data: object, dtype: object, shape: object, order: str) -> np.ndarray | PickleOpaque:
        if type(dtype) is PickleOpaque:
            return dtype
        if type(dtype) is not _PendingDType or type(shape) is not tuple:
            raise PickleRefused("an array without a plain dtype and shape")
        if type(data) not in (bytes, memoryview):  # a list here is how numpy pickles arrays of objects
            return self.instead(
                "an array of Python objects", "an array of Python objects, where floats or integers were expected"
            )
        if dtype.code not in _NUMBERS:
            return self.instead(
                f"an array of dtype {dtype.code[:20]}",
                f"an array of dtype {dtype.code!r}, where floats or integers were expected",
            )
        numbers = dtype.numbers()
        if len(shape) > _MAX_DIMENSIONS or any(type(n) is not int or not 0 <= n < 2**40 for n in shape):
            raise PickleRefused(f"an array of {len(shape)} dimensions or of an impossible shape")
        expected = math.prod(shape) * numbers.itemsize
        if len(data) != expected:  # type: ignore[arg-type]  # its type is checked above
            raise PickleRefused(f"an array of shape {shape} and {expected} bytes that has {len(data)} bytes")  # type: ignore[arg-type]
        self._unclaimed -= expected
        if self._unclaimed < 0:
            raise PickleRefused("arrays that together claim more bytes than the whole file has")
        self.budget.spend(_ARRAY)
        return np.ndarray(shape, numbers, buffer=data, order="F" if order == "F" else "C")  # type: ignore[arg-type]

    def _reconstruct(self, args: tuple[Any, ...]) -> PicklePending:
        empty = len(args) == 3 and type(args[1]) is tuple and len(args[1]) == 1
        if not empty or args[0] is not self._ndarray or type(args[1][0]) is not int or args[1][0] != 0:
            raise PickleRefused("an array made with a shape of its own choice instead of (0,)")
        self.budget.spend(_SMALL)
        return PicklePending()

    def _frombuffer(self, args: tuple[Any, ...]) -> np.ndarray | PickleOpaque:
        """Protocol 5: (buffer, dtype, shape, order) and, for order K, the order of the axes."""
        if len(args) not in (4, 5) or type(args[3]) is not str or args[3] not in ("C", "F", "K"):
            raise PickleRefused("an array with an unknown kind of buffer")
        array = self._array(args[0], args[1], args[2], args[3])
        if args[3] != "K" or isinstance(array, PickleOpaque):
            return array
        axes = args[4] if len(args) == 5 else None
        if type(axes) is not tuple or any(type(axis) is not int for axis in axes):
            raise PickleRefused("an array with an unknown order of axes")
        return array.transpose(axes)

    def _dtype(self, args: tuple[Any, ...]) -> _PendingDType | PickleOpaque:
        if not args or type(args[0]) is not str:
            raise PickleRefused("a dtype without a name")
        # numpy writes (name, align, copy) so; without a copy its own dtype would not take the byte order that follows.
        if len(args) != 3 or args[1] not in (False, 0) or args[2] not in (True, 1):
            raise PickleRefused("a dtype made in another way than numpy's pickles make one")
        text = args[0][:1] == "U" and args[0][1:].isdecimal()
        if args[0] not in _NUMBERS and not text:
            shown = f"dtype {args[0][:20]!r}"
            kind = "an array of Python objects" if args[0][:1] == "O" else shown
            return self.instead(kind, f"the {shown}; expected floats, integers or booleans")
        self.budget.spend(_SMALL)
        return _PendingDType(args[0])

    def _scalar(self, args: tuple[Any, ...]) -> object:
        """A numpy scalar as the Python number or text that it stands for."""
        if len(args) == 2 and type(args[0]) is PickleOpaque:
            return args[0]
        if len(args) != 2 or type(args[0]) is not _PendingDType or type(args[1]) not in (bytes, memoryview):
            raise PickleRefused("a numpy scalar that is not a number")
        dtype, data = args
        if dtype.code[0] == "U" and len(data) <= _MAX_TEXT_BYTES:
            text = str(bytes(data), "utf-32-be" if dtype.order == ">" else "utf-32-le").rstrip("\0")
            self.budget.spend(sys.getsizeof(text))
            return text
        array = self._array(data, dtype, (), "C")
        return array if isinstance(array, PickleOpaque) else array.item()

    def _encode(self, args: tuple[Any, ...]) -> bytes:
        """How protocols 0 to 2 write bytes: as text of the same code points."""
        if len(args) != 2 or type(args[0]) is not str or type(args[1]) is not str or args[1] != "latin1":
            raise PickleRefused("a text encoding other than latin1")
        self.budget.spend(_SMALL + len(args[0]))
        return args[0].encode("latin-1")

    @staticmethod
    def _empty(args: tuple[Any, ...]) -> bytes:
        """How protocols 0 to 2 write no bytes at all."""
        if args:
            raise PickleRefused("bytes made from something else than text")
        return b""


def _is_data_type(module: str, name: str) -> bool:
    """Whether a global may be the type of a value, to be skipped, rather than a function to be called.

    Neither is run, but a file that names ``os.system`` is hostile and refused as a whole. So of the standard library
    only a few modules of data types pass, and of third-party packages every valid name.
    """
    if module in ("builtins", "__builtin__"):
        return name in _BUILTINS
    top = module.partition(".")[0]
    if not all(part.isidentifier() for part in f"{module}.{name}".split(".")) or top in ("numpy", "asl_core"):
        return False
    return top in _DATA_MODULES if top in sys.stdlib_module_names or top in ("nt", "posix") else True
