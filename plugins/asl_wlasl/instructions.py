"""What each instruction of a pickle does to the machine: all those that plain data needs; the rest are refused.

Instructions: CPython's ``pickletools``; PEP 307, PEP 3154, PEP 574.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Hashable
from typing import Any

from asl_wlasl.machine import Instruction, Machine
from asl_wlasl.opaque import Opaque
from asl_wlasl.stand_ins import ArrayToBe, DTypeToBe, Refused, Symbol

__all__ = ["INSTRUCTIONS"]

MAX_KEY_TEXT = 4096  #: characters of a dict key
MAX_INT_BYTES = 16


def _unknown(machine: Machine) -> None:
    machine.at -= 1
    raise ValueError(f"byte {machine.data[machine.at]:#04x} is no pickle instruction")


INSTRUCTIONS: list[Instruction] = [_unknown] * 256


def _on(*codes: bytes) -> Callable[[Instruction], Instruction]:
    def register(instruction: Instruction) -> Instruction:
        for code in codes:
            INSTRUCTIONS[code[0]] = instruction
        return instruction

    return register


def _pushes(code: bytes, make: Callable[[Machine], object]) -> None:
    """Define the instruction ``code`` as one that pushes what ``make`` reads."""

    def instruction(machine: Machine) -> None:
        made = make(machine)  # first, since it may take the stack down to a mark
        machine.stack.append(made)

    _on(code)(instruction)


def _long(machine: Machine, size: int) -> int:
    if size > MAX_INT_BYTES:
        raise Refused(f"a whole number of {size} bytes")
    return int.from_bytes(machine.take(size), "little", signed=True)


def _int_line(machine: Machine) -> int | bool:
    text = machine.line(64)
    return text == b"01" if text in (b"00", b"01") else int(text)  # protocol 0 writes booleans so


_pushes(pickle.NONE, lambda _: None)
_pushes(pickle.NEWTRUE, lambda _: True)
_pushes(pickle.NEWFALSE, lambda _: False)
_pushes(pickle.INT, _int_line)
_pushes(pickle.LONG, lambda m: int(m.line(64).removesuffix(b"L")))
_pushes(pickle.FLOAT, lambda m: float(m.line(64)))
_pushes(pickle.BININT1, lambda m: m.take(1)[0])
_pushes(pickle.BININT2, lambda m: m.number(2))
_pushes(pickle.BININT, lambda m: int.from_bytes(m.take(4), "little", signed=True))
_pushes(pickle.LONG1, lambda m: _long(m, m.number(1)))
_pushes(pickle.LONG4, lambda m: _long(m, m.number(4)))
_pushes(pickle.BINFLOAT, lambda m: struct.unpack(">d", m.take(8))[0])
_pushes(pickle.UNICODE, lambda m: m.line(None).decode("raw-unicode-escape"))
_pushes(pickle.SHORT_BINUNICODE, lambda m: str(m.take(m.number(1)), "utf-8"))
_pushes(pickle.BINUNICODE, lambda m: str(m.take(m.number(4)), "utf-8"))
_pushes(pickle.BINUNICODE8, lambda m: str(m.take(m.number(8)), "utf-8"))
_pushes(pickle.SHORT_BINBYTES, lambda m: m.take(m.number(1)))
_pushes(pickle.BINBYTES, lambda m: m.take(m.number(4)))
_pushes(pickle.BINBYTES8, lambda m: m.take(m.number(8)))
_pushes(pickle.BYTEARRAY8, lambda m: m.take(m.number(8)))
_pushes(pickle.EMPTY_DICT, lambda _: {})
_pushes(pickle.EMPTY_LIST, lambda _: [])
_pushes(pickle.EMPTY_TUPLE, lambda _: ())
_pushes(pickle.LIST, lambda m: m.marked())
_pushes(pickle.TUPLE, lambda m: tuple(m.marked()))
_pushes(pickle.GET, lambda m: m.memo[int(m.line(64))])
_pushes(pickle.BINGET, lambda m: m.memo[m.take(1)[0]])
_pushes(pickle.LONG_BINGET, lambda m: m.memo[m.number(4)])
_pushes(pickle.DUP, lambda m: m.stack[-1])
_pushes(pickle.GLOBAL, lambda m: m.stand_ins.find(m.line().decode(), m.line().decode()))


@_on(pickle.PROTO)
def _proto(machine: Machine) -> None:
    protocol = machine.number(1)
    if protocol > pickle.HIGHEST_PROTOCOL:
        raise Refused(f"a pickle of protocol {protocol}, where 0 to {pickle.HIGHEST_PROTOCOL} are known")


@_on(pickle.FRAME)
def _frame(machine: Machine) -> None:
    size = machine.number(8)
    if size > len(machine.data) - machine.at:
        raise EOFError(f"a frame of {size} bytes was announced, {len(machine.data) - machine.at} are left")


@_on(pickle.STOP)
def _stop(machine: Machine) -> None:
    machine.done = True


@_on(pickle.MARK)
def _mark(machine: Machine) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


@_on(pickle.POP)
def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.marked()


@_on(pickle.POP_MARK)
def _pop_mark(machine: Machine) -> None:
    machine.marked()


@_on(pickle.PUT)
def _put(machine: Machine) -> None:
    machine.remember(int(machine.line(64)))


@_on(pickle.BINPUT)
def _binput(machine: Machine) -> None:
    machine.remember(machine.take(1)[0])


@_on(pickle.LONG_BINPUT)
def _long_binput(machine: Machine) -> None:
    machine.remember(machine.number(4))


@_on(pickle.MEMOIZE)
def _memoize(machine: Machine) -> None:
    machine.remember(len(machine.memo))


def _tuple_of(count: int) -> Instruction:
    def instruction(machine: Machine) -> None:
        stack = machine.stack
        if len(stack) < count:
            raise IndexError("the stack is too short for a tuple")
        stack[-count:] = [tuple(stack[-count:])]

    return instruction


for _count, _code in enumerate((pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3), start=1):
    _on(_code)(_tuple_of(_count))


def _fill(target: object, items: list[Any]) -> None:
    """Set pairs of keys and values. Keys are kept short and flat: hashing nested tuples can take 2^n steps."""
    if type(target) is Opaque:
        return
    if type(target) is not dict:
        raise Refused("items set on something else than a dict")
    if len(items) % 2:
        raise ValueError("a dict has a key without a value")
    for key in items[::2]:
        kind = type(key)
        if not (kind is str and len(key) <= MAX_KEY_TEXT) and kind not in (int, float, bool, type(None)):
            raise Refused(f"a dict key of type {kind.__name__} that is no short text or number")
    target.update(zip(items[::2], items[1::2], strict=True))


def _extend(target: object, items: list[Any]) -> None:
    if type(target) is Opaque:
        return
    if type(target) is not list:
        raise Refused("items appended to something else than a list")
    target.extend(items)


@_on(pickle.DICT)
def _dict(machine: Machine) -> None:
    made: dict[Hashable, Any] = {}
    _fill(made, machine.marked())
    machine.stack.append(made)


@_on(pickle.SETITEM)
def _setitem(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _fill(machine.stack[-1], [key, value])


@_on(pickle.SETITEMS)
def _setitems(machine: Machine) -> None:
    items = machine.marked()
    _fill(machine.stack[-1], items)


@_on(pickle.APPEND)
def _append(machine: Machine) -> None:
    value = machine.stack.pop()
    _extend(machine.stack[-1], [value])


@_on(pickle.APPENDS)
def _appends(machine: Machine) -> None:
    items = machine.marked()
    _extend(machine.stack[-1], items)


@_on(pickle.STACK_GLOBAL)
def _stack_global(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise ValueError("the name of a global is no text")
    machine.stack.append(machine.stand_ins.find(module, name))


@_on(pickle.REDUCE)
def _reduce(machine: Machine) -> None:
    args, function = machine.stack.pop(), machine.stack.pop()
    if type(function) is not Symbol or function.call is None or type(args) is not tuple:
        raise Refused("a call of something that is no function of numpy's pickles")
    machine.stack.append(function.call(args))


@_on(pickle.BUILD)
def _build(machine: Machine) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if type(target) is ArrayToBe:
        machine.stack[-1] = machine.stand_ins.build(state)
        if target.place is not None:
            machine.memo[target.place] = machine.stack[-1]
    elif type(target) is DTypeToBe:
        target.set_state(state)
    elif type(target) is not Opaque:
        raise Refused("an object with a state of its own, where plain containers were expected")


def _refuses(code: bytes, what: str) -> None:
    def instruction(_: Machine) -> None:
        raise Refused(what)

    _on(code)(instruction)


for _code in (pickle.PERSID, pickle.BINPERSID):
    _refuses(_code, "a reference to something outside of the file (a persistent id)")
for _code in (pickle.EXT1, pickle.EXT2, pickle.EXT4):
    _refuses(_code, "a global by number (the extension registry)")

_NO_OBJECT = "an object of a class, where plain containers were expected"
_NO_SET = "a set, where dicts and lists were expected"


def _made_of(machine: Machine, of: object) -> None:
    """Push what stands for an object of a class; the class was looked up before, and nothing of it is run."""
    if type(of) is not Symbol or of.call is None or type(made := of.call(())) is not Opaque:
        raise Refused(_NO_OBJECT)
    machine.stack.append(made)


@_on(pickle.NEWOBJ)
def _newobj(machine: Machine) -> None:
    machine.stack.pop()  # its arguments
    _made_of(machine, machine.stack.pop())


@_on(pickle.NEWOBJ_EX)
def _newobj_ex(machine: Machine) -> None:
    machine.stack.pop(), machine.stack.pop()
    _made_of(machine, machine.stack.pop())


@_on(pickle.OBJ)
def _obj(machine: Machine) -> None:
    _made_of(machine, machine.marked()[0])


_pushes(pickle.EMPTY_SET, lambda m: m.stand_ins.instead("a set", _NO_SET))
_pushes(pickle.FROZENSET, lambda m: (m.marked(), m.stand_ins.instead("a set", _NO_SET))[1])


@_on(pickle.ADDITEMS)
def _additems(machine: Machine) -> None:
    machine.marked()
    if type(machine.stack[-1]) is not Opaque:
        raise Refused(_NO_SET)


for _code in (pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING):
    _refuses(_code, "text of Python 2, whose encoding is not known")
for _code in (pickle.NEXT_BUFFER, pickle.READONLY_BUFFER):
    _refuses(_code, "an array whose bytes are kept outside of the file")


@_on(pickle.INST)
def _inst(machine: Machine) -> None:
    of = machine.stand_ins.find(machine.line().decode(), machine.line().decode())
    machine.marked()
    _made_of(machine, of)
