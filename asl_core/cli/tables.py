"""Plain tables: columns as wide as they need, to be read, and cut up by other tools. No rich, no torch."""

from __future__ import annotations

from collections.abc import Sequence

from asl_core.text import one_line

__all__ = ["table_lines"]


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A heading and a line a row; the last column is as long as it is."""
    cells = [[one_line(c) for c in row] for row in (columns, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns) - 1)]
    return [
        "  ".join([*(c.ljust(w) for c, w in zip(row[:-1], widths, strict=True)), row[-1]]).rstrip() for row in cells
    ]
