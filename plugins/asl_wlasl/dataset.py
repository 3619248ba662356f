"""The ``wlasl`` data set: pickles in, clips with gloss strings out, and what was noticed on the way."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from asl_core import Clip, DataError, Finding, as_word, join_keys
from asl_wlasl.files import find_file, find_splits, missing_split, unread_findings
from asl_wlasl.labels import Labels, add_labels, read_labels, read_vocabulary, refuse_no_match
from asl_wlasl.layout import check_shards, check_width, field_findings, key_findings, sound_records
from asl_wlasl.numbers import Numbers, number_findings
from asl_wlasl.options import WlaslOptions
from asl_wlasl.records import Record, name_some, read_records

__all__ = ["WlaslDataset"]


@attrs.frozen
class _Seen:
    """What is kept of a split that was read: never its frames."""

    numbers: Numbers
    findings: tuple[Finding, ...]
    first: Record  #: without its frames, for their width and where it is
    ids: tuple[str, ...]
    unlabelled: int


class WlaslDataset:
    """Clips of feature pickles, one class a gloss. Nothing is read before it is asked for.

    Args:
        options: where the files are, and which clips of them are wanted.
    """

    def __init__(self, options: WlaslOptions):
        self._options = options
        self.bad_clips = options.bad_clips  #: what a run does with numbers that no model can take
        self._seen: dict[str, _Seen] = {}
        self._kept: dict[str, Finding] = {}
        self._read: dict[Path, tuple[Finding, ...]] = {}
        self._files: Mapping[str, list[Path]] | None = None
        self._labels: Labels | None = None

    def splits(self) -> Sequence[str]:
        """The splits that have files, of train, val, test.

        Raises:
            DataError: no folder was named, a named file is missing, or there is no split.
        """
        if self._files is None:
            self._files = find_splits(self._options)
        return tuple(self._files)

    def clips(self, split: str) -> Sequence[Clip]:
        """The clips of a split, in the order of its files and of the entries in each.

        Raises:
            DataError: the split is not there, or a file of it is damaged, hostile or not of the layout.
        """
        records = self._load(split)
        if self._options.glosses is not None:
            records = self._choose(split, records)
        return [self._clip(record) for record in records]

    def read(self, path: Path) -> Sequence[Clip]:
        """Every clip of one pickle, for prediction; glosses where the file or the label file has them."""
        records, findings = self._prepare([path])
        self._read[path] = tuple(findings)
        return [self._clip(record, labelled=False) for record in records]

    def findings(self) -> Sequence[Finding]:
        """What was noticed in the splits read so far: faults of the files, and labels that disagree."""
        found = [f for seen in self._seen.values() for f in seen.findings]
        found += [f for findings in self._read.values() for f in findings]
        found += self._kept.values()
        if self._seen and self._files is not None:
            unlabelled = any(seen.unlabelled for seen in self._seen.values())
            found += unread_findings(self._options, self._files, unlabelled)
        if self._seen:
            numbers = {split: seen.numbers for split, seen in self._seen.items()}
            vocabulary = read_vocabulary(next(iter(self._seen.values())).first.file.parent)
            found += number_findings(numbers, vocabulary, self._options.class_key)
            if self._labels is not None:
                ids = [clip for seen in self._seen.values() for clip in seen.ids]
                found += self._labels.findings(ids, sum(seen.unlabelled for seen in self._seen.values()))
            if vocabulary is not None:
                train = numbers.get("train")
                found += vocabulary.findings(train.by_gloss if train else {})
        return found

    def _load(self, split: str) -> list[Record]:
        """Read a split and note what is to be kept of it."""
        if split not in self.splits() or self._files is None:
            raise missing_split(self._options, split)
        records, findings = self._prepare(self._files[split])
        for seen in self._seen.values():
            check_width(seen.first, records[0])
        bare = sum(1 for r in records if r.gloss is None)
        if self._labels is not None and bare:
            ids = {r.id for r in records}
            others = [clip for seen in self._seen.values() for clip in seen.ids]
            if not self._labels.labelled(ids) and not self._labels.labelled(others):
                refuse_no_match(split, records, self._labels)
        findings += _split_findings(split, records, bare, self._options.labels)
        first = attrs.evolve(records[0], features=records[0].features[:0].copy())
        self._seen[split] = _Seen(Numbers.of(records), tuple(findings), first, tuple(r.id for r in records), bare)
        return records

    def _prepare(self, files: Sequence[Path]) -> tuple[list[Record], list[Finding]]:
        records = [record for file in files for record in read_records(file)]
        check_shards(records)
        records, findings = sound_records(records, self._options.bad_clips)
        findings += key_findings(records) + field_findings(records)
        if self._options.labels is not None:
            if self._labels is None:
                file = find_file(self._options, self._options.labels, "labels")
                self._labels = read_labels(file, loose=self._options.label_ids == "loose")
            records, disagreements = add_labels(records, self._labels)
            findings += disagreements
        return records, findings

    def _choose(self, split: str, records: list[Record]) -> list[Record]:
        """The clips of the glosses that the options keep, which train decides."""
        if "train" not in self._seen:
            self._load("train")
        counts = self._seen["train"].numbers.clips_of_gloss()
        chosen = _chosen_glosses(self._options.glosses, counts)
        kept = [record for record in records if record.gloss in chosen]
        message = f"--dataset.glosses keeps {len(kept)} of {len(records)} {split} clips ({len(chosen)} glosses)"
        self._kept[split] = Finding("note", "glosses-kept", message)
        return kept

    def _clip(self, record: Record, *, labelled: bool = True) -> Clip:
        gloss = record.gloss
        if self._options.class_key == "stored-number":
            if record.number is None and labelled:
                raise DataError(
                    f"clip {record.id!r} of {record.file} has no gloss_id, which --dataset.class-key stored-number "
                    "takes for its class. Leave that option away: a class is its gloss."
                )
            gloss = None if record.number is None else f"#{record.number}"
        return Clip(
            id=record.id,
            features=record.features,
            glosses=() if gloss is None else (gloss,),
            signer=record.signer,
            source=str(record.file),
            fps=self._options.fps,
        )


def _chosen_glosses(asked: int | tuple[str, ...] | None, counts: Counter[str]) -> set[str]:
    """The glosses that ``--dataset.glosses`` means among those of train.

    Raises:
        DataError: train has fewer, or lacks one that is named.
    """
    if isinstance(asked, int):
        if asked > len(counts):
            raise DataError(f"--dataset.glosses {asked}: train has {len(counts)} glosses; expected at most that.")
        return set(sorted(counts, key=lambda gloss: (-counts[gloss], gloss))[:asked])
    names = {name.strip() for name in asked or ()} - {""}
    if not names:
        raise DataError("--dataset.glosses names no gloss; expected a number, or glosses with commas between.")
    joined = join_keys(sorted(names), sorted(counts))
    if joined.lacking:
        first = joined.lacking[0]
        near = [joined.near[first]] if first in joined.near else []
        near = near or difflib.get_close_matches(first, counts, n=3, cutoff=0.5)
        hint = f" Nearest to {first!r}: {name_some(near)}." if near else ""
        if joined.near:
            hint += f" {joined.near_miss()}: type --dataset.glosses " + as_word(
                ",".join(joined.near.get(name, name) for name in sorted(names) if name in counts or name in joined.near)
            )
        raise DataError(
            f"--dataset.glosses names {name_some(joined.lacking)}, which no train clip has "
            f"({joined.counts('of the names', 'glosses of train')}); expected glosses of train.{hint}"
        )
    return names


def _split_findings(split: str, records: Sequence[Record], bare: int, labels: str | None) -> list[Finding]:
    """Clips that say they belong elsewhere, and clips without a gloss."""
    found = []
    strays = Counter(r.split for r in records if r.split is not None and r.split != split)
    if strays:
        said = ", ".join(f"{count} say {name!r}" for name, count in strays.most_common(3))
        message = f"of {len(records)} clips read as {split}, {said}; they are used as {split}"
        found.append(Finding("warning", "split-names", message))
    if bare:
        level = "note" if bare == len(records) else "warning"
        advice = "--dataset.labels FILE can give them one" if labels is None else f"{labels} does not name them"
        message = f"{bare} of {len(records)} {split} clips have no gloss; {advice}"
        found.append(Finding(level, "unlabelled", message))
    return found
