"""What each instruction of a pickle does to the machine: all those that plain data needs; the rest are refused.

Instructions: CPython's ``pickletools``; PEP 307, PEP 3154, PEP 574.
"""

from __future__ import annotations

import pickle
import struct
import sys

from asl_core.files.pickles import containers as _containers  # noqa: F401 - registers its instructions
from asl_core.files.pickles.stack import (
    BYTES,
    COSTS,
    DICT,
    INSTRUCTIONS,
    LIST,
    MARK,
    MAX_LINE,
    NUMBER,
    TUPLE,
    WIDE_NUMBER,
    PickleStack,
    on,
    popped,
    pushes,
)  # fmt: skip
from asl_core.files.pickles.stand_ins import PickleOpaque, PicklePending, PickleRefused, PickleSymbol

__all__ = ["COSTS", "INSTRUCTIONS"]

MAX_INT_BYTES = 32  #: the state of a random generator takes 17


def _long(machine: PickleStack, size: int) -> int:
    if size > MAX_INT_BYTES:
        raise PickleRefused(f"a whole number of {size} bytes")
    return int.from_bytes(machine.take(size), "little", signed=True)


def _int_line(machine: PickleStack) -> int | bool:
    text = machine.line(64)
    return text == b"01" if text in (b"00", b"01") else int(text)  # protocol 0 writes booleans so


def _text(machine: PickleStack, raw: bytes | memoryview, encoding: str) -> str:
    """A text; its size is subtracted from the budget: one character outside of ASCII may make four bytes of each."""
    machine.budget.spend(4 * len(raw))
    text = str(raw, encoding)
    machine.budget.memory += 4 * len(raw) - sys.getsizeof(text)
    return text


pushes(pickle.NONE, lambda _: None)
pushes(pickle.NEWTRUE, lambda _: True)
pushes(pickle.NEWFALSE, lambda _: False)
pushes(pickle.INT, _int_line, WIDE_NUMBER)
pushes(pickle.LONG, lambda m: int(m.line(64).removesuffix(b"L")), WIDE_NUMBER)
pushes(pickle.FLOAT, lambda m: float(m.line(64)), NUMBER)
pushes(pickle.BININT1, lambda m: m.take(1)[0])
pushes(pickle.BININT2, lambda m: m.number(2), NUMBER)
pushes(pickle.BININT, lambda m: int.from_bytes(m.take(4), "little", signed=True), NUMBER)
pushes(pickle.LONG1, lambda m: _long(m, m.number(1)), WIDE_NUMBER)
pushes(pickle.LONG4, lambda m: _long(m, m.number(4)), WIDE_NUMBER)
pushes(pickle.BINFLOAT, lambda m: struct.unpack(">d", m.take(8))[0], NUMBER)
pushes(pickle.UNICODE, lambda m: _text(m, m.line(None), "raw-unicode-escape"))
pushes(pickle.SHORT_BINUNICODE, lambda m: _text(m, m.take(m.number(1)), "utf-8"))
pushes(pickle.BINUNICODE, lambda m: _text(m, m.take(m.number(4)), "utf-8"))
pushes(pickle.BINUNICODE8, lambda m: _text(m, m.take(m.number(8)), "utf-8"))
pushes(pickle.SHORT_BINBYTES, lambda m: m.take(m.number(1)), BYTES)
pushes(pickle.BINBYTES, lambda m: m.take(m.number(4)), BYTES)
pushes(pickle.BINBYTES8, lambda m: m.take(m.number(8)), BYTES)
pushes(pickle.BYTEARRAY8, lambda m: m.take(m.number(8)), BYTES)
pushes(pickle.EMPTY_DICT, lambda _: {}, DICT)
pushes(pickle.EMPTY_LIST, lambda _: [], LIST)
pushes(pickle.EMPTY_TUPLE, lambda _: ())
pushes(pickle.LIST, lambda m: m.marked(), LIST)
pushes(pickle.TUPLE, lambda m: tuple(m.marked()), TUPLE)
pushes(pickle.GET, lambda m: m.memo[int(m.line(64))])
pushes(pickle.BINGET, lambda m: m.memo[m.take(1)[0]])
pushes(pickle.LONG_BINGET, lambda m: m.memo[m.number(4)])
pushes(pickle.DUP, lambda m: m.stack[-1])
pushes(pickle.GLOBAL, lambda m: m.stand_ins.find(m.line().decode(), m.line().decode()))
pushes(pickle.BINPERSID, lambda m: m.stand_ins.persistent(m.stack.pop()))


@on(pickle.PROTO)
def _proto(machine: PickleStack) -> None:
    protocol = machine.number(1)
    if protocol > pickle.HIGHEST_PROTOCOL:
        raise PickleRefused(f"a pickle of protocol {protocol}, where 0 to {pickle.HIGHEST_PROTOCOL} are known")


@on(pickle.FRAME)
def _frame(machine: PickleStack) -> None:
    size = machine.number(8)
    if size > len(machine.data) - machine.at:
        raise EOFError(f"a frame of {size} bytes was announced, {len(machine.data) - machine.at} are left")


@on(pickle.STOP)
def _stop(machine: PickleStack) -> None:
    machine.done = True


@on(pickle.MARK, cost=MARK)
def _mark(machine: PickleStack) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


@on(pickle.POP)
def _pop(machine: PickleStack) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.marked()


on(pickle.POP_MARK)(lambda m: m.marked())
on(pickle.PUT)(lambda m: m.remember(int(m.line(64))))
on(pickle.BINPUT)(lambda m: m.remember(m.take(1)[0]))
on(pickle.LONG_BINPUT)(lambda m: m.remember(m.number(4)))
on(pickle.MEMOIZE)(lambda m: m.remember(len(m.memo)))
pushes(pickle.TUPLE1, lambda m: tuple(popped(m, 1)), TUPLE)
pushes(pickle.TUPLE2, lambda m: tuple(popped(m, 2)), TUPLE)
pushes(pickle.TUPLE3, lambda m: tuple(popped(m, 3)), TUPLE)


def _stack_global(machine: PickleStack) -> object:
    module, name = popped(machine, 2)
    if type(name) is not str or type(module) is not str:
        raise ValueError("the name of a global is no text")
    if max(len(module), len(name)) > MAX_LINE:
        raise PickleRefused("a global with a name of thousands of characters")
    return machine.stand_ins.find(module, name)


def _reduce(machine: PickleStack) -> object:
    function, args = popped(machine, 2)
    if type(function) is not PickleSymbol or function.call is None or type(args) is not tuple:
        raise PickleRefused("a call of something that is no function of plain data")
    return function.call(args)


pushes(pickle.STACK_GLOBAL, _stack_global)
pushes(pickle.REDUCE, _reduce)


@on(pickle.BUILD)
def _build(machine: PickleStack) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    made = machine.stack[-1] = machine.stand_ins.build(target, state)
    if type(target) is PicklePending and target.place is not None:
        machine.memo[target.place] = made


def _refuses(code: bytes, what: str) -> None:
    def instruction(_: PickleStack) -> None:
        raise PickleRefused(what)

    on(code)(instruction)


_refuses(pickle.PERSID, "a reference to something outside of the file (a persistent id)")
for _code in (pickle.EXT1, pickle.EXT2, pickle.EXT4):
    _refuses(_code, "a global by number (the extension registry)")

_NO_OBJECT = "an object of a class, where plain containers were expected"
_NO_SET = "a set, where dicts and lists were expected"


def _object_of(symbol: object) -> PickleOpaque:
    """The replacement of an object of a class, which is not run."""
    if type(symbol) is not PickleSymbol or symbol.call is None or type(made := symbol.call(())) is not PickleOpaque:
        raise PickleRefused(_NO_OBJECT)
    return made


def _inst(machine: PickleStack) -> PickleOpaque:
    symbol = machine.stand_ins.find(machine.line().decode(), machine.line().decode())
    machine.marked()
    return _object_of(symbol)


pushes(pickle.NEWOBJ, lambda m: _object_of(popped(m, 2)[0]))  # the others are arguments
pushes(pickle.NEWOBJ_EX, lambda m: _object_of(popped(m, 3)[0]))
pushes(pickle.OBJ, lambda m: _object_of(m.marked()[0]))
pushes(pickle.INST, _inst)
pushes(pickle.EMPTY_SET, lambda m: m.stand_ins.instead("a set", _NO_SET))
pushes(pickle.FROZENSET, lambda m: (m.marked(), m.stand_ins.instead("a set", _NO_SET))[1])


@on(pickle.ADDITEMS)
def _additems(machine: PickleStack) -> None:
    machine.marked()
    if type(machine.stack[-1]) is not PickleOpaque:
        raise PickleRefused(_NO_SET)


for _code in (pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING):
    _refuses(_code, "text of Python 2, whose encoding is not known")
for _code in (pickle.NEXT_BUFFER, pickle.READONLY_BUFFER):
    _refuses(_code, "an array whose bytes are kept outside of the file")
