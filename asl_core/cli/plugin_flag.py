"""``-P no:NAME`` and ``-P NAME``, anywhere in a command: which plugins it uses."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from asl_core.errors import UsageError
from asl_core.registry.installed import ALLOW, Wanted

__all__ = ["plugins_chosen", "take_plugin_flags"]


def take_plugin_flags(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments without ``-P``, and its values. Words after ``--`` are left alone.

    Raises:
        UsageError: a ``-P`` without a name.
    """
    end = args.index("--") if "--" in args else len(args)
    rest, words = [], []
    places = iter(range(end))
    for index in places:
        word = args[index]
        if not word.startswith("-P"):
            rest.append(word)
            continue
        value = word[2:] if len(word) > 2 else args[index + 1] if next(places, None) is not None else ""
        if not value.removeprefix("no:") or value.startswith("-") or "," in value:
            raise UsageError(
                f"-P {value}: expected one name; -P no:NAME leaves a plugin out, -P NAME uses no other third-party one."
            )
        words.append(value)
    return [*rest, *args[end:]], words


@contextmanager
def plugins_chosen(words: Sequence[str]) -> Iterator[None]:
    """Apply values of ``-P`` within this block, also to processes that it starts, which read the environment."""
    before = os.environ.get(ALLOW)
    now = allowing(before, words)
    if now is not None:
        os.environ[ALLOW] = now
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(ALLOW, None)
        else:
            os.environ[ALLOW] = before


def allowing(spec: str | None, words: Iterable[str]) -> str | None:
    """The value of ``ASL_PLUGINS`` with the ``-P`` values ``no:NAME`` and ``NAME``.

    Allowed names replace those of the variable; blocked names are added.
    """
    words = list(words)
    before = Wanted.parse(spec)
    allow = tuple(w for w in words if not w.startswith("no:")) or before.allow
    block = (*before.block, *(w.removeprefix("no:") for w in words if w.startswith("no:")))
    if allow is None and not block:
        return None
    # Without "none", blocked names alone would allow everything else.
    return ",".join([*(allow or (() if allow is None else ("none",))), *(f"-{w}" for w in block)])
