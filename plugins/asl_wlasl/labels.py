"""Glosses from a label file for clips whose pickle has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from asl_core import DataError, Finding, KeyJoin, join_keys
from asl_wlasl.records import Record, name_some

__all__ = ["Labels", "add_labels", "refuse_no_match"]

_LOOSE = "--dataset.label-ids loose takes such ids for the same, or write them as the clips have them"


@attrs.frozen
class Labels:
    """The content of a label file."""

    path: Path
    glosses: Mapping[str, str]  #: by clip id
    signers: Mapping[str, str]  #: by clip id
    blank: tuple[str, ...] = ()  #: ids whose gloss is empty
    notes: tuple[str, ...] = ()  #: how the file was read, where its name does not tell
    loose: bool = False  #: whether ids that differ only in spelling are the same clip

    def join(self, ids: Iterable[str]) -> KeyJoin:
        """The ids of clips matched with those of the file."""
        return join_keys(ids, self.glosses)

    def match_any(self, ids: Iterable[str]) -> bool:
        """Whether the file has a gloss for at least one of these clips."""
        joined = self.join(ids)
        return bool(joined.matched or (self.loose and joined.near))

    def findings(self, ids: Iterable[str], unlabelled: int) -> list[Finding]:
        """How the file was read, its empty glosses, and ids that only one side has.

        Args:
            ids: of all clips read so far.
            unlabelled: how many of them have no gloss, from the pickle or from the file.
        """
        findings = [Finding("note", "labels-read", f"{self.path}: {'; '.join(self.notes)}")] if self.notes else []
        if self.blank:
            message = f"{len(self.blank)} ids of {self.path} have an empty gloss (first {self.blank[0]!r})"
            findings.append(Finding("warning", "labels-blank", message, {"ids": list(self.blank)}))
        joined = self.join(ids)
        if not joined.lacking and not joined.unused:
            return findings
        message = joined.counts("clips", f"entries of {self.path}")
        missed = len(joined.lacking)
        if (near := joined.near_miss()) and self.loose:
            message += f". Of these, {near}: they are joined, as --dataset.label-ids loose says"
            missed -= len(joined.near)
        elif near:
            message += f". {near}; {_LOOSE}"
        level = "warning" if unlabelled and missed else "note"
        data = {"matched": len(joined.matched), "lacking": list(joined.lacking), "unused": len(joined.unused)}
        return [*findings, Finding(level, "labels-joined", message, data)]


def add_labels(records: Sequence[Record], labels: Labels) -> tuple[list[Record], list[Finding]]:
    """Glosses and signers for the clips that lack them. A gloss in the pickle is kept; one that differs is reported."""
    near = labels.join(r.id for r in records).near if labels.loose else {}
    labelled, differing = [], []
    for record in records:
        key = near.get(record.id, record.id)
        gloss = labels.glosses.get(key)
        if gloss is not None and record.gloss is not None and gloss != record.gloss:
            differing.append(f"{record.id}: {record.gloss} / {gloss}")
        labelled.append(
            attrs.evolve(
                record,
                gloss=record.gloss if record.gloss is not None else gloss,
                signer=record.signer if record.signer is not None else labels.signers.get(key),
            )
        )
    if not differing:
        return labelled, []
    message = (
        f"{len(differing)} of {len(records)} clips have another gloss in {labels.path} than in their pickle "
        f"({name_some(differing, 3)}); the pickle's is taken"
    )
    return labelled, [Finding("warning", "label-disagreement", message, {"clips": differing})]


def refuse_no_match(split: str, records: Sequence[Record], labels: Labels) -> None:
    """Refuse a label file that matches none of the clips that need it.

    Raises:
        DataError: always, with examples of both sides and what to type.
    """
    joined = labels.join(r.id for r in records)
    swapped = not joined.near and {r.id for r in records} & set(labels.glosses.values())
    if swapped:
        advice = 'Its glosses are ids of clips: the columns are swapped. Put the line "gloss,id" on top of it.'
    elif joined.near:
        advice = f"{joined.near_miss()}; {_LOOSE}."
    else:
        advice = "Check that it is the label file of these clips, with their ids as the pickles have them."
    raise DataError(
        f"--dataset.labels {labels.path} labels none of the {split} clips: "
        f"{joined.counts(f'{split} clips', 'of its entries')}. {advice}"
    )
