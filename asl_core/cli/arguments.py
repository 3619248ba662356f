"""The words of a command line before click parses them: which components they choose, and which flags are unknown."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import click

__all__ = ["scan", "set_aside", "takes_value"]


def scan(args: Sequence[str], names: Collection[str]) -> dict[str, str]:
    """The values of some flags, ``--encoder gru`` and ``--encoder=gru``; the last of each counts."""
    values = {}
    for index, word in enumerate(args):
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in names:
            following = args[index + 1] if index + 1 < len(args) else ""
            values[name] = value if equals else following
    return values


def takes_value(option: click.Parameter) -> str:
    """Whether a flag is followed by a value: ``always``, ``maybe`` or ``nothing``."""
    if not isinstance(option, click.Option) or option.is_flag or option.count:
        return "nothing"
    return "maybe" if option.flag_value == "true" else "always"  # an option of true or false


def set_aside(args: Sequence[str], takes: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Split arguments into those that click knows and ``{flag: value}`` of unknown flags.

    A known flag keeps the word after it, so that a value such as ``-1`` is not taken for a flag.
    """
    rest: list[str] = []
    unknown: dict[str, str] = {}
    words = iter(range(len(args)))
    for index in words:
        word = args[index]
        following = args[index + 1] if index + 1 < len(args) else None
        name, equals, value = word.partition("=")
        if word == "--":
            rest += args[index:]
            break
        if not _is_flag(word):
            rest.append(word)
            continue
        if name in takes:
            rest.append(word)
            if not equals and takes[name] == "always" and following is not None and not following.startswith("--"):
                rest.append(args[next(words)])
            continue
        if not equals and following is not None and not _is_flag(following):
            value = args[next(words)]
        unknown[name] = value
    return rest, unknown


def _is_flag(word: str) -> bool:
    """Whether a word is a flag: ``--x`` or ``-lr``, but not ``-`` or a negative number."""
    return word.startswith("--") or re.match(r"-[A-Za-z]", word) is not None
