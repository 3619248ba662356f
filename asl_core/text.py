"""Text from files made safe for a terminal, a spreadsheet, a comment or JSON: one function each.

Glosses, ids and names of tensors and plugins come from files of unknown origin. Escape codes change what a terminal
shows, a line break in a gloss looks like a line of ours, bidirectional controls and characters without width hide text,
and a cell that begins with ``=`` is a formula. Characters that are not drawn are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["cell", "from_cell", "json_text", "one_line", "printable", "shortened", "toml_string"]

#: invisible characters that Python counts as printable: fillers, joiners, variation selectors, blanks
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(text: str) -> str:
    """Text for a terminal: characters that are not drawn are escaped, as ``backslash x1b``; line ends stay."""
    return text if _plain(text) else "".join(c if c == "\n" or _plain(c) else _escape(c) for c in text)


def one_line(text: str) -> str:
    """As :func:`printable`, with line ends escaped too."""
    return printable(text).replace("\n", "\\n")


def shortened(items: Iterable[object], most: int = 5, separator: str = ", ") -> str:
    """The first items, and how many there are besides: ``a, b and 3 more``."""
    texts = [str(item) for item in items]
    if len(texts) <= most:
        return separator.join(texts)
    return f"{separator.join(texts[:most])}{' ' if separator == ', ' else separator}and {len(texts) - most:,} more"


def toml_string(text: str) -> str:
    """A TOML string on one line, in quotes, with characters that are not drawn escaped."""
    return '"' + "".join(c if _plain(c) and c not in '"\\' else _in_toml(c) for c in text) + '"'


def _in_toml(character: str) -> str:
    code = ord(character)
    if character in _TOML:
        return _TOML[character]
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_TOML = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def json_text(value: Any, **how: Any) -> str:
    """JSON for a terminal: letters of all languages stay, characters that are not drawn are escaped.

    Args:
        value: what to write.
        how: further arguments of ``json.dumps``.
    """
    text = json.dumps(value, ensure_ascii=False, **how)
    return text if _plain(text) else "".join(c if c == "\n" or _plain(c) else json.dumps(c)[1:-1] for c in text)


#: the start of a formula, also after white space or a separator at which some spreadsheets split
_FORMULA = re.compile(r"(^|[;\t|])[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_ESCAPED = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def cell(text: str) -> str:
    """For a cell of a CSV file that may be opened as a spreadsheet; :func:`from_cell` reads it back.

    A text that would be a formula, has characters that are not drawn, or begins with an apostrophe, gets an apostrophe
    in front; in it separators, backslashes and what is not drawn are escaped as in Python. All others are unchanged.
    """
    if _plain(text) and not _FORMULA.search(text) and not text.startswith("'"):
        return text
    return "'" + "".join(c if _plain(c) and c not in "\\;|" else _escape(c) for c in text)


def from_cell(text: str) -> str:
    """The text that :func:`cell` was given."""
    return _ESCAPED.sub(_unescaped, text[1:]) if text.startswith("'") else text


def _unescaped(match: re.Match[str]) -> str:
    return "\\" if match[1] == "\\" else chr(int(match[1][1:], 16))


def _plain(text: str) -> bool:
    return text.isprintable() and not _UNSEEN.search(text)


def _escape(character: str) -> str:
    """As in Python's strings, always by number."""
    if character == "\\":
        return "\\\\"
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
