"""Instructions that put items into dicts and lists; the costs are memory and, for numbers as keys, hashing."""

from __future__ import annotations

import pickle
from typing import Any

from asl_core.files.pickles.stack import DICT, PickleStack, on, popped
from asl_core.files.pickles.stand_ins import PickleOpaque, PickleRefused

__all__ = ["key_weight"]

MAX_KEY_TEXT = 4096  #: characters of a dict key
MAX_KEY_NUMBER = 1 << 60  #: from 2^61 - 1 on, whole numbers begin to hash alike
MAX_KEY_PARTS = 8  #: of a tuple that is a key
_SMALL_DICT, _FIRST_PAIRS, _PAIR = 5, 208, 112  #: room for five comes with the first
_FIRST_ITEM = 48


def _fill(machine: PickleStack, items: list[Any]) -> None:
    """Set pairs of keys and values. Keys are kept short and flat: hashing nested tuples can take 2^n steps."""
    budget, target = machine.budget, machine.stack[-1]
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


def _extend(machine: PickleStack, items: list[Any]) -> None:
    target = machine.stack[-1]
    if type(target) is PickleOpaque:
        return
    if type(target) is not list:
        raise PickleRefused("items appended to something else than a list")
    if not target:
        machine.budget.spend(_FIRST_ITEM)
    target.extend(items)


@on(pickle.DICT, cost=DICT)
def _dict(machine: PickleStack) -> None:
    items = machine.marked()
    machine.stack.append({})
    _fill(machine, items)


on(pickle.SETITEM)(lambda m: _fill(m, popped(m, 2)))
on(pickle.SETITEMS)(lambda m: _fill(m, m.marked()))
on(pickle.APPEND)(lambda m: _extend(m, popped(m, 1)))
on(pickle.APPENDS)(lambda m: _extend(m, m.marked()))
