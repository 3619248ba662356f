"""The one reader of TOML files: settings, curricula, recipes, ``asl.toml``, a package's ``pyproject.toml``.

A TOML file may be of unknown origin (``asl.toml`` in the working directory), and ``tomllib`` takes memory quadratic in
the parts of a dotted key. So one pass over the text first bounds size, nesting and the number of keys. The same pass
finds the line of every key, which ``tomllib`` does not keep.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.errors import ConfigError

__all__ = ["Place", "TomlFile", "read_toml"]

_LARGEST = 1 << 18  #: bytes of a file; a resolved configuration has some 5,000
_PARTS = 16  #: of one dotted key or header; a loss of a named head in a curriculum's stage has 7
_BRACKETS = 16  #: arrays and inline tables within each other
_KEYS = 5000  #: parts of all keys together
_BITS = 14_000  #: of a whole number

Place = tuple[str | int, ...]  #: names of tables and keys, and numbers of the tables of an array


@attrs.frozen
class TomlFile:
    """The content of a file."""

    values: dict[str, Any]
    lines: Mapping[Place, int]  #: line of each key outside of arrays


class _RefusedError(ValueError):
    """The text is refused before it is parsed."""


def read_toml(path: Path, expected: str = 'tables such as [encoder] with name = "gru"') -> TomlFile:
    """A TOML file, in UTF-8 with or without a byte order mark.

    Args:
        path: the file.
        expected: content, for messages.

    Raises:
        ConfigError: it is missing, not a file, not UTF-8, not TOML, too large or nested too deep.
    """
    try:
        if path.exists() and not path.is_file():
            raise ConfigError([f"{path}: is not a file; name a TOML file with {expected}"])
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except (OSError, ValueError) as fault:  # the latter for a name with a NUL
        reason = getattr(fault, "strerror", None) or fault
        raise ConfigError([f"{path}: cannot be read ({reason}); name a TOML file with {expected}"]) from fault
    try:
        text = _decoded(raw).replace("\r\n", "\n")
        lines = _Scan(text).lines
        values = tomllib.loads(text)
        _refuse_large_numbers(values)
    except (ValueError, RecursionError) as fault:  # also for a number of thousands of digits
        raise ConfigError([f"{path}: is not TOML ({str(fault)[:300]}); expected {expected}"]) from fault
    return TomlFile(values, lines)


def _decoded(raw: bytes) -> str:
    """The text of a file.

    Raises:
        _RefusedError: it is too large, or in another encoding, which is named.
    """
    if len(raw) > _LARGEST:
        raise _RefusedError(f"it is larger than {_LARGEST:,} bytes; no settings need as much")
    for mark, name in _MARKS:
        if raw.startswith(mark):
            raise _RefusedError(f"it is in {name}; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        wide = b"\0" in raw[:100]
        guess = "UTF-16" if wide else "an encoding of one byte a character, such as Windows-1252 (ANSI) or Latin-1"
        line = raw.count(b"\n", 0, fault.start) + 1
        raise _RefusedError(
            f"it is not UTF-8: line {line} has the byte 0x{raw[fault.start]:02x}; it may be in {guess}. Save it as "
            f"UTF-8"
        ) from fault


_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def _refuse_large_numbers(value: Any) -> None:
    """Refuse integers of more than 4,300 digits, which Python cannot print in a message."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _refuse_large_numbers(item)
    elif isinstance(value, int) and value.bit_length() > _BITS:
        raise _RefusedError("a whole number has thousands of digits")


_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)
    | (?P<line>\n)
    | (?P<comment>\#[^\n]*)
    | (?P<text>
        \"\"\" (?: [^"\\] | \\. | "(?!"") )*+ (?: "{3,5} | \Z )
      | ''' (?: [^'] | '(?!'') )*+ (?: '{3,5} | \Z )
      | " (?: [^"\\\n] | \\[^\n] )*+ "?
      | ' [^'\n]*+ '?
      )
    | (?P<word>[A-Za-z0-9_+:-]+)
    | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)


class _Scan:
    """One pass over the tokens of a text: bounds, and the line of every key.

    Syntax errors are left to ``tomllib``; up to the first one the scan counts at least what ``tomllib`` would make.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self._table: Place = ()
        self._arrays: dict[Place, int] = {}  # array of tables -> number of its last table
        self._run: list[str] = []  # parts of the current dotted key
        self._spent = 0
        self._nested: list[Place | None] = []  # key of each open bracket; None within an array
        self._key: Place | None = ()
        self._scan(text)

    def _scan(self, text: str) -> None:
        line, fresh, header, joined = 1, True, 0, False
        for token in _TOKEN.finditer(text):
            kind, word = token.lastgroup, token[0]
            if kind in ("space", "comment"):
                continue
            if kind in ("text", "word"):
                if not joined:
                    self._run.clear()
                self._run.append(word)
                if len(self._run) > _PARTS:
                    raise _RefusedError(f"line {line} has a key of more than {_PARTS} parts")
                line += word.count("\n")
                fresh = joined = False
                continue
            joined = word == "."
            if joined:
                continue
            if kind == "line":
                line += 1
                if not self._nested:
                    fresh, header = True, 0
            elif word == "[" and fresh:
                header = 1
            elif word == "[" and header == 1 and not self._run:
                header = 2
            elif word == "]" and header:
                if self._run:
                    self._open_table(header == 2, line)
            else:
                self._mark(word, line)
            fresh = kind == "line" and fresh
            self._run.clear()

    def _mark(self, word: str, line: int) -> None:
        if word == "=":
            self._spend(len(self._run), line)
            above = self._nested[-1] if self._nested else self._table
            self._key = None if above is None else (*above, *map(_bare, self._run))
            if self._key is not None:
                self.lines.setdefault(self._key, line)
        elif word in "[{":
            self._nested.append(self._key if word == "{" else None)
            if word == "[":
                self._key = None
            if len(self._nested) > _BRACKETS:
                raise _RefusedError(f"line {line} has more than {_BRACKETS} nested brackets")
        elif word in "]}" and self._nested:
            self._nested.pop()

    def _open_table(self, of_array: bool, line: int) -> None:
        self._spend(len(self._run), line)
        position: Place = ()
        for number, part in enumerate(map(_bare, self._run), start=1):
            position = (*position, part)
            if position in self._arrays and not (of_array and number == len(self._run)):
                position = (*position, self._arrays[position])
        if of_array:
            self._arrays[position] = self._arrays.get(position, -1) + 1
            position = (*position, self._arrays[position])
        self._table = position

    def _spend(self, parts: int, line: int) -> None:
        self._spent += parts
        if self._spent > _KEYS:
            raise _RefusedError(f"it has more than {_KEYS:,} keys up to line {line}; no settings need as many")


def _bare(part: str) -> str:
    """A part of a key without its quotes."""
    if part.startswith("'"):
        return part.strip("'")
    if not part.startswith('"'):
        return part
    try:
        return next(iter(tomllib.loads(f"{part} = 0"))) if "\\" in part else part.strip('"')
    except ValueError:
        return part
