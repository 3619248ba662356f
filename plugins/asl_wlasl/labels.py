"""Glosses from beside the pickles: a label file for clips without one, and what vocabulary.json claims."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core import DataError, Finding
from asl_wlasl.layout import Record, name_some

__all__ = ["Labels", "StoredVocabulary", "add_labels", "read_labels", "read_vocabulary"]

_FORMS = (
    'Expected CSV lines "id,gloss", JSON {id: gloss}, or the layout of WLASL_v0.3.json: '
    '[{"gloss": …, "instances": [{"video_id": …}]}].'
)


@attrs.frozen
class Labels:
    """What a label file says of clips."""

    path: Path
    glosses: Mapping[str, str]  #: by clip id
    signers: Mapping[str, str]


def read_labels(path: Path) -> Labels:
    """A label file in any of its three forms, told apart by content.

    Raises:
        DataError: not readable, none of the forms, or two glosses for one clip.
    """
    text = _text(path)
    glosses: dict[str, str] = {}
    signers: dict[str, str] = {}
    rows = _json_rows(text, path) if text.lstrip()[:1] in ("{", "[") else _csv_rows(text, path)
    for clip, gloss, signer in rows:
        if glosses.setdefault(clip, gloss) != gloss:
            raise DataError(
                f"{path} gives clip {clip!r} two glosses, {glosses[clip]!r} and {gloss!r}; expected one. "
                "Remove the wrong line."
            )
        if signer is not None:
            signers[clip] = signer
    if not glosses:
        raise DataError(f"{path} labels no clip. {_FORMS}")
    return Labels(path, glosses, signers)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"{path} cannot be read as UTF-8 text ({fault}). {_FORMS}") from fault


def _parsed(text: str) -> Any:
    """JSON as Python has it, unless that would take far more memory than the text.

    Raises:
        ValueError: it is no JSON, or made of millions of empty tables and lists.
    """
    # Bytes in CPython of a list, a dict, half a text and the place of an item in what holds it.
    weight = 72 * text.count("[") + 256 * text.count("{") + 32 * text.count('"') + 40 * text.count(",")
    if weight > (48 << 20) + 7 * len(text):
        raise ValueError(f"it would take some {weight >> 20} MiB of memory, many times its size")
    return json.loads(text)


def _json_rows(text: str, path: Path) -> list[tuple[str, str, str | None]]:
    try:
        content = _parsed(text)
    except (ValueError, RecursionError) as fault:
        raise DataError(f"{path} is no valid JSON ({fault}). {_FORMS}") from fault
    try:
        if isinstance(content, dict):
            return [(str(clip), _gloss(gloss), None) for clip, gloss in content.items()]
        return [
            (str(one["video_id"]), _gloss(entry["gloss"]), _signer(one.get("signer_id")))
            for entry in content
            for one in entry["instances"]
        ]
    except (KeyError, TypeError, AttributeError) as fault:
        raise DataError(f"{path} is JSON of another layout ({type(fault).__name__}: {fault}). {_FORMS}") from fault


def _csv_rows(text: str, path: Path) -> list[tuple[str, str, str | None]]:
    found: list[tuple[str, str, str | None]] = []
    for number, row in enumerate(_csv_lines(text, path), start=1):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != 2 or not row[0].strip() or not row[1].strip():
            raise DataError(f"{path}, line {number}: {len(row)} columns, or an empty one. {_FORMS}")
        if number == 1 and row[1].strip().lower() == "gloss":
            continue  # a heading
        found.append((row[0].strip(), row[1].strip(), None))
    return found


def _csv_lines(text: str, path: Path) -> Iterator[list[str]]:
    try:
        yield from csv.reader(text.splitlines())
    except csv.Error as fault:
        raise DataError(f"{path} is no valid CSV ({fault}). {_FORMS}") from fault


def _gloss(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"a gloss is a {type(value).__name__}, or empty")
    return value.strip()


def _signer(value: object) -> str | None:
    return None if value is None else str(value)


def add_labels(records: Sequence[Record], labels: Labels) -> tuple[list[Record], list[Finding]]:
    """Glosses and signers for the clips that lack them; what a pickle says itself stands, and is compared."""
    filled, disagree = [], []
    for record in records:
        gloss = labels.glosses.get(record.id)
        if gloss is not None and record.gloss is not None and gloss != record.gloss:
            disagree.append(f"{record.id}: {record.gloss} / {gloss}")
        filled.append(
            attrs.evolve(
                record,
                gloss=record.gloss if record.gloss is not None else gloss,
                signer=record.signer if record.signer is not None else labels.signers.get(record.id),
            )
        )
    if not disagree:
        return filled, []
    message = (
        f"{len(disagree)} of {len(records)} clips have another gloss in {labels.path} than in their pickle "
        f"({name_some(disagree, 3)}); the pickle's is taken"
    )
    return filled, [Finding("warning", "label-disagreement", message, {"clips": disagree})]


@attrs.frozen
class StoredVocabulary:
    """What vocabulary.json says; it decides nothing, and is only compared with the clips."""

    path: Path
    numbers: Mapping[str, int] = attrs.field(factory=dict)
    faults: tuple[str, ...] = ()  #: where it is unreadable or contradicts itself

    def findings(self, train: Mapping[str, set[int]]) -> list[Finding]:
        """Where it is empty, unreadable or at odds with itself or with the glosses and numbers of train.

        Args:
            train: each gloss of train with the numbers that its clips carry; empty where train was not read.
        """
        told = "; classes come from the glosses of train instead"
        faults = list(self.faults)
        if not faults and not self.numbers:
            return [Finding("note", "vocabulary-file", f"{self.path} lists no gloss{told}")]
        if train and self.numbers:
            lacking = sorted(set(train) - set(self.numbers))
            unknown = sorted(set(self.numbers) - set(train))
            other = [g for g in train if g in self.numbers and train[g] and self.numbers[g] not in train[g]]
            if lacking:
                faults.append(f"lacks {len(lacking)} glosses of train ({name_some(lacking, 3)})")
            if unknown:
                faults.append(f"lists {len(unknown)} glosses that train lacks ({name_some(unknown, 3)})")
            if other:
                faults.append(f"gives {len(other)} of {len(train)} glosses another number than the train clips carry")
        if not faults:
            return []
        return [Finding("warning", "vocabulary-file", f"{self.path} {' and '.join(faults)}{told}")]


def read_vocabulary(folder: Path) -> StoredVocabulary | None:
    """The vocabulary.json of a folder, None where there is none; one that is damaged is told, never needed."""
    path = folder / "vocabulary.json"
    if not path.is_file():
        return None
    try:
        content = _parsed(path.read_text(encoding="utf-8-sig") or "{}")
        numbers = {str(gloss): int(number) for gloss, number in content.get("gloss_to_id", {}).items()}
        inverse = {int(number): str(gloss) for number, gloss in content.get("id_to_gloss", {}).items()}
        stated = int(content.get("num_glosses", len(numbers)))
    except (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as fault:
        return StoredVocabulary(path, faults=(f"cannot be read ({type(fault).__name__}: {str(fault)[:200]})",))
    faults = []
    if stated != len(numbers):
        faults.append(f"says num_glosses {stated} and lists {len(numbers)}")
    crossed = sum(1 for number, gloss in inverse.items() if numbers.get(gloss) != number)
    if crossed:
        faults.append(f"contradicts itself: {crossed} entries of id_to_gloss are not those of gloss_to_id")
    return StoredVocabulary(path, numbers, tuple(faults))
