"""Joins of two tables by key: what matched, what did not, and keys that differ only in spelling.

A join that silently drops mismatches would treat labels of ``65539.mp4`` for the clip ``65539`` as no labels. Data sets
report every join by :func:`join_keys`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

__all__ = ["KeyJoin", "join_keys"]

_ENDING = re.compile(r"(?<=.)\.(?:0+|(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{1,8})$")  # of a file, or of 7.0 for 7
_SPACES = re.compile(r"[-_\s]+")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_LONGEST = 60  #: characters of a key that a message shows


def _visible(key: str) -> str:
    """One Unicode form, without characters that show nothing (zero-width, soft hyphen)."""
    if key.isascii():
        return key
    return "".join(c for c in unicodedata.normalize("NFC", key) if unicodedata.category(c) != "Cf")


def _last_part(key: str) -> str:
    return key.replace("\\", "/").rstrip("/").rpartition("/")[2] if "/" in key or "\\" in key else key


def _dashed(key: str) -> str:
    return key if key.isalnum() else _SPACES.sub("-", key)


#: differences of spelling, and how each is removed; in this order
_SPELLINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("Unicode form or invisible characters", _visible),
    ("space or quotes around it", lambda key: key.strip(" \t\"'")),
    ("folder", _last_part),
    ("file ending", lambda key: _ENDING.sub("", key) if "." in key else key),
    ("capital letters", str.casefold),
    ("'_', '-' and spaces", _dashed),
    ("leading zeros", lambda key: _ZEROS.sub("", key) if "0" in key else key),
)


def _plain(key: str, without: str | None = None) -> str:
    """A key without any difference of spelling, except one kind."""
    for name, step in _SPELLINGS:
        if name != without:
            key = step(key)
    return key


@attrs.frozen
class KeyJoin:
    """The result of a join by key, each side in its own order."""

    matched: tuple[str, ...]  #: keys of both sides
    lacking: tuple[str, ...]  #: wanted keys that the table lacks
    unused: tuple[str, ...]  #: keys of the table that nothing wants
    near: Mapping[str, str]  #: key of ``lacking`` -> the key of ``unused`` that differs only in spelling
    differ: tuple[str, ...]  #: differences of those pairs, in words

    def counts(self, wanted: str, given: str) -> str:
        """Both sides in one sentence, without a full stop.

        Args:
            wanted: name of the wanted keys, ``train clips``.
            given: name of the table's keys, ``entries of labels.csv``.
        """
        all_wanted, all_given = len(self.matched) + len(self.lacking), len(self.matched) + len(self.unused)
        parts = [f"{len(self.matched)} of {all_wanted} {wanted} match one of {all_given} {given}"]
        if self.lacking:
            parts.append(f"{len(self.lacking)} {wanted} match none (first {_shown(self.lacking)})")
        if self.unused:
            parts.append(f"{len(self.unused)} {given} are not used (first {_shown(self.unused)})")
        return "; ".join(parts)

    def near_miss(self) -> str:
        """How many keys differ only in spelling, and how; empty where none do."""
        if not self.near:
            return ""
        one, other = next(iter(self.near.items()))
        show = ascii if _visible(one) == _visible(other) else repr  # else both would look alike
        return (
            f"{len(self.near)} differ only in {' and '.join(self.differ)}: {show(one[:_LONGEST])} is written "
            f"{show(other[:_LONGEST])} there"
        )


def join_keys(wanted: Iterable[str], given: Iterable[str]) -> KeyJoin:
    """Join wanted keys with the keys of a table.

    Args:
        wanted: such as ids of clips or names of classes.
        given: keys of the table.
    """
    asked, table = dict.fromkeys(wanted), dict.fromkeys(given)
    matched = tuple(key for key in asked if key in table)
    lacking = tuple(key for key in asked if key not in table)
    unused = tuple(key for key in table if key not in asked)
    near = _near(lacking, unused, tuple({**asked, **table})) if lacking and unused else {}
    differ = _differences(near)
    return KeyJoin(matched, lacking, unused, near, differ)


def _near(lacking: Sequence[str], unused: Sequence[str], every: Sequence[str]) -> dict[str, str]:
    """Pairs that differ only in spelling, where no third key could be meant."""
    plain = {key: _plain(key) for key in every}
    spellings = Counter(plain.values())
    others = {plain[key]: key for key in unused}
    return {key: others[plain[key]] for key in lacking if plain[key] in others and spellings[plain[key]] == 2}


def _differences(near: Mapping[str, str]) -> tuple[str, ...]:
    """The differences of spelling that occur in some pair."""
    pairs = list(near.items())[:1000]  # the first is shown
    names = tuple(
        name
        for name, _ in _SPELLINGS
        if any(_plain(one, without=name) != _plain(two, without=name) for one, two in pairs)
    )
    return names or (("spelling",) if pairs else ())  # each of two kinds alone would do


def _shown(keys: Sequence[str]) -> str:
    return repr(keys[0] if len(keys[0]) <= _LONGEST else f"{keys[0][:_LONGEST]}…")
