"""What the few numpy names in a pickle of arrays are allowed to mean, without calling numpy's own functions.

A pickle names functions to be called with arguments of its choice. To allow numpy's own by name is not enough:
``_reconstruct`` with a large shape allocates whatever the file says. Each stand-in here takes only what numpy's
pickles hold, and an array is made as a view of bytes that the file really has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from asl_wlasl.opaque import Opaque, is_data

__all__ = ["ArrayToBe", "DTypeToBe", "Refused", "StandIns", "Symbol"]

MAX_DIMENSIONS = 4
_NUMBERS = frozenset(
    [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)] + ["f2", "f4", "f8", "b1"],
)
_MAX_TEXT_BYTES = 4096  #: of a numpy string scalar, which a gloss may be


class Refused(Exception):  # noqa: N818 - it becomes a DataError where the file's name is known
    """The pickle asks for something that a data file does not need; the text says what."""


@attrs.frozen(eq=False)
class Symbol:
    """A global that the pickle may name, and what calling it does here."""

    name: str
    call: Callable[[tuple[Any, ...]], object] | None = None


@attrs.define(eq=False)
class ArrayToBe:
    """What ``_reconstruct`` gives: an array whose shape and bytes come with its state."""

    place: int | None = None  #: in the memo, so that later references get the array itself


@attrs.define(eq=False)
class DTypeToBe:
    """A dtype whose byte order comes with its state."""

    code: str  #: ``f4``, or ``U5`` for text
    order: str = "="

    def set_state(self, state: object) -> None:
        """Take the byte order; refuse structure, sub-arrays and fields."""
        if type(state) is not tuple or len(state) not in (8, 9) or type(state[1]) is not str:
            raise Refused("a dtype with an unknown kind of state")
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise Refused("a structured dtype, where plain numbers were expected")
        if self.code in _NUMBERS and state[5:8] != (-1, -1, 0):  # size, alignment and flags of its own
            raise Refused("a dtype of numbers with another size or other flags than numpy's")
        self.order = state[1]

    def numbers(self) -> np.dtype[Any]:
        """As numpy knows it, where it is of numbers."""
        return np.dtype(("=" if self.order == "|" else self.order) + self.code)


class StandIns:
    """The allowed globals of one file, and what is left of the bytes that its arrays may claim.

    Args:
        file_size: bytes. A file holds the bytes of each array once, so all arrays together cannot have more;
            one that refers to the same bytes again and again would make a small file a large data set.
        opaque: put an :class:`Opaque` where a value of another type stands, rather than refuse the file.
    """

    def __init__(self, file_size: int, *, opaque: bool = False):
        self._opaque: dict[str, Opaque] | None = {} if opaque else None
        self._bytes_left = {"arrays": file_size, "bytes": file_size}
        self._ndarray = Symbol("numpy.ndarray")
        encode = Symbol("_codecs.encode", self._encode)
        dtype = Symbol("numpy.dtype", self._dtype)
        empty = Symbol("builtins.bytes", self._empty)
        self._table = {
            ("numpy", "ndarray"): self._ndarray,
            ("numpy", "dtype"): dtype,
            ("_codecs", "encode"): encode,
            ("builtins", "bytes"): empty,
            ("__builtin__", "bytes"): empty,
        }
        for core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
            self._table[f"{core}.multiarray", "_reconstruct"] = Symbol("_reconstruct", self._reconstruct)
            self._table[f"{core}.multiarray", "scalar"] = Symbol("scalar", self._scalar)
            self._table[f"{core}.numeric", "_frombuffer"] = Symbol("_frombuffer", self._frombuffer)

    def find(self, module: str, name: str) -> Symbol:
        """The stand-in for a global.

        Raises:
            Refused: there is none; the text names the global.
        """
        symbol = self._table.get((module, name))
        if symbol is None:
            shown = f"{module[:80]}.{name[:80]}".encode("unicode_escape").decode()  # it may hold anything
            if self._opaque is not None and is_data(module, name):
                value = self.instead(shown.removeprefix("__builtin__.").removeprefix("builtins."), "")
                return Symbol(shown, lambda _: value)
            raise Refused(f"the global {shown}, which is code and not data")
        return symbol

    def instead(self, kind: str, refusal: str) -> Opaque:
        """What stands for a value of a type that is not read.

        Raises:
            Refused: with ``refusal``, where the file may hold plain data only.
        """
        if self._opaque is None:
            raise Refused(refusal)
        return self._opaque.setdefault(kind, Opaque(kind))

    def build(self, state: object) -> np.ndarray | Opaque:
        """The array that ``__setstate__`` of numpy would make: (version, shape, dtype, Fortran order, bytes)."""
        if type(state) is not tuple or len(state) != 5 or type(state[3]) not in (bool, int):
            raise Refused("an array with an unknown kind of state")
        return self._array(state[4], state[2], state[1], "F" if state[3] else "C")

    def _array(self, data: object, dtype: object, shape: object, order: str) -> np.ndarray | Opaque:
        if type(dtype) is Opaque:
            return dtype
        if type(dtype) is not DTypeToBe or type(shape) is not tuple:
            raise Refused("an array without a plain dtype and shape")
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
        if len(shape) > MAX_DIMENSIONS or any(type(n) is not int or not 0 <= n < 2**40 for n in shape):
            raise Refused(f"an array of {len(shape)} dimensions or of an impossible shape")
        expected = math.prod(shape) * numbers.itemsize
        if len(data) != expected:  # type: ignore[arg-type]  # its type is checked above
            raise Refused(f"an array of shape {shape} and {expected} bytes that has {len(data)} bytes")  # type: ignore[arg-type]
        self._spend("arrays", expected)
        return np.ndarray(shape, numbers, buffer=data, order="F" if order == "F" else "C")  # type: ignore[arg-type]

    def _spend(self, kind: str, count: int) -> None:
        self._bytes_left[kind] -= count
        if self._bytes_left[kind] < 0:
            raise Refused(f"{kind} that together claim more bytes than the whole file has")

    def _reconstruct(self, args: tuple[Any, ...]) -> ArrayToBe:
        empty = len(args) == 3 and type(args[1]) is tuple and len(args[1]) == 1
        if not empty or args[0] is not self._ndarray or type(args[1][0]) is not int or args[1][0] != 0:
            raise Refused("an array made with a shape of its own choice instead of (0,)")
        return ArrayToBe()

    def _frombuffer(self, args: tuple[Any, ...]) -> np.ndarray | Opaque:
        """Protocol 5: (buffer, dtype, shape, order) and, for order K, the order of the axes."""
        if len(args) not in (4, 5) or type(args[3]) is not str or args[3] not in ("C", "F", "K"):
            raise Refused("an array with an unknown kind of buffer")
        array = self._array(args[0], args[1], args[2], args[3])
        if args[3] != "K" or isinstance(array, Opaque):
            return array
        axes = args[4] if len(args) == 5 else None
        if type(axes) is not tuple or any(type(axis) is not int for axis in axes):
            raise Refused("an array with an unknown order of axes")
        return array.transpose(axes)

    def _dtype(self, args: tuple[Any, ...]) -> DTypeToBe | Opaque:
        if not args or type(args[0]) is not str:
            raise Refused("a dtype without a name")
        # numpy writes (name, align, copy) so; without a copy its own dtype would not take the byte order that follows.
        if len(args) != 3 or args[1] not in (False, 0) or args[2] not in (True, 1):
            raise Refused("a dtype made in another way than numpy's pickles make one")
        text = args[0][:1] == "U" and args[0][1:].isdecimal()
        if args[0] not in _NUMBERS and not text:
            shown = f"dtype {args[0][:20]!r}"
            kind = "an array of Python objects" if args[0][:1] == "O" else shown
            return self.instead(kind, f"the {shown}; expected floats, integers or booleans")
        return DTypeToBe(args[0])

    def _scalar(self, args: tuple[Any, ...]) -> object:
        """A numpy scalar as the Python number or text that it stands for."""
        if len(args) == 2 and type(args[0]) is Opaque:
            return args[0]
        if len(args) != 2 or type(args[0]) is not DTypeToBe or type(args[1]) not in (bytes, memoryview):
            raise Refused("a numpy scalar that is not a number")
        dtype, data = args
        if dtype.code[0] == "U" and len(data) <= _MAX_TEXT_BYTES:
            return str(bytes(data), "utf-32-be" if dtype.order == ">" else "utf-32-le").rstrip("\0")
        found = self._array(data, dtype, (), "C")
        return found if isinstance(found, Opaque) else found.item()

    def _encode(self, args: tuple[Any, ...]) -> bytes:
        """How protocols 0 to 2 write bytes: as text of the same code points."""
        if len(args) != 2 or type(args[0]) is not str or type(args[1]) is not str or args[1] != "latin1":
            raise Refused("a text encoding other than latin1")
        self._spend("bytes", len(args[0]))
        return args[0].encode("latin-1")

    @staticmethod
    def _empty(args: tuple[Any, ...]) -> bytes:
        """How protocols 0 to 2 write no bytes at all."""
        if args:
            raise Refused("bytes made from something else than text")
        return b""
