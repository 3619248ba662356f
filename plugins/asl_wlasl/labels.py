"""Glosses from beside the pickles: a label file for clips without one, and what vocabulary.json claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from asl_core import DataError, Finding, KeyJoin, join_keys
from asl_wlasl.label_files import parsed_json, read_label_table
from asl_wlasl.records import Record, name_some

__all__ = ["Labels", "StoredVocabulary", "add_labels", "read_labels", "read_vocabulary", "refuse_no_match"]


@attrs.frozen
class Labels:
    """What a label file says of clips."""

    path: Path
    glosses: Mapping[str, str]  #: by clip id
    signers: Mapping[str, str]
    blank: tuple[str, ...] = ()  #: ids whose gloss is empty
    said: tuple[str, ...] = ()  #: how the file was read, where that is not plain from its name
    loose: bool = False  #: whether ids that differ only in their spelling are the same clip

    def join(self, ids: Iterable[str]) -> KeyJoin:
        """Ids of clips held against those of the file."""
        return join_keys(ids, self.glosses)

    def labelled(self, ids: Iterable[str]) -> bool:
        """Whether it has a gloss for one of these clips."""
        joined = self.join(ids)
        return bool(joined.matched or (self.loose and joined.near))

    def findings(self, ids: Iterable[str], unlabelled: int) -> list[Finding]:
        """What the file gave and what it missed on both sides.

        Args:
            ids: of all clips read so far.
            unlabelled: those of them that have no gloss from anywhere.
        """
        found = [Finding("note", "labels-read", f"{self.path}: {'; '.join(self.said)}")] if self.said else []
        if self.blank:
            message = f"{len(self.blank)} ids of {self.path} have an empty gloss (first {self.blank[0]!r})"
            found.append(Finding("warning", "labels-blank", message, {"ids": list(self.blank)}))
        joined = self.join(ids)
        if not joined.lacking and not joined.unused:
            return found
        message = joined.counts("clips", f"entries of {self.path}")
        missed = len(joined.lacking)
        if (near := joined.near_miss()) and self.loose:
            message += f". Of these, {near}: they are joined, as --dataset.label-ids loose says"
            missed -= len(joined.near)
        elif near:
            message += f". {near}; {_LOOSELY}"
        level = "warning" if unlabelled and missed else "note"
        data = {"matched": len(joined.matched), "lacking": list(joined.lacking), "unused": len(joined.unused)}
        return [*found, Finding(level, "labels-joined", message, data)]


_LOOSELY = "--dataset.label-ids loose takes such ids for the same, or write them as the clips have them"


def read_labels(path: Path, *, loose: bool = False) -> Labels:
    """A label file in any of its forms, told apart by content.

    Raises:
        DataError: not readable, none of the forms, or two glosses for one clip.
    """
    table = read_label_table(path)
    return Labels(path, table.glosses, table.signers, table.blank, table.said, loose)


def add_labels(records: Sequence[Record], labels: Labels) -> tuple[list[Record], list[Finding]]:
    """Glosses and signers for the clips that lack them; what a pickle says itself stands, and is compared."""
    near = labels.join(r.id for r in records).near if labels.loose else {}
    filled, disagree = [], []
    for record in records:
        key = near.get(record.id, record.id)
        gloss = labels.glosses.get(key)
        if gloss is not None and record.gloss is not None and gloss != record.gloss:
            disagree.append(f"{record.id}: {record.gloss} / {gloss}")
        filled.append(
            attrs.evolve(
                record,
                gloss=record.gloss if record.gloss is not None else gloss,
                signer=record.signer if record.signer is not None else labels.signers.get(key),
            )
        )
    if not disagree:
        return filled, []
    message = (
        f"{len(disagree)} of {len(records)} clips have another gloss in {labels.path} than in their pickle "
        f"({name_some(disagree, 3)}); the pickle's is taken"
    )
    return filled, [Finding("warning", "label-disagreement", message, {"clips": disagree})]


def refuse_no_match(split: str, records: Sequence[Record], labels: Labels) -> None:
    """Stop where a label file was named for clips without a gloss and is about other clips.

    Raises:
        DataError: with both sides, and what to type.
    """
    joined = labels.join(r.id for r in records)
    swapped = not joined.near and {r.id for r in records} & set(labels.glosses.values())
    if swapped:
        advice = 'Its glosses are ids of clips: the columns are swapped. Put the line "gloss,id" on top of it.'
    elif joined.near:
        advice = f"{joined.near_miss()}; {_LOOSELY}."
    else:
        advice = "Check that it is the label file of these clips, with their ids as the pickles have them."
    raise DataError(
        f"--dataset.labels {labels.path} labels none of the {split} clips: "
        f"{joined.counts(f'{split} clips', 'of its entries')}. {advice}"
    )


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
            joined = join_keys(sorted(train), sorted(self.numbers))
            lacking, unknown = joined.lacking, joined.unused
            other = [g for g in train if g in self.numbers and train[g] and self.numbers[g] not in train[g]]
            if lacking:
                faults.append(f"lacks {len(lacking)} glosses of train ({name_some(lacking, 3)})")
            if unknown:
                faults.append(f"lists {len(unknown)} glosses that train lacks ({name_some(unknown, 3)})")
            if joined.near:
                faults.append(f"spells glosses in another way ({joined.near_miss()})")
            if other:
                faults.append(f"gives {len(other)} of {len(train)} glosses another number than the train clips carry")
        if not faults:
            return []
        return [Finding("warning", "vocabulary-file", f"{self.path} {' and '.join(faults)}{told}")]


_LARGEST = 4 << 20  #: bytes of a vocabulary.json; a hundred thousand glosses


def _number(value: str | float) -> int:
    number = int(value)
    if abs(number) >= 2**53:
        raise ValueError("a class number of more than 15 digits")
    return number


def read_vocabulary(folder: Path) -> StoredVocabulary | None:
    """The vocabulary.json of a folder, None where there is none; one that is damaged is told, never needed."""
    path = folder / "vocabulary.json"
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has {path.stat().st_size:,} bytes, more than any vocabulary")
        content = parsed_json(path.read_text(encoding="utf-8-sig") or "{}")
        numbers = {str(gloss): _number(number) for gloss, number in content.get("gloss_to_id", {}).items()}
        inverse = [(_number(number), str(gloss)) for number, gloss in content.get("id_to_gloss", {}).items()]
        stated = int(content.get("num_glosses", len(numbers)))
    except (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as fault:
        return StoredVocabulary(path, faults=(f"cannot be read ({type(fault).__name__}: {str(fault)[:200]})",))
    faults = []
    if stated != len(numbers):
        faults.append(f"says num_glosses {stated} and lists {len(numbers)}")
    crossed = sum(1 for number, gloss in inverse if numbers.get(gloss) != number)
    if crossed:
        faults.append(f"contradicts itself: {crossed} entries of id_to_gloss are not those of gloss_to_id")
    return StoredVocabulary(path, numbers, tuple(faults))
