"""Two tables joined by a key: what matched, what did not on either side, and keys that differ only in spelling.

A join that drops what does not match is silent: labels of ``65539.mp4`` for the clip ``65539`` look like no labels.
Data sets hold every such join against :func:`join_keys` and report it.
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


#: what two spellings may differ in, and how that is taken away; in this order
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
    """A key free of all that spellings differ in, but for one kind of it."""
    for name, step in _SPELLINGS:
        if name != without:
            key = step(key)
    return key


@attrs.frozen
class KeyJoin:
    """What a join by key matched and what it missed, each side in its own order."""

    matched: tuple[str, ...]  #: keys that both sides have
    lacking: tuple[str, ...]  #: keys that were looked up and are not in the table
    unused: tuple[str, ...]  #: keys of the table that nothing looked up
    near: Mapping[str, str]  #: of ``lacking``: the one key of ``unused`` that is the same but for its spelling
    differ: tuple[str, ...]  #: what those pairs differ in, in words

    def counts(self, wanted: str, given: str) -> str:
        """Both sides in one sentence without its full stop.

        Args:
            wanted: what the looked-up keys stand for, ``train clips``.
            given: what the keys of the table stand for, ``entries of labels.csv``.
        """
        all_wanted, all_given = len(self.matched) + len(self.lacking), len(self.matched) + len(self.unused)
        parts = [f"{len(self.matched)} of {all_wanted} {wanted} match one of {all_given} {given}"]
        if self.lacking:
            parts.append(f"{len(self.lacking)} {wanted} match none (first {_shown(self.lacking)})")
        if self.unused:
            parts.append(f"{len(self.unused)} {given} are not used (first {_shown(self.unused)})")
        return "; ".join(parts)

    def near_miss(self) -> str:
        """How many keys are the same but for their spelling, and in what they differ; empty where none are."""
        if not self.near:
            return ""
        one, other = next(iter(self.near.items()))
        show = ascii if _visible(one) == _visible(other) else repr  # else both would look alike
        return (
            f"{len(self.near)} differ only in {' and '.join(self.differ)}: {show(one[:_LONGEST])} is written "
            f"{show(other[:_LONGEST])} there"
        )


def join_keys(wanted: Iterable[str], given: Iterable[str]) -> KeyJoin:
    """Hold the keys that are looked up against those that a table has.

    Args:
        wanted: ids of clips, names of classes: what is looked up.
        given: what the table has entries for.
    """
    asked, table = dict.fromkeys(wanted), dict.fromkeys(given)
    matched = tuple(key for key in asked if key in table)
    lacking = tuple(key for key in asked if key not in table)
    unused = tuple(key for key in table if key not in asked)
    near = _near(lacking, unused, tuple({**asked, **table})) if lacking and unused else {}
    differ = _differences(near)
    return KeyJoin(matched, lacking, unused, near, differ)


def _near(lacking: Sequence[str], unused: Sequence[str], every: Sequence[str]) -> dict[str, str]:
    """Pairs that are one but for their spelling, where no other key could be meant as well."""
    plain = {key: _plain(key) for key in every}
    spellings = Counter(plain.values())
    others = {plain[key]: key for key in unused}
    return {key: others[plain[key]] for key in lacking if plain[key] in others and spellings[plain[key]] == 2}


def _differences(near: Mapping[str, str]) -> tuple[str, ...]:
    """The kinds of spelling without which some pair would differ."""
    pairs = list(near.items())[:1000]  # of which the first is shown
    found = tuple(
        name
        for name, _ in _SPELLINGS
        if any(_plain(one, without=name) != _plain(two, without=name) for one, two in pairs)
    )
    return found or (("spelling",) if pairs else ())  # each of two kinds alone may make them one


def _shown(keys: Sequence[str]) -> str:
    return repr(keys[0] if len(keys[0]) <= _LONGEST else f"{keys[0][:_LONGEST]}…")
