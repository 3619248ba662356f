"""Replacements for the globals, states and references of a pickle, none by default; and the budget of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

__all__ = ["PickleBudget", "PickleOpaque", "PicklePending", "PickleRefused", "PickleStandIns", "PickleSymbol"]


class PickleRefused(Exception):  # noqa: N818 - it becomes a DataError or CheckpointError where the file's name is known
    """The pickle asks for something that a data file does not need; the text says what."""


class PickleBudget:
    """The memory and time that reading one file may still take.

    A pickle may name one object a million times, or make a Python object of 200 bytes by an instruction of two bytes.
    So the size in CPython of each object is subtracted before or as it is made.

    Args:
        size: bytes of the pickle.
        steps: instructions that it may have; most cost one step, calls cost more.
    """

    __slots__ = ("memory", "probes", "steps")

    def __init__(self, size: int, steps: int | None = None):
        self.memory = (40 << 20) + 6 * size  #: bytes of Python objects
        # Clips take 20 to 80 bytes an instruction; a file of millions of 1-byte instructions holds no data.
        self.steps = 1_000_000 + size // 16 if steps is None else steps
        self.probes = 1 << 29  #: slots of dicts that are compared; takes some seconds

    def spend(self, memory: int) -> None:
        """Subtract ``memory`` bytes.

        Raises:
            PickleRefused: the memory is used up.
        """
        self.memory -= memory
        if self.memory < 0:
            raise PickleRefused(
                "objects that take far more memory than the file has bytes, as a file made to fill it does"
            )

    def work(self, steps: int) -> None:
        """Subtract the time of ``steps`` instructions.

        Raises:
            PickleRefused: the time is used up.
        """
        self.steps -= steps
        if self.steps < 0:
            raise PickleRefused("far more instructions than data, as a file does that is made to take up the processor")

    def probe(self, keys: int, size: int) -> None:
        """Subtract the time to put ``keys`` numbers as keys into a dict of ``size``, where all of them collide.

        Text hashes by a secret of the process, but numbers hash the same everywhere, so that a file can choose numbers
        that collide.

        Raises:
            PickleRefused: the time is used up.
        """
        self.probes -= keys * (size + keys // 2)
        if self.probes < 0:
            raise PickleRefused("a dict with tens of thousands of numbers as keys, where text was expected")


@attrs.frozen(eq=False)
class PickleSymbol:
    """A global that a pickle may name, and the function that replaces it."""

    name: str
    call: Callable[[tuple[Any, ...]], object] | None = None


@attrs.define(eq=False)
class PicklePending:
    """An object whose content comes later, with its state."""

    place: int | None = None  #: in the memo, so that later references get the object itself


@attrs.frozen(eq=False)
class PickleOpaque:
    """A value of a type that is not read. Only the name of its type is kept, nothing that is put into it."""

    kind: str


class PickleStandIns:
    """Refuses every global, state and reference; a reader of some kind of file allows the few that it needs.

    Args:
        budget: of the file.
        table: the allowed globals, by module and name.
    """

    def __init__(self, budget: PickleBudget, table: Mapping[tuple[str, str], PickleSymbol] | None = None):
        self.budget = budget
        self.table = dict(table or {})

    def find(self, module: str, name: str) -> PickleSymbol:
        """The stand-in for a global.

        Raises:
            PickleRefused: there is none; the text names the global.
        """
        symbol = self.table.get((module, name))
        if symbol is None:
            shown = f"{module[:80]}.{name[:80]}".encode("unicode_escape").decode()  # it may hold anything
            raise PickleRefused(f"the global {shown}, which is code and not data")
        return symbol

    def instead(self, kind: str, refusal: str) -> PickleOpaque:
        """The replacement of a value of a type that is not read; by default such a file is refused.

        Raises:
            PickleRefused: with ``refusal``.
        """
        raise PickleRefused(refusal)

    def build(self, target: object, state: object) -> object:
        """``target`` with its state; by default no object may have one."""
        raise PickleRefused("an object with a state of its own, where plain containers were expected")

    def persistent(self, reference: object) -> object:
        """The value of a reference to something outside of the file; by default such a file is refused."""
        raise PickleRefused("a reference to something outside of the file (a persistent id)")
