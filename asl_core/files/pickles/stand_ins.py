"""What the globals, states and references of a pickle stand for; this base class allows none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from asl_core.files.pickles.budget import PickleBudget, PickleRefused

__all__ = ["PickleOpaque", "PicklePending", "PickleStandIns", "PickleSymbol"]


@attrs.frozen(eq=False)
class PickleSymbol:
    """A global that a pickle may name, and what calling it does here."""

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
        budget: of the file, from which whatever is made here is paid.
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
        """What stands for a value of a type that is not read; by default none may be in the file.

        Raises:
            PickleRefused: with ``refusal``.
        """
        raise PickleRefused(refusal)

    def build(self, target: object, state: object) -> object:
        """What ``target`` is when it has taken its state; by default nothing takes one."""
        raise PickleRefused("an object with a state of its own, where plain containers were expected")

    def persistent(self, reference: object) -> object:
        """What a reference to something outside of the file means; by default nothing."""
        raise PickleRefused("a reference to something outside of the file (a persistent id)")
