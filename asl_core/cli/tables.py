"""Plain tables: as wide as they need in a file or a pipe, within the lines of a terminal. No rich, no torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from asl_core.cli.wrapping import cells, columns, wrapped
from asl_core.text import one_line

__all__ = ["table_lines"]

_GAP = 2
_READABLE = 24  #: a column of texts that is narrower is hard to read: the row is set in two lines instead


def table_lines(heading: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """A heading and a row each, wrapped within their columns.

    Args:
        heading: of each column.
        rows: texts of any origin.
        width: of a line (default: of the terminal behind standard output; where there is none, as wide as they need).
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
    """A row whose cells are wrapped in their columns."""
    parts = [wrapped(cell, w) for cell, w in zip(row, widths, strict=True)]
    most = max(map(len, parts))
    return [_line([p[n] if n < len(p) else "" for p in parts], widths) for n in range(most)]


def _shrunk(table: Sequence[Sequence[str]], natural: Sequence[int], width: int) -> list[int] | None:
    """Widths that fit, the widest column narrowed first; None where words or reading would suffer."""
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
    """Rows set in lines of their own: the columns that fit side by side, and below them the others, indented."""
    fit, taken = 0, 0
    for place, wide in enumerate(natural):
        taken += wide + _GAP * (place > 0)
        if taken > width:
            break
        fit = place + 1
    found = []
    for row in table:
        if fit:
            found.append(_line(row[:fit], natural[:fit]))
        rest = [cell for cell in row[fit:] if cell]
        indent = "    " if fit else ""
        for cell in rest:
            found += [f"{indent}{part}" for part in wrapped(cell, width - len(indent))]
    return found
