"""Text for a terminal, wrapped at words; unwrapped lines for a file or pipe."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

import click

from asl_core.text import printable

__all__ = ["cells", "columns", "say", "wrapped"]

_NARROWEST = 20
_LABEL = re.compile(r"\s*(?:[-*] |\S{1,14} {2,}|(?:error|warning|note): (?=\S))")


def columns(stream: Any) -> int | None:
    """The width of a terminal, or ``COLUMNS``; None for a file or pipe."""
    width = os.environ.get("COLUMNS", "")
    if width.isdecimal() and int(width) > 0:
        return max(_NARROWEST, int(width))
    try:
        terminal = stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return None
    return max(_NARROWEST, shutil.get_terminal_size().columns) if terminal else None


def say(text: str, *, err: bool = False, file: Any = None) -> None:
    """Print text of any origin: control characters are escaped, lines wrapped."""
    stream = file or (sys.stderr if err else sys.stdout)
    for line in wrapped(printable(text), columns(stream)):
        click.echo(line, file=stream)


def wrapped(text: str, width: int | None) -> list[str]:
    """The lines of a text, wrapped to ``width``; continued lines are indented under the first word.

    A word is broken only if it is longer than a line, after a path separator where possible.
    """
    if width is None:
        return text.split("\n")
    return [part for line in text.split("\n") for part in _wrapped_line(line, width)]


def _wrapped_line(line: str, width: int) -> Iterator[str]:
    if cells(line) <= width:
        yield line
        return
    label = _LABEL.match(line)
    start = label[0] if label else line[: len(line) - len(line.lstrip())]
    indent = " " * min(cells(start) if not start.strip().endswith(":") else 2, width // 3)
    written = start
    empty = True  # whether the line has no word yet
    for word in line[len(start) :].split():
        for piece in _pieces(word, width - cells(indent)):
            joined = f"{written}{piece}" if empty else f"{written} {piece}"
            if cells(joined) > width and not (empty and written == indent):
                yield written.rstrip()
                joined = f"{indent}{piece}"
            written, empty = joined, False
    yield written


def _pieces(word: str, width: int) -> Iterable[str]:
    """A word, in parts if longer than a line."""
    if cells(word) <= width:
        return [word]
    lines, rest = [], ""
    for part in re.findall(r"[^/\\,;=&?]*[/\\,;=&?]|[^/\\,;=&?]+", word):
        while cells(part) > width:  # no separator in a whole line
            cut = next(n for n in range(len(part), -1, -1) if cells(rest + part[:n]) <= width)
            lines.append(rest + part[:cut])
            rest, part = "", part[cut:]
        if cells(rest + part) > width:
            lines.append(rest)
            rest = ""
        rest += part
    return [*lines, rest] if rest else lines


def cells(text: str) -> int:
    """Columns of a text on a terminal: some characters take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
