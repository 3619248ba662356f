"""The data set ``wlasl``: clips with glosses from feature pickles, and findings about the files."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from asl_core import Clip, DataError, Finding, as_word, join_keys
from asl_wlasl.checks import check_shards, check_width, field_findings, key_findings, sound_records
from asl_wlasl.class_numbers import ClassNumbers, number_findings, read_vocabulary
from asl_wlasl.files import find_labels, find_splits, missing_split, other_files
from asl_wlasl.label_files import read_labels
from asl_wlasl.labels import Labels, add_labels, refuse_no_match
from asl_wlasl.options import WlaslOptions
from asl_wlasl.records import Record, name_some, read_records

__all__ = ["WlaslDataset"]


@attrs.frozen
class _SplitSummary:
    """Of a split that was read, without its frames."""

    numbers: ClassNumbers
    findings: tuple[Finding, ...]
    first: Record  #: without its frames; its array has their width
    ids: tuple[str, ...]
    unlabelled: int  #: clips


class WlaslDataset:
    """Clips of feature pickles; a class is a gloss. A file is read when its clips are first needed.

    Args:
        options: where the files are, and which clips to take.
    """

    def __init__(self, options: WlaslOptions):
        self._options = options
        self.bad_clips = (
            options.bad_clips
        )  #: ``stop`` or ``drop``: what a run does with clips that have NaN or infinite numbers
        self._loaded: dict[str, _SplitSummary] = {}
        self._choices: dict[str, Finding] = {}
        self._file_findings: dict[Path, tuple[Finding, ...]] = {}
        self._files: Mapping[str, list[Path]] | None = None
        self._labels: Labels | None = None

    def splits(self) -> Sequence[str]:
        """The splits that have files, of train, val, test.

        Raises:
            DataError: no folder was given, a given file is missing, or no split has files.
        """
        if self._files is None:
            self._files = find_splits(self._options)
        return tuple(self._files)

    def clips(self, split: str) -> Sequence[Clip]:
        """The clips of a split, in the order of its files and of the entries in each.

        Raises:
            DataError: the split has no files, or one is damaged, hostile or of another layout.
        """
        records = self._load(split)
        if self._options.glosses is not None:
            records = self._choose(split, records)
        return [self._clip(record) for record in records]

    def read(self, path: Path) -> Sequence[Clip]:
        """The clips of one pickle, for prediction; with glosses where the file or the label file has them."""
        records, findings = self._prepare([path])
        self._file_findings[path] = tuple(findings)
        return [self._clip(record, labelled=False) for record in records]

    def findings(self) -> Sequence[Finding]:
        """Findings on the splits and files read so far."""
        summaries = self._loaded.values()
        findings = [f for summary in summaries for f in summary.findings]
        findings += [f for of_file in self._file_findings.values() for f in of_file]
        findings += self._choices.values()
        if not self._loaded or self._files is None:
            return findings
        unlabelled = sum(summary.unlabelled for summary in summaries)
        findings += other_files(self._options, self._files, bool(unlabelled))
        numbers = {split: summary.numbers for split, summary in self._loaded.items()}
        vocabulary = read_vocabulary(next(iter(summaries)).first.file.parent)
        findings += number_findings(numbers, vocabulary, self._options.class_key)
        if self._labels is not None:
            findings += self._labels.findings((clip for summary in summaries for clip in summary.ids), unlabelled)
        if vocabulary is not None:
            findings += vocabulary.findings(numbers["train"].by_gloss if "train" in numbers else {})
        return findings

    def _load(self, split: str) -> list[Record]:
        """The records of a split; its summary is kept."""
        if split not in self.splits() or self._files is None:
            raise missing_split(self._options, split)
        records, findings = self._prepare(self._files[split])
        for summary in self._loaded.values():
            check_width(summary.first, records[0])
        unlabelled = sum(1 for r in records if r.gloss is None)
        if self._labels is not None and unlabelled:
            others = [clip for summary in self._loaded.values() for clip in summary.ids]
            if not self._labels.match_any(r.id for r in records) and not self._labels.match_any(others):
                refuse_no_match(split, records, self._labels)
        findings += _split_findings(split, records, unlabelled, self._options.labels)
        first = attrs.evolve(records[0], features=records[0].features[:0].copy())
        ids = tuple(r.id for r in records)
        self._loaded[split] = _SplitSummary(ClassNumbers.of(records), tuple(findings), first, ids, unlabelled)
        return records

    def _prepare(self, files: Sequence[Path]) -> tuple[list[Record], list[Finding]]:
        faults: dict[str, str] = {}
        dropped = faults if self._options.bad_clips == "drop" else None
        records = [record for file in files for record in read_records(file, dropped)]
        check_shards(records)
        records, findings = sound_records(records, self._options.bad_clips, faults)
        findings += key_findings(records) + field_findings(records)
        if self._options.labels is not None:
            if self._labels is None:
                file = find_labels(self._options)
                self._labels = read_labels(file, loose=self._options.label_ids == "loose")
            records, disagreements = add_labels(records, self._labels)
            findings += disagreements
        return records, findings

    def _choose(self, split: str, records: list[Record]) -> list[Record]:
        """The clips of the glosses that ``--dataset.glosses`` keeps, counted in train."""
        if "train" not in self._loaded:
            self._load("train")
        counts = self._loaded["train"].numbers.clips_of_gloss()
        chosen = _chosen_glosses(self._options.glosses, counts)
        remaining = [record for record in records if record.gloss in chosen]
        message = f"--dataset.glosses keeps {len(remaining)} of {len(records)} {split} clips ({len(chosen)} glosses)"
        self._choices[split] = Finding("note", "glosses-kept", message)
        return remaining

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
            fps=record.fps or self._options.fps,
        )


def _chosen_glosses(option: int | tuple[str, ...] | None, counts: Counter[str]) -> set[str]:
    """The glosses that ``--dataset.glosses`` keeps, of those of train.

    Raises:
        DataError: train has fewer, or lacks one that is named.
    """
    if isinstance(option, int):
        if option > len(counts):
            raise DataError(f"--dataset.glosses {option}: train has {len(counts)} glosses; expected at most that.")
        return set(sorted(counts, key=lambda gloss: (-counts[gloss], gloss))[:option])
    names = {name.strip() for name in option or ()} - {""}
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


def _split_findings(split: str, records: Sequence[Record], unlabelled: int, labels: str | None) -> list[Finding]:
    """Warnings of clips whose ``split`` is another one, and of clips without a gloss."""
    findings = []
    strays = Counter(r.split for r in records if r.split is not None and r.split != split)
    if strays:
        named = ", ".join(f"{count} say {name!r}" for name, count in strays.most_common(3))
        message = f"of {len(records)} clips read as {split}, {named}; they are used as {split}"
        findings.append(Finding("warning", "split-names", message))
    if unlabelled:
        level = "note" if unlabelled == len(records) else "warning"
        advice = "--dataset.labels FILE can give them one" if labels is None else f"{labels} does not name them"
        message = f"{unlabelled} of {len(records)} {split} clips have no gloss; {advice}"
        findings.append(Finding(level, "unlabelled", message))
    return findings
