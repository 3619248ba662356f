"""What each instruction of a pickle does to the machine: all those that plain data needs; the rest are refused.

Instructions: CPython's ``pickletools``; PEP 307, PEP 3154, PEP 574.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Callable, Hashable
from typing import Any

from asl_core.files.pickles.budget import PickleBudget, PickleRefused
from asl_core.files.pickles.stack import MAX_LINE, Instruction, PickleStack
from asl_core.files.pickles.stand_ins import PickleOpaque, PicklePending, PickleSymbol

__all__ = ["COSTS", "INSTRUCTIONS"]

MAX_KEY_TEXT = 4096  #: characters of a dict key
MAX_KEY_NUMBER = 1 << 60  #: from 2^61 - 1 on, whole numbers begin to hash alike
MAX_KEY_PARTS = 8  #: of a tuple that is a key
MAX_INT_BYTES = 32  #: the state of a random generator takes 17

# Bytes that CPython takes at most for each kind of object, in 3.11 and later; sys.getsizeof leaves out the places.
_PLACE = 24  #: on the stack, and then in what it becomes a part of; lists grow ahead of their items
_NUMBER = _PLACE + 40
_WIDE_NUMBER = _PLACE + 64
_BYTES = _PLACE + 208  #: a memoryview
_DICT = _PLACE + 80
_LIST = _PLACE + 72
_TUPLE = _PLACE + 80
_MARK = 136
_SMALL_DICT, _FIRST_PAIRS, _PAIR = 5, 208, 112  #: room for five comes with the first
_FIRST_ITEM = 48


def _unknown(machine: PickleStack) -> None:
    machine.at -= 1
    raise ValueError(f"byte {machine.data[machine.at]:#04x} is no pickle instruction")


INSTRUCTIONS: list[Instruction] = [_unknown] * 256
COSTS = [0] * 256  #: bytes that each instruction takes, whatever its argument


def _on(*codes: bytes, cost: int = 0) -> Callable[[Instruction], Instruction]:
    def register(instruction: Instruction) -> Instruction:
        for code in codes:
            INSTRUCTIONS[code[0]] = instruction
            COSTS[code[0]] = cost
        return instruction

    return register


def _pushes(code: bytes, make: Callable[[PickleStack], object], cost: int = _PLACE) -> None:
    """Define the instruction ``code`` as one that pushes what ``make`` reads."""

    def instruction(machine: PickleStack) -> None:
        made = make(machine)  # first, since it may take the stack down to a mark
        machine.stack.append(made)

    _on(code, cost=cost)(instruction)


def _long(machine: PickleStack, size: int) -> int:
    if size > MAX_INT_BYTES:
        raise PickleRefused(f"a whole number of {size} bytes")
    return int.from_bytes(machine.take(size), "little", signed=True)


def _int_line(machine: PickleStack) -> int | bool:
    text = machine.line(64)
    return text == b"01" if text in (b"00", b"01") else int(text)  # protocol 0 writes booleans so


def _text(machine: PickleStack, raw: bytes | memoryview, encoding: str) -> str:
    """A text, paid for by its size; one character outside of ASCII may make four bytes of each of the others."""
    machine.budget.spend(4 * len(raw))
    text = str(raw, encoding)
    machine.budget.memory += 4 * len(raw) - sys.getsizeof(text)
    return text


_pushes(pickle.NONE, lambda _: None)
_pushes(pickle.NEWTRUE, lambda _: True)
_pushes(pickle.NEWFALSE, lambda _: False)
_pushes(pickle.INT, _int_line, _WIDE_NUMBER)
_pushes(pickle.LONG, lambda m: int(m.line(64).removesuffix(b"L")), _WIDE_NUMBER)
_pushes(pickle.FLOAT, lambda m: float(m.line(64)), _NUMBER)
_pushes(pickle.BININT1, lambda m: m.take(1)[0])
_pushes(pickle.BININT2, lambda m: m.number(2), _NUMBER)
_pushes(pickle.BININT, lambda m: int.from_bytes(m.take(4), "little", signed=True), _NUMBER)
_pushes(pickle.LONG1, lambda m: _long(m, m.number(1)), _WIDE_NUMBER)
_pushes(pickle.LONG4, lambda m: _long(m, m.number(4)), _WIDE_NUMBER)
_pushes(pickle.BINFLOAT, lambda m: struct.unpack(">d", m.take(8))[0], _NUMBER)
_pushes(pickle.UNICODE, lambda m: _text(m, m.line(None), "raw-unicode-escape"))
_pushes(pickle.SHORT_BINUNICODE, lambda m: _text(m, m.take(m.number(1)), "utf-8"))
_pushes(pickle.BINUNICODE, lambda m: _text(m, m.take(m.number(4)), "utf-8"))
_pushes(pickle.BINUNICODE8, lambda m: _text(m, m.take(m.number(8)), "utf-8"))
_pushes(pickle.SHORT_BINBYTES, lambda m: m.take(m.number(1)), _BYTES)
_pushes(pickle.BINBYTES, lambda m: m.take(m.number(4)), _BYTES)
_pushes(pickle.BINBYTES8, lambda m: m.take(m.number(8)), _BYTES)
_pushes(pickle.BYTEARRAY8, lambda m: m.take(m.number(8)), _BYTES)
_pushes(pickle.EMPTY_DICT, lambda _: {}, _DICT)
_pushes(pickle.EMPTY_LIST, lambda _: [], _LIST)
_pushes(pickle.EMPTY_TUPLE, lambda _: ())
_pushes(pickle.LIST, lambda m: m.marked(), _LIST)
_pushes(pickle.TUPLE, lambda m: tuple(m.marked()), _TUPLE)
_pushes(pickle.GET, lambda m: m.memo[int(m.line(64))])
_pushes(pickle.BINGET, lambda m: m.memo[m.take(1)[0]])
_pushes(pickle.LONG_BINGET, lambda m: m.memo[m.number(4)])
_pushes(pickle.DUP, lambda m: m.stack[-1])
_pushes(pickle.GLOBAL, lambda m: m.stand_ins.find(m.line().decode(), m.line().decode()))
_pushes(pickle.BINPERSID, lambda m: m.stand_ins.persistent(m.stack.pop()))


@_on(pickle.PROTO)
def _proto(machine: PickleStack) -> None:
    protocol = machine.number(1)
    if protocol > pickle.HIGHEST_PROTOCOL:
        raise PickleRefused(f"a pickle of protocol {protocol}, where 0 to {pickle.HIGHEST_PROTOCOL} are known")


@_on(pickle.FRAME)
def _frame(machine: PickleStack) -> None:
    size = machine.number(8)
    if size > len(machine.data) - machine.at:
        raise EOFError(f"a frame of {size} bytes was announced, {len(machine.data) - machine.at} are left")


@_on(pickle.STOP)
def _stop(machine: PickleStack) -> None:
    machine.done = True


@_on(pickle.MARK, cost=_MARK)
def _mark(machine: PickleStack) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


@_on(pickle.POP)
def _pop(machine: PickleStack) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.marked()


@_on(pickle.POP_MARK)
def _pop_mark(machine: PickleStack) -> None:
    machine.marked()


@_on(pickle.PUT)
def _put(machine: PickleStack) -> None:
    machine.remember(int(machine.line(64)))


@_on(pickle.BINPUT)
def _binput(machine: PickleStack) -> None:
    machine.remember(machine.take(1)[0])


@_on(pickle.LONG_BINPUT)
def _long_binput(machine: PickleStack) -> None:
    machine.remember(machine.number(4))


@_on(pickle.MEMOIZE)
def _memoize(machine: PickleStack) -> None:
    machine.remember(len(machine.memo))


def _tuple_of(count: int) -> Instruction:
    def instruction(machine: PickleStack) -> None:
        stack = machine.stack
        if len(stack) < count:
            raise IndexError("the stack is too short for a tuple")
        stack[-count:] = [tuple(stack[-count:])]

    return instruction


for _count, _code in enumerate((pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3), start=1):
    _on(_code, cost=_TUPLE)(_tuple_of(_count))


def _fill(budget: PickleBudget, target: object, items: list[Any]) -> None:
    """Set pairs of keys and values. Keys are kept short and flat: hashing nested tuples can take 2^n steps."""
    if type(target) is PickleOpaque:
        return
    if type(target) is not dict:
        raise PickleRefused("items set on something else than a dict")
    if len(items) % 2:
        raise ValueError("a dict has a key without a value")
    if not items:
        return
    before, after = len(target), len(target) + len(items) // 2
    budget.spend(_PAIR * (max(after, _SMALL_DICT) - max(before, _SMALL_DICT)) + (0 if before else _FIRST_PAIRS))
    numbers = sum(map(key_weight, items[::2]))
    if numbers:
        budget.probe(numbers, before)
    target.update(zip(items[::2], items[1::2], strict=True))


def key_weight(key: object) -> int:
    """How many keys of numbers one key counts for: none for text, whose hash nobody outside can choose.

    Raises:
        PickleRefused: it may not be a key.
    """
    kind = type(key)
    if kind is str and len(key) <= MAX_KEY_TEXT:  # type: ignore[arg-type]  # its type is known
        return 0
    if kind is int and -MAX_KEY_NUMBER < key < MAX_KEY_NUMBER:  # type: ignore[operator]
        return 1
    if kind in (float, bool, type(None)):
        return 1
    if type(key) is tuple and len(key) <= MAX_KEY_PARTS and not any(type(part) is tuple for part in key):
        return 32 + sum(map(key_weight, key))  # which compare more slowly where they collide
    raise PickleRefused(f"a dict key of type {kind.__name__} that is no short text or number")


def _extend(budget: PickleBudget, target: object, items: list[Any]) -> None:
    if type(target) is PickleOpaque:
        return
    if type(target) is not list:
        raise PickleRefused("items appended to something else than a list")
    if not target:
        budget.spend(_FIRST_ITEM)
    target.extend(items)


@_on(pickle.DICT, cost=_DICT)
def _dict(machine: PickleStack) -> None:
    made: dict[Hashable, Any] = {}
    _fill(machine.budget, made, machine.marked())
    machine.stack.append(made)


@_on(pickle.SETITEM)
def _setitem(machine: PickleStack) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _fill(machine.budget, machine.stack[-1], [key, value])


@_on(pickle.SETITEMS)
def _setitems(machine: PickleStack) -> None:
    items = machine.marked()
    _fill(machine.budget, machine.stack[-1], items)


@_on(pickle.APPEND)
def _append(machine: PickleStack) -> None:
    value = machine.stack.pop()
    _extend(machine.budget, machine.stack[-1], [value])


@_on(pickle.APPENDS)
def _appends(machine: PickleStack) -> None:
    items = machine.marked()
    _extend(machine.budget, machine.stack[-1], items)


@_on(pickle.STACK_GLOBAL, cost=_PLACE)
def _stack_global(machine: PickleStack) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise ValueError("the name of a global is no text")
    if max(len(module), len(name)) > MAX_LINE:
        raise PickleRefused("a global with a name of thousands of characters")
    machine.stack.append(machine.stand_ins.find(module, name))


@_on(pickle.REDUCE, cost=_PLACE)
def _reduce(machine: PickleStack) -> None:
    args, function = machine.stack.pop(), machine.stack.pop()
    if type(function) is not PickleSymbol or function.call is None or type(args) is not tuple:
        raise PickleRefused("a call of something that is no function of plain data")
    machine.stack.append(function.call(args))


@_on(pickle.BUILD)
def _build(machine: PickleStack) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    made = machine.stack[-1] = machine.stand_ins.build(target, state)
    if type(target) is PicklePending and target.place is not None:
        machine.memo[target.place] = made


def _refuses(code: bytes, what: str) -> None:
    def instruction(_: PickleStack) -> None:
        raise PickleRefused(what)

    _on(code)(instruction)


_refuses(pickle.PERSID, "a reference to something outside of the file (a persistent id)")
for _code in (pickle.EXT1, pickle.EXT2, pickle.EXT4):
    _refuses(_code, "a global by number (the extension registry)")

_NO_OBJECT = "an object of a class, where plain containers were expected"
_NO_SET = "a set, where dicts and lists were expected"


def _made_of(machine: PickleStack, of: object) -> None:
    """Push what stands for an object of a class; the class was looked up before, and nothing of it is run."""
    if type(of) is not PickleSymbol or of.call is None or type(made := of.call(())) is not PickleOpaque:
        raise PickleRefused(_NO_OBJECT)
    machine.stack.append(made)


@_on(pickle.NEWOBJ, cost=_PLACE)
def _newobj(machine: PickleStack) -> None:
    machine.stack.pop()  # its arguments
    _made_of(machine, machine.stack.pop())


@_on(pickle.NEWOBJ_EX, cost=_PLACE)
def _newobj_ex(machine: PickleStack) -> None:
    machine.stack.pop(), machine.stack.pop()
    _made_of(machine, machine.stack.pop())


@_on(pickle.OBJ, cost=_PLACE)
def _obj(machine: PickleStack) -> None:
    _made_of(machine, machine.marked()[0])


_pushes(pickle.EMPTY_SET, lambda m: m.stand_ins.instead("a set", _NO_SET))
_pushes(pickle.FROZENSET, lambda m: (m.marked(), m.stand_ins.instead("a set", _NO_SET))[1])


@_on(pickle.ADDITEMS)
def _additems(machine: PickleStack) -> None:
    machine.marked()
    if type(machine.stack[-1]) is not PickleOpaque:
        raise PickleRefused(_NO_SET)


for _code in (pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING):
    _refuses(_code, "text of Python 2, whose encoding is not known")
for _code in (pickle.NEXT_BUFFER, pickle.READONLY_BUFFER):
    _refuses(_code, "an array whose bytes are kept outside of the file")


@_on(pickle.INST, cost=_PLACE)
def _inst(machine: PickleStack) -> None:
    of = machine.stand_ins.find(machine.line().decode(), machine.line().decode())
    machine.marked()
    _made_of(machine, of)
