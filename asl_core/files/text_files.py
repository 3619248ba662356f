"""Text files of other programs: their encoding, their delimiter, and the values in their cells."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

__all__ = ["csv_delimiter", "metadata_text", "text_encoding", "whole_number"]

_MARKS = {  # the longer first: UTF-32 begins as UTF-16 does
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_DELIMITERS = (",", ";", "\t", "|")
_LINES = 100  #: lines of the sample that are looked at
_UNKNOWN = ("", "nan", "none", "null", "n/a")  #: how tables write a missing value
_WHOLE = re.compile(r"[+-]?\d{1,18}(\.0*)?")


def text_encoding(path: Path) -> str:
    """The encoding of a text file for ``open``: UTF-8, with or without a byte order mark, UTF-16 or UTF-32.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    even, odd = start[::2].count(0), start[1::2].count(0)
    if len(start) >= 4 and max(even, odd) > len(start) / 4 and min(even, odd) == 0:
        return "utf-16-le" if odd else "utf-16-be"  # text of Latin letters without a byte order mark
    return "utf-8-sig"


def csv_delimiter(sample: str, known: Collection[str] = ()) -> str:
    """The delimiter of CSV text: a comma, a semicolon, a tab or ``|``.

    Args:
        sample: the first lines.
        known: names of columns in lower case; the delimiter that separates most of them in the first line is chosen,
            and among equals the one with which most lines have the same number of columns.
    """
    lines = sample.splitlines()[:_LINES]
    if lines and re.fullmatch(r"(?i)sep=[,;\t|]", lines[0].strip(" ")):  # as Excel writes it
        return lines[0].strip(" ")[4]
    return max(_DELIMITERS, key=lambda delimiter: _fit(lines, delimiter, known))


def _fit(lines: list[str], delimiter: str, known: Collection[str]) -> tuple[int, float]:
    """How well a delimiter fits: known names in the first line, share of lines of the most common width."""
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if any(cell.strip() for cell in row)]
    except csv.Error:
        return (0, 0.0)
    if not rows:
        return (0, 0.0)
    width, count = Counter(map(len, rows)).most_common(1)[0]
    names = sum(cell.strip().casefold() in known for cell in rows[0]) if len(rows[0]) > 1 else 0
    return (names, count / len(rows) if width > 1 else 0.0)


def metadata_text(value: object) -> str | None:
    """A name (of a signer, a split) as text: 7.0 and "7.0" are "7"; NaN, "" and None are None.

    Raises:
        ValueError: it is neither text nor a whole number.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text.casefold() in _UNKNOWN:
            return None
        return text.partition(".")[0] if "." in text and _WHOLE.fullmatch(text) else text
    number = whole_number(value)
    return None if number is None else str(number)


def whole_number(value: object) -> int | None:
    """A number such as that of a class: 2, 2.0, "2" and "2.0" are 2; NaN, "" and None are None.

    Raises:
        ValueError: it is not a whole number.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.casefold() in _UNKNOWN:
            return None
        if _WHOLE.fullmatch(text):
            return int(text.partition(".")[0])
    elif isinstance(value, float):
        if math.isnan(value):
            return None
        if value.is_integer() and abs(value) < 2**53:
            return int(value)
    elif value is None:
        return None
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return value
    raise ValueError(f"a value of type {type(value).__name__}")
