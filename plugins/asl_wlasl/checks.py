"""Checks of the records of a split: ids, widths, frames, fields that were not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from asl_core import DataError, Finding, shortened
from asl_wlasl.records import Record

__all__ = ["check_shards", "check_width", "field_findings", "key_findings", "sound_records"]


def check_shards(records: Sequence[Record]) -> None:
    """Refuse an id that occurs twice, and clips of different widths.

    Raises:
        DataError: naming both clips and both files.
    """
    by_id: dict[str, Record] = {}
    for record in records:
        other = by_id.setdefault(record.id, record)
        if other is not record:
            where = f"twice in {record.file}" if other.file == record.file else f"in {other.file} and {record.file}"
            raise DataError(
                f"clip {record.id!r} stands {where}; expected each clip once. If these are not shards of one "
                "split, name the file that is meant (--dataset.train FILE)."
            )
        check_width(records[0], record)


def check_width(first: Record, other: Record) -> None:
    """Refuse two clips with different features per frame."""
    if other.features.shape[1] != first.features.shape[1]:
        raise DataError(
            f"clip {other.id!r} of {other.file} has {other.features.shape[1]} features per frame, clip {first.id!r} "
            f"of {first.file} has {first.features.shape[1]}; expected one width. Extract both in the same way."
        )


def sound_records(
    records: Sequence[Record], bad_clips: str, faults: Mapping[str, str] | None = None
) -> tuple[list[Record], list[Finding]]:
    """The clips that have frames. NaN is checked after the transforms, some of which know it as a missing point.

    Args:
        records: of one split.
        bad_clips: ``stop`` to refuse clips without frames, ``drop`` to leave them out with a warning.
        faults: of clips that were left out when they were read, by id.

    Raises:
        DataError: a clip has no frames and ``bad_clips`` is ``stop``, or no clip is left.
    """
    sound = [r for r in records if len(r.features)]
    empty = {r.id: f"clip {r.id!r} of {r.file} has no frames" for r in records if not len(r.features)}
    bad = {**(faults or {}), **empty}
    if not bad:
        return sound, []
    shown = shortened(bad.values(), separator="; ")
    what = f"{len(bad)} of {len(bad) + len(sound)} clips cannot be learned from: {shown}"
    if bad_clips == "stop" or not sound:
        way = "Extract them again, or leave them out with --dataset.bad-clips drop." if sound else "None is left."
        raise DataError(f"{what}. Expected at least one frame each. {way}")
    return sound, [Finding("warning", "bad-clips", f"dropped: {what}", {"ids": list(bad)})]


def key_findings(records: Sequence[Record]) -> list[Finding]:
    """A warning where the key of a clip is not its ``video_id``; the key is used."""
    odd = [r for r in records if r.stated_id is not None and r.stated_id != r.id]
    if not odd:
        return []
    message = (
        f"{len(odd)} of {len(records)} clips stand under a key other than their video_id (first: {odd[0].id!r} in "
        f"{odd[0].file} says {odd[0].stated_id!r}); the key is taken as the clip's id"
    )
    return [Finding("warning", "key-mismatch", message, {"ids": [r.id for r in odd]})]


def field_findings(records: Sequence[Record]) -> list[Finding]:
    """Notes on fields that were read under another name, or not at all."""
    findings = []
    renamed = Counter(r.gloss_field for r in records if r.gloss is not None and r.gloss_field != "gloss")
    for field, count in renamed.items():
        message = f"the glosses of {count} of {len(records)} clips are read from their field {field[:60]!r}"
        findings.append(Finding("note", "gloss-field", message))
    skipped = Counter((field, kind) for r in records for field, kind in r.skipped)
    for (field, kind), count in skipped.most_common(5):
        message = (
            f"the field {field[:60]!r} of {count} of {len(records)} clips holds {_article(kind)}, which is not "
            f"read; it is left out"
        )
        findings.append(Finding("note", "field-skipped", message))
    if len(skipped) > 5:
        findings.append(
            Finding("note", "field-skipped", f"{len(skipped) - 5} more kinds of fields are left out as well")
        )
    return findings


def _article(kind: str) -> str:
    return kind if kind.startswith(("a ", "an ")) else f"a value of type {kind}"
