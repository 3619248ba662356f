"""From a configuration to the clips of a run: read, transformed, divided, audited, stored."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np

from asl_core.clips.clip import Clip, Finding, Vocabulary
from asl_core.clips.frames import held
from asl_core.clips.store import ClipStore
from asl_core.compute.progress import phase, track
from asl_core.config.run_config import RunConfig
from asl_core.config.tables import SplitOptions
from asl_core.contracts import Dataset
from asl_core.data.audit import Audit, audit_clips
from asl_core.data.identity import identity
from asl_core.data.lineage import Identities
from asl_core.data.numbers import bad_numbers
from asl_core.data.oddities import one_gloss, padding
from asl_core.data.outliers import outlier_findings
from asl_core.data.pipeline import Noticed, Pipeline, bad_findings, fit_to_clip, transforms_with
from asl_core.errors import ConfigError, DataError
from asl_core.files.keys import join_keys
from asl_core.registry.kept import calling, returned
from asl_core.text import shortened

__all__ = ["RunData", "identify", "load_audit", "load_data", "load_named_split", "load_split"]


_NOTHING = np.empty((0, 0), dtype=np.float32)


@attrs.frozen(eq=False)
class RunData:
    """What a run trains and validates on."""

    config: RunConfig  #: without suggested transforms and augmentations that do not fit these clips
    train: ClipStore
    val: ClipStore | None
    vocabulary: Vocabulary
    audit: Audit
    identities: Mapping[str, Identities] = attrs.field(factory=dict)  #: of each split
    notes: tuple[str, ...] = ()  #: what does not fit the clips and was left out


@attrs.frozen(eq=False)
class _Loaded:
    """The splits of a run, audited."""

    config: RunConfig
    splits: dict[str, list[Clip]]
    identities: dict[str, Identities]
    audit: Audit
    notes: tuple[str, ...]


def load_data(config: RunConfig) -> RunData:
    """Read, divide and audit the clips, and store them once.

    Raises:
        DataError: a file is unusable, or the audit found an error.
    """
    loaded = _load(config)
    loaded.audit.require_sound()
    train, val = loaded.splits["train"], loaded.splits.get("val")
    vocabulary = Vocabulary.of(train)
    stored = ClipStore(train, vocabulary)
    validated = ClipStore(val, vocabulary) if val else None
    if validated is not None and validated.width != stored.width:
        raise DataError(
            f"val clips have {validated.width} numbers a frame and train clips {stored.width}; expected one width. "
            f"Extract both in the same way, or name other files."
        )
    return RunData(loaded.config, stored, validated, vocabulary, loaded.audit, loaded.identities, loaded.notes)


def load_audit(config: RunConfig) -> tuple[dict[str, list[Clip]], Audit]:
    """The clips of train and val as a run would see them, and what the audit says of them."""
    loaded = _load(config)
    return loaded.splits, loaded.audit


def identify(config: RunConfig) -> dict[str, Identities]:
    """Which clips a run would train, validate and test on, without storing their frames."""
    dataset: Dataset = config.dataset.build()
    reader = _Reader.of(config, dataset)
    splits = {split: reader.bare(split) for split in dataset.splits()}
    return reader.named(_divided(reader.config.split, splits))


def _load(config: RunConfig) -> _Loaded:
    dataset: Dataset = config.dataset.build()
    reader = _Reader.of(config, dataset)
    config = reader.config
    splits = {"train": reader.clips("train")}
    if config.split.fold is None and "val" in dataset.splits():
        splits["val"] = reader.clips("val")
    whole = dict(splits)
    splits = _divided(config.split, splits)
    own = [*dataset.findings(), *(f for name, part in splits.items() for f in reader.noticed.findings(name, part))]
    own += [f for name, part in whole.items() for f in reader.bad(name, part)]
    own += [*_left_out(config.split, whole), *outlier_findings(splits), *one_gloss(splits)]
    own += padding(splits, lambda: _against_padding(config, reader.width))
    audit = audit_clips(splits, own, reader.pipeline.unseen)
    return _Loaded(config, splits, reader.named(splits), audit, reader.notes)


def _against_padding(config: RunConfig, width: int) -> str:
    """What to type where clips look padded; where a transform cuts the padding they do not."""
    cutters = transforms_with("cuts_padding", config, width)
    if not cutters:
        return "Extract them again without it."
    return f"Cut it: --transform {','.join([cutters[0], *(choice.name for choice in config.transforms)])}."


@attrs.define
class _Reader:
    """Reads the splits of one data set through one pipeline, and remembers which clips they hold."""

    config: RunConfig
    dataset: Dataset
    pipeline: Pipeline
    noticed: Noticed = attrs.field(factory=Noticed)
    identities: dict[str, dict[str, str]] = attrs.field(factory=dict)
    width: int = 0  #: numbers a frame as the data set hands them out
    notes: tuple[str, ...] = ()
    _begun: dict[str, Iterator[Clip]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, config: RunConfig, dataset: Dataset) -> _Reader:
        """Fit the configuration to the first clip of train.

        Raises:
            DataError: there is no train split.
            ConfigError: a transform or an augmentation does not fit the clips.
        """
        if "train" not in dataset.splits():
            there = ", ".join(dataset.splits())
            raise DataError(f"data set {config.dataset.name!r} has no train split; there is {there}.")
        clips = _tracked(dataset, "train")
        first = next(clips, None)
        notes: list[str] = []
        stored = None
        if first is not None and first.features.ndim == 2:  # the audit reports any other shape
            config, notes, stored = fit_to_clip(config, first)
        begun = itertools.chain([first] if first is not None else [], clips)
        pipeline = Pipeline.of(config)
        if stored is not None:
            pipeline.expect(stored)
        return cls(config, dataset, pipeline, notes=tuple(notes), begun={"train": begun})

    def clips(self, split: str) -> list[Clip]:
        """The clips of a split as they are stored, without those that are bad."""
        return held(clip for clip in map(self._take, self._named(split)) if clip is not None)

    def bare(self, split: str) -> list[Clip]:
        """The same clips without their frames."""
        named = self._named(split)
        taken = (clip for clip in named if bad_numbers(clip.features) is None or self._take(clip) is not None)
        return [attrs.evolve(clip, features=_NOTHING) for clip in taken]

    def _take(self, clip: Clip) -> Clip | None:
        return self.pipeline.take(clip, self.noticed)

    def _named(self, split: str) -> Iterator[Clip]:
        known = self.identities.setdefault(split, {})
        for clip in self._begun.pop(split, None) or _tracked(self.dataset, split):
            known[clip.id] = identity(clip)
            self.width = self.width or (clip.features.shape or (0,))[-1]
            yield clip

    def named(self, splits: Mapping[str, Sequence[Clip]]) -> dict[str, Identities]:
        """Which clips the splits of a run hold; those of a fold were read with train."""
        folded = {"val": "train"} if self.config.split.fold is not None else {}
        return {
            split: {c.id: self.identities[folded.get(split, split)][c.id] for c in clips}
            for split, clips in splits.items()
        }

    def bad(self, split: str, clips: Sequence[Clip]) -> list[Finding]:
        """What is to be said of the clips of a split that :meth:`clips` left out."""
        bad = {clip: text for clip, text in self.noticed.bad.items() if clip in self.identities[split]}
        return bad_findings(split, bad, len(clips) + len(bad), self.width, self.config, self.dataset)


def _tracked(dataset: Dataset, split: str) -> Iterator[Clip]:
    """The clips of a split; how far their reading is, is reported."""
    # A data set may read all of its files before it hands out the first clip.
    with phase(f"reading {split}"), calling("dataset", dataset):
        clips = dataset.clips(split)
    with calling("dataset", dataset):
        for clip in track(clips, f"reading {split}"):
            yield returned("dataset", dataset, clip, Clip, "asl_core.Clip(id, features, glosses)")


def load_split(config: RunConfig, split: str, vocabulary: Vocabulary) -> ClipStore:
    """One split of the run's data set, as the run saw or would have seen it.

    Raises:
        DataError: the data set has no such split.
    """
    return load_named_split(config, split, vocabulary)[0]


def load_named_split(
    config: RunConfig, split: str, vocabulary: Vocabulary, width: int | None = None
) -> tuple[ClipStore, Identities]:
    """One split as :func:`load_split` gives it, as wide as a model takes it, and which clips those are."""
    divided = config.split.fold is not None and split in ("train", "val")
    if divided or (split == "train" and config.split.train_share < 1):
        loaded = _load(config)
        loaded.audit.require_sound()
        return ClipStore(loaded.splits[split], vocabulary), loaded.identities[split]
    dataset: Dataset = config.dataset.build()
    if split not in dataset.splits():
        there = ", ".join(dataset.splits())
        raise DataError(
            f"data set {config.dataset.name!r} has no split {split!r}; there is {there}, which --split names."
        )
    reader = _Reader(config, dataset, Pipeline.of(config))
    if width is not None:
        reader.pipeline.expect(width)
    clips = reader.clips(split)
    own = [*dataset.findings(), *reader.bad(split, clips)]
    clips = _without(config.split, clips)
    audit_clips({split: clips}, own, reader.pipeline.unseen).require_sound()
    return ClipStore(clips, vocabulary), {c.id: reader.identities[split][c.id] for c in clips}


def _divided(options: SplitOptions, splits: Mapping[str, list[Clip]]) -> dict[str, list[Clip]]:
    """The splits that a run has of those of its data set."""
    found = dict(splits)
    if options.fold is not None:
        found["train"], found["val"] = _fold(found["train"], options)
    # After the folds, which are the same whatever is left out of them.
    found = {split: _without(options, clips) for split, clips in found.items()}
    if options.train_share < 1:
        found["train"] = _share(found["train"], options.train_share)
    return found


def _without(options: SplitOptions, clips: list[Clip]) -> list[Clip]:
    left_out = set(options.without)
    return [c for c in clips if c.id not in left_out] if left_out else clips


def _left_out(options: SplitOptions, splits: Mapping[str, Sequence[Clip]]) -> list[Finding]:
    """What ``split.without`` leaves out."""
    if not options.without:
        return []
    wanted = set(options.without)
    there = {name: {c.id for c in clips} & wanted for name, clips in splits.items()}
    counts = ", ".join(f"{len(ids)} of {name}" for name, ids in there.items())
    found = [Finding("note", "left-out", f"split.without leaves out {counts} clips")]
    if unknown := sorted(wanted - set().union(*there.values())):
        text = f"split.without names {len(unknown)} ids that no clip of {' or '.join(there)} has ({shortened(unknown)})"
        near = join_keys(unknown, (c.id for clips in splits.values() for c in clips)).near_miss()
        text += f"; {near}" if near else ""
        found.append(
            Finding("warning", "left-out-unknown", f"{text}; it leaves out nothing for them.", {"ids": unknown})
        )
    return found


def _fold(clips: list[Clip], options: SplitOptions) -> tuple[list[Clip], list[Clip]]:
    """Train and held-out part. Folds are the same for every seed, so that runs on them can be paired."""
    number, _, of = (options.fold or "").partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of) and int(of) >= 2):
        raise ConfigError([f"split.fold is {options.fold!r}: expected K/N with 1 <= K <= N and N >= 2, such as 2/5"])
    place = _places(clips, by_signer=options.fold_by == "signer")
    out = [p % int(of) == int(number) - 1 for p in place]
    return [c for c, o in zip(clips, out, strict=True) if not o], [c for c, o in zip(clips, out, strict=True) if o]


def _places(clips: Sequence[Clip], *, by_signer: bool) -> list[int]:
    """A number for each clip; clips of one fold have equal numbers modulo the folds."""
    if by_signer:
        unknown = [c.id for c in clips if c.signer is None]
        if unknown:
            raise DataError(
                f"folds by signer need the signer of every clip, and {len(unknown)} have none (first {unknown[0]}); "
                f"use --split.fold-by gloss, or files with signers."
            )
        signers = sorted({str(c.signer) for c in clips})
        rank = {s: i for i, s in enumerate(np.random.default_rng(0).permutation(signers).tolist())}
        return [rank[str(c.signer)] for c in clips]
    # Counting on through the glosses spreads the leftovers of small glosses evenly over the folds.
    place = [0] * len(clips)
    count = 0
    for members in _by_gloss(clips):
        for i in members:
            place[i] = count
            count += 1
    return place


def _share(clips: list[Clip], share: float) -> list[Clip]:
    """The first ``share`` of each gloss's clips in a fixed random order: smaller shares lie inside larger ones."""
    kept = set()
    for members in _by_gloss(clips):
        kept |= set(members[: max(1, round(share * len(members)))])
    return [c for i, c in enumerate(clips) if i in kept]


def _by_gloss(clips: Sequence[Clip]) -> list[list[int]]:
    """Places of each gloss's clips, shuffled in a way that never changes."""
    groups = defaultdict(list)
    for i, clip in enumerate(clips):
        groups[clip.glosses].append(i)
    rng = np.random.default_rng(0)
    return [[groups[g][i] for i in rng.permutation(len(groups[g]))] for g in sorted(groups)]
