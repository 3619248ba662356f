"""The class numbers in pickles and in vocabulary.json, compared: the reference numbers glosses anew in each split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from asl_core import Finding, join_keys
from asl_wlasl.label_files import parsed_json
from asl_wlasl.records import Record, name_some

__all__ = ["ClassNumbers", "StoredVocabulary", "number_findings", "read_vocabulary"]


@attrs.frozen
class ClassNumbers:
    """How many clips of a split have each pair of gloss and stored number."""

    pairs: Counter[tuple[str, int | None]]

    @classmethod
    def of(cls, records: Sequence[Record]) -> ClassNumbers:
        """Counted over the clips that have a gloss."""
        return cls(Counter((r.gloss, r.number) for r in records if r.gloss is not None))

    @property
    def by_gloss(self) -> dict[str, set[int]]:
        """The numbers that the clips of each gloss have; several contradict each other."""
        by_gloss: dict[str, set[int]] = {}
        for gloss, number in self.pairs:
            by_gloss.setdefault(gloss, set()).update(() if number is None else (number,))
        return by_gloss

    def clips_of_gloss(self) -> Counter[str]:
        """Clips of each gloss."""
        counts: Counter[str] = Counter()
        for (gloss, _), count in self.pairs.items():
            counts[gloss] += count
        return counts


@attrs.frozen
class StoredVocabulary:
    """The content of vocabulary.json. It is only compared with the clips: classes come from their glosses."""

    path: Path
    numbers: Mapping[str, int] = attrs.field(factory=dict)
    faults: tuple[str, ...] = ()  #: where it is unreadable or contradicts itself

    def findings(self, train: Mapping[str, set[int]]) -> list[Finding]:
        """Whether it is empty, unreadable, or contradicts itself or the glosses and numbers of train.

        Args:
            train: each gloss of train with the numbers that its clips carry; empty where train was not read.
        """
        instead = "; classes come from the glosses of train instead"
        faults = list(self.faults)
        if not faults and not self.numbers:
            return [Finding("note", "vocabulary-file", f"{self.path} lists no gloss{instead}")]
        if train and self.numbers:
            joined = join_keys(sorted(train), sorted(self.numbers))
            other = [g for g in train if g in self.numbers and train[g] and self.numbers[g] not in train[g]]
            if joined.lacking:
                faults.append(f"lacks {len(joined.lacking)} glosses of train ({name_some(joined.lacking, 3)})")
            if joined.unused:
                faults.append(f"lists {len(joined.unused)} glosses that train lacks ({name_some(joined.unused, 3)})")
            if joined.near:
                faults.append(f"spells glosses in another way ({joined.near_miss()})")
            if other:
                faults.append(f"gives {len(other)} of {len(train)} glosses another number than the train clips carry")
        if not faults:
            return []
        return [Finding("warning", "vocabulary-file", f"{self.path} {' and '.join(faults)}{instead}")]


_MAX_BYTES = 4 << 20  #: bytes of a vocabulary.json; a hundred thousand glosses


def _number(value: str | float) -> int:
    number = int(value)
    if abs(number) >= 2**53:
        raise ValueError("a class number of more than 15 digits")
    return number


def read_vocabulary(folder: Path) -> StoredVocabulary | None:
    """The vocabulary.json of a folder, or None. A damaged one is reported in ``faults``, since it is not needed."""
    path = folder / "vocabulary.json"
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MAX_BYTES:
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


def number_findings(
    splits: Mapping[str, ClassNumbers], vocabulary: StoredVocabulary | None, class_key: str
) -> list[Finding]:
    """The warning ``class-numbers``, where a stored number does not mean the same gloss everywhere.

    Args:
        splits: of the splits read so far; nothing is compared without train.
        vocabulary: of the same folder; its numbers may collide.
        class_key: the option of that name.
    """
    parts = []
    figures: dict[str, object] = {}
    train = splits["train"].by_gloss if "train" in splits else {}
    for split, numbers in splits.items():
        if split == "train" or not train:
            continue
        known = {pair: count for pair, count in numbers.pairs.items() if pair[1] is not None}
        clips = sum(known.values())
        comparable = sum(count for (gloss, _), count in known.items() if train.get(gloss))
        agree = sum(count for (gloss, number), count in known.items() if number in train.get(gloss, ()))
        if agree < comparable:
            parts.append(f"{agree} of {clips} {split} clips carry the number that train gives their gloss")
            figures[split] = {"agree": agree, "clips": clips}
    torn = sorted(gloss for gloss, numbers in train.items() if len(numbers) > 1)
    if torn:
        parts.append(f"{len(torn)} glosses of train carry several numbers ({name_some(torn, 3)})")
    used = {number for numbers in train.values() for number in numbers}
    if train and not torn and 0 < len(used) < sum(1 for numbers in train.values() if numbers):
        parts.append(f"train puts {len(train)} glosses on {len(used)} numbers")
    # As text: a hostile file can choose numbers that all have the same hash.
    taken = 0 if vocabulary is None else len({str(number) for number in vocabulary.numbers.values()})
    if vocabulary is not None and taken < len(vocabulary.numbers):
        parts.append(f"{vocabulary.path.name} puts {len(vocabulary.numbers)} glosses on {taken} numbers")
        figures["vocabulary"] = {"glosses": len(vocabulary.numbers), "numbers": taken}
    if class_key == "stored-number":
        parts.append("classes are those stored numbers nevertheless (class-key stored-number), as in the reference")
    elif parts:
        parts.append("classes are keyed by gloss")
    return [Finding("warning", "class-numbers", "; ".join(parts), figures)] if parts else []
