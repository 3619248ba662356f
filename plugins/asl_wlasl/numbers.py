"""The class numbers that files carry, compared: the reference numbers its glosses anew in every split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from asl_core import Finding
from asl_wlasl.labels import StoredVocabulary
from asl_wlasl.records import Record, name_some

__all__ = ["Numbers", "number_findings"]


@attrs.frozen
class Numbers:
    """How many clips of a split carry each pair of gloss and stored number."""

    pairs: Counter[tuple[str, int | None]]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Numbers:
        """Counted over the clips that have a gloss."""
        return cls(Counter((r.gloss, r.number) for r in records if r.gloss is not None))

    @property
    def by_gloss(self) -> dict[str, set[int]]:
        """Each gloss with the numbers that its clips carry; more than one contradict each other."""
        found: dict[str, set[int]] = {}
        for gloss, number in self.pairs:
            found.setdefault(gloss, set()).update(() if number is None else (number,))
        return found

    def clips_of_gloss(self) -> Counter[str]:
        """Clips of each gloss."""
        counts: Counter[str] = Counter()
        for (gloss, _), count in self.pairs.items():
            counts[gloss] += count
        return counts


def number_findings(
    splits: Mapping[str, Numbers], vocabulary: StoredVocabulary | None, class_key: str
) -> list[Finding]:
    """``class-numbers``, a warning where a stored number does not mean the same gloss everywhere.

    Args:
        splits: of the splits read so far; without train there is nothing to compare with.
        vocabulary: of the same folder, whose numbers may collide.
        class_key: the option, which the message ends with.
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
    # As text, for whoever writes numbers can choose them so that all of a set's land in one place.
    taken = 0 if vocabulary is None else len({str(number) for number in vocabulary.numbers.values()})
    if vocabulary is not None and taken < len(vocabulary.numbers):
        parts.append(f"{vocabulary.path.name} puts {len(vocabulary.numbers)} glosses on {taken} numbers")
        figures["vocabulary"] = {"glosses": len(vocabulary.numbers), "numbers": taken}
    if class_key == "stored-number":
        parts.append("classes are those stored numbers nevertheless (class-key stored-number), as in the reference")
    elif parts:
        parts.append("classes are keyed by gloss")
    return [Finding("warning", "class-numbers", "; ".join(parts), figures)] if parts else []
