"""Text of files on its way out: to a terminal, a spreadsheet, a comment, JSON. A function for each.

Glosses, ids, names of tensors and of plugins come from files that may be a stranger's. Escape codes change what a
terminal shows, a line end in a gloss looks like a line of ours, controls of writing direction and characters without
width hide what is there, and a cell that begins with ``=`` is a formula. What is not drawn as it stands is written out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["cell", "comment", "from_cell", "json_text", "one_line", "printable", "shortened", "toml_string"]

#: characters that Python takes for printable and that are not seen: fillers, joiners, selectors of variants, blanks
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(text: str) -> str:
    """Text of several lines for a terminal: what is not drawn is written out, as ``backslash x1b``; line ends stay."""
    return text if _plain(text) else "".join(c if c == "\n" or _plain(c) else _written_out(c) for c in text)


def one_line(text: str) -> str:
    """As :func:`printable`, for what has to stay on one line: line ends are written out too."""
    return printable(text).replace("\n", "\\n")


def shortened(items: Iterable[object], most: int = 5, separator: str = ", ") -> str:
    """The first items, and how many there are besides: ``a, b and 3 more``."""
    texts = [str(item) for item in items]
    if len(texts) <= most:
        return separator.join(texts)
    return f"{separator.join(texts[:most])}{' ' if separator == ', ' else separator}and {len(texts) - most:,} more"


def comment(text: str) -> str:
    """For a comment in TOML, which allows no control characters."""
    return one_line(text)


def toml_string(text: str) -> str:
    """A text as TOML has it on one line, in quotes, with what is not drawn escaped."""
    return '"' + "".join(c if _plain(c) and c not in '"\\' else _in_toml(c) for c in text) + '"'


def _in_toml(character: str) -> str:
    code = ord(character)
    if character in _TOML:
        return _TOML[character]
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_TOML = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def json_text(value: Any, **how: Any) -> str:
    """JSON that may be shown on a terminal: letters of all languages stay, what is not drawn is escaped.

    Args:
        value: to be written.
        how: further arguments of ``json.dumps``.
    """
    text = json.dumps(value, ensure_ascii=False, **how)
    return text if _plain(text) else "".join(c if c == "\n" or _plain(c) else json.dumps(c)[1:-1] for c in text)


#: what begins a formula, or does so after the white space or the separator that some spreadsheets cut at
_FORMULA = re.compile(r"(^|[;\t|])[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_ESCAPED = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def cell(text: str) -> str:
    """For a cell of a CSV file that may be opened as a spreadsheet; :func:`from_cell` reads it back.

    A cell that would be a formula, or has characters that are not drawn, begins with an apostrophe, and in it what is
    not drawn, what separates, and the backslash are escaped as in Python's strings. One that begins with an apostrophe
    itself is marked so too. All others stand as they are.
    """
    if _plain(text) and not _FORMULA.search(text) and not text.startswith("'"):
        return text
    return "'" + "".join(c if _plain(c) and c not in "\\;|" else _written_out(c) for c in text)


def from_cell(text: str) -> str:
    """What :func:`cell` was given."""
    return _ESCAPED.sub(_read, text[1:]) if text.startswith("'") else text


def _read(found: re.Match[str]) -> str:
    return "\\" if found[1] == "\\" else chr(int(found[1][1:], 16))


def _plain(text: str) -> bool:
    return text.isprintable() and not _UNSEEN.search(text)


def _written_out(character: str) -> str:
    """As Python's strings have it, always with a number."""
    if character == "\\":
        return "\\\\"
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
