"""Loading the clips of a run: read, transformed, divided, audited, stored."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np

from asl_core.clips.clip import Clip, Finding, Vocabulary
from asl_core.clips.frames import held
from asl_core.clips.layout import Layout
from asl_core.clips.store import ClipStore
from asl_core.compute.progress import phase, track
from asl_core.config.run_config import RunConfig
from asl_core.contracts import Dataset
from asl_core.data.audit import Audit, audit_clips
from asl_core.data.folds import divided, left_out, without
from asl_core.data.identity import identity
from asl_core.data.lineage import Identities
from asl_core.data.numbers import bad_numbers
from asl_core.data.oddities import one_gloss, padding
from asl_core.data.outliers import outlier_findings
from asl_core.data.pipeline import Noticed, Pipeline, bad_findings, fit_to_clip, transforms_with
from asl_core.errors import DataError
from asl_core.registry.contract_checks import calling, returned

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
    notes: tuple[str, ...] = ()  #: components that were left out since they do not fit the clips


@attrs.frozen(eq=False)
class _Loaded:
    """The splits of a run, audited."""

    config: RunConfig
    splits: dict[str, list[Clip]]
    identities: dict[str, Identities]
    audit: Audit
    notes: tuple[str, ...]


def load_data(config: RunConfig) -> RunData:
    """Read, divide, audit and store the clips of train and val.

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
            f"val clips have {validated.width} features per frame and train clips {stored.width}; expected the same "
            f"number. Extract both in the same way, or name other files."
        )
    return RunData(loaded.config, stored, validated, vocabulary, loaded.audit, loaded.identities, loaded.notes)


def load_audit(config: RunConfig) -> tuple[dict[str, list[Clip]], Audit]:
    """The clips of train and val as a run would see them, and their audit."""
    loaded = _load(config)
    return loaded.splits, loaded.audit


def identify(config: RunConfig) -> dict[str, Identities]:
    """Which clips a run would train, validate and test on, without storing their frames."""
    dataset: Dataset = config.dataset.build()
    reader = _Reader.of(config, dataset)
    splits = {split: reader.bare(split) for split in dataset.splits()}
    return reader.named(divided(reader.config.split, splits))


def _load(config: RunConfig) -> _Loaded:
    dataset: Dataset = config.dataset.build()
    reader = _Reader.of(config, dataset)
    config = reader.config
    splits = {"train": reader.clips("train")}
    if config.split.fold is None and "val" in dataset.splits():
        splits["val"] = reader.clips("val")
    whole = dict(splits)
    splits = divided(config.split, splits)
    findings = [*dataset.findings(), *(f for name, part in splits.items() for f in reader.noticed.findings(name, part))]
    findings += [f for name, part in whole.items() for f in reader.bad(name, part)]
    findings += [*left_out(config.split, whole), *outlier_findings(splits), *one_gloss(splits)]
    findings += padding(splits, lambda: _against_padding(config, reader.width, reader.layout))
    identities = reader.named(splits)
    same_frames = not reader.pipeline.clipwise  # then those of the stored clips are known
    audit = audit_clips(splits, findings, reader.pipeline.unseen, identities if same_frames else None)
    return _Loaded(config, splits, identities, audit, reader.notes)


def _against_padding(config: RunConfig, width: int, layout: Layout | None) -> str:
    """What to type where clips look padded."""
    cutters = transforms_with("cuts_padding", config, width, layout)
    if not cutters:
        return "Extract them again without it."
    return f"Cut it: --transform {','.join([cutters[0], *(choice.name for choice in config.transforms)])}."


@attrs.define
class _Reader:
    """Reads the splits of one data set through one pipeline, and keeps the identities of their clips."""

    config: RunConfig
    dataset: Dataset
    pipeline: Pipeline
    noticed: Noticed = attrs.field(factory=Noticed)
    identities: dict[str, dict[str, str]] = attrs.field(factory=dict)
    width: int = 0  #: features per frame as the data set gives them
    layout: Layout | None = None  #: of its first clip
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
            names = ", ".join(dataset.splits())
            raise DataError(f"data set {config.dataset.name!r} has no train split, only {names}.")
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
        """The clips of a split as they are stored, without bad ones."""
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
            if not self.width:
                self.width, self.layout = (clip.features.shape or (0,))[-1], clip.layout
            yield clip

    def named(self, splits: Mapping[str, Sequence[Clip]]) -> dict[str, Identities]:
        """The identities of the clips in a run's splits; those of a fold were read with train."""
        folded = {"val": "train"} if self.config.split.fold is not None else {}
        return {
            split: {c.id: self.identities[folded.get(split, split)][c.id] for c in clips}
            for split, clips in splits.items()
        }

    def bad(self, split: str, clips: Sequence[Clip]) -> list[Finding]:
        """Findings on the clips of a split that :meth:`clips` left out."""
        bad = {clip: text for clip, text in self.noticed.bad.items() if clip in self.identities[split]}
        return bad_findings(split, bad, len(clips) + len(bad), self.width, self.config, self.dataset, self.layout)


def _tracked(dataset: Dataset, split: str) -> Iterator[Clip]:
    """The clips of a split, with reports on the progress of reading."""
    # A data set may read all of its files before its first clip.
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
    """One split as :func:`load_split` gives it, of the model's width, and the identities of its clips."""
    folded = config.split.fold is not None and split in ("train", "val")
    if folded or (split == "train" and config.split.train_share < 1):
        loaded = _load(config)
        loaded.audit.require_sound()
        return ClipStore(loaded.splits[split], vocabulary), loaded.identities[split]
    dataset: Dataset = config.dataset.build()
    if split not in dataset.splits():
        names = dataset.splits()
        remedy = f"Choose with --split {' or '.join(names)}."
        if split == "val":
            remedy = (
                "Evaluate on the training clips with --split train, or on other files with --root FOLDER; a run with "
                "--split.fold 1/5 holds out a part of train."
            )
        raise DataError(f"data set {config.dataset.name!r} has no split {split!r}, only {', '.join(names)}. {remedy}")
    reader = _Reader(config, dataset, Pipeline.of(config))
    if width is not None:
        reader.pipeline.expect(width)
    clips = reader.clips(split)
    findings = [*dataset.findings(), *reader.bad(split, clips)]
    clips = without(config.split, clips)
    audit_clips({split: clips}, findings, reader.pipeline.unseen).require_sound()
    return ClipStore(clips, vocabulary), {c.id: reader.identities[split][c.id] for c in clips}
