"""Plain tables, wrapped to the width of a terminal, unwrapped in files and pipes. No rich, no torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import zip_longest

from asl_core.cli.wrapping import cells, columns, wrapped
from asl_core.text import one_line

__all__ = ["table_lines"]

_GAP = 2
_READABLE = 24  #: narrower columns of text are hard to read: a row then takes two lines


def table_lines(heading: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """The lines of a table, cells wrapped within their columns.

    Args:
        heading: of each column.
        rows: texts of any origin.
        width: of a line (default: of the terminal at standard output; without one, unlimited).
    """
    width = columns(sys.stdout) if width is None else width
    table = [[one_line(c) for c in row] for row in (heading, *rows)]
    natural = [max(cells(row[i]) for row in table) for i in range(len(heading))]
    if width is None or sum(natural) + _GAP * (len(natural) - 1) <= width:
        return [_line(row, natural) for row in table]
    widths = _shrunk(table, natural, width)
    if widths is None:
        return _in_two(table, natural, width)
    return [line for row in table for line in _lines(row, widths)]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (w - cells(cell)) for cell, w in zip(row, widths, strict=True)]
    return (" " * _GAP).join(padded).rstrip()


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row with wrapped cells."""
    parts = [wrapped(cell, w) for cell, w in zip(row, widths, strict=True)]
    return [_line(row, widths) for row in zip_longest(*parts, fillvalue="")]


def _shrunk(table: Sequence[Sequence[str]], natural: Sequence[int], width: int) -> list[int] | None:
    """Column widths that fit, the widest narrowed first; None where words would break or columns get too narrow."""
    least = [
        max(min(n, _READABLE), max((cells(w) for row in table for w in row[i].split()), default=0))
        for i, n in enumerate(natural)
    ]
    widths, room = list(natural), width - _GAP * (len(natural) - 1)
    while sum(widths) > room:
        loose = [i for i, w in enumerate(widths) if w > least[i]]
        if not loose:
            return None
        widths[max(loose, key=lambda i: widths[i])] -= 1
    return widths


def _in_two(table: Sequence[Sequence[str]], natural: Sequence[int], width: int) -> list[str]:
    """Each row in two lines or more: the columns that fit side by side, below them the others, indented."""
    fit, used = 0, 0
    for column, wide in enumerate(natural):
        used += wide + _GAP * (column > 0)
        if used > width:
            break
        fit = column + 1
    lines = []
    for row in table:
        if fit:
            lines.append(_line(row[:fit], natural[:fit]))
        rest = [cell for cell in row[fit:] if cell]
        indent = "    " if fit else ""
        for cell in rest:
            lines += [f"{indent}{part}" for part in wrapped(cell, width - len(indent))]
    return lines
