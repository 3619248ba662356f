"""Glosses that look alike: finding them, and printing them so that they differ."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from asl_core.clips.clip import Finding
from asl_core.text import shortened

__all__ = ["look_alikes", "told_apart"]

#: Cyrillic and Greek letters, quotes and dashes that fonts draw like those of ASCII
_DRAWN_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0410\u0412\u0415\u041a\u041c\u041d"
    "\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405\u0391\u0392\u0395\u0396\u0397\u0399\u039a"
    "\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd\u2018\u2019\u201b\u02bc\u00b4\u0060\u201c"
    "\u201d\u2212",
    "aeopcyxijsABEKMHOPCTYXIJSABEZHIKMNOPTYXov''''''\"\"-",
)
_GAP = re.compile(r"[\s_-]+")
_ODD_SPACE = re.compile(r"^ | $|  +")


def _visible(name: str) -> str:
    """A name as it looks: without hidden characters, runs of spaces as one, look-alike letters as one."""
    text = unicodedata.normalize("NFKC", name)
    drawn = "".join("-" if unicodedata.category(c) == "Pd" else c for c in text if not _is_hidden(c))
    return " ".join(unicodedata.normalize("NFC", drawn.translate(_DRAWN_ALIKE)).split())


def _is_hidden(character: str) -> bool:
    """Zero-width and soft characters, controls, and the selectors of variants."""
    kind = unicodedata.category(character)
    return (kind in ("Cf", "Cc", "Cn", "Co") and not character.isspace()) or 0xFE00 <= ord(character) <= 0xFE0F


def _key(name: str) -> str:
    """Equal for names that differ only in case, spaces, ``_`` or ``-``."""
    return _GAP.sub(" ", _visible(name).casefold()).strip()


def told_apart(names: Iterable[str]) -> list[str]:
    """Names in quotes, escaped where two would look the same."""
    names = list(names)
    alike: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        alike[_visible(name)].add(name)
    return [
        _escaped(name) if len(alike[_visible(name)]) > 1 or not name.isprintable() else repr(name) for name in names
    ]


def _escaped(name: str) -> str:
    """In ASCII, and spaces escaped where there is more than one between words."""
    text = ascii(name)
    inner = _ODD_SPACE.sub(lambda found: "\\x20" * len(found[0]), text[1:-1])
    return f"{text[0]}{inner}{text[-1]}"


def look_alikes(glosses: Iterable[str]) -> list[Finding]:
    """Warnings where glosses differ only in case (``gloss-case``), or hardly to the eye (``gloss-look``)."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for gloss in sorted(set(glosses)):
        groups[_key(gloss)].append(gloss)
    clashes = [group for group in groups.values() if len(group) > 1]
    by_case = [group for group in clashes if len({gloss.lower() for gloss in group}) == 1]
    by_look = [group for group in clashes if group not in by_case]
    kept = "they are kept as different classes"
    findings = []
    for code, alike, how in (
        ("gloss-case", by_case, "that differ only in case"),
        (
            "gloss-look",
            by_look,
            "that differ only in case, spaces, _ or -, or in characters that look the same or are not seen",
        ),
    ):
        if alike:
            named = [" / ".join(told_apart(group)) for group in alike]
            message = (
                f"{len(named)} glosses are written in several ways {how} ({shortened(named, 3)}); {kept}. If "
                f"each is meant to be one sign, write it in one way in the files or in the labels."
            )
            findings.append(Finding("warning", code, message, {"glosses": [" / ".join(group) for group in alike]}))
    return findings
