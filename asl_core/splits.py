"""From a configuration to the clips of a run: read, transformed, divided, audited, stored."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

import attrs
import numpy as np

from asl_core.audit import Audit, audit_clips
from asl_core.config import RunConfig, SplitOptions
from asl_core.contracts import Dataset
from asl_core.data import Clip, ClipStore, Vocabulary
from asl_core.errors import ConfigError, DataError
from asl_core.fitting import Noticed, Pipeline, fit_transforms
from asl_core.frames import held

__all__ = ["RunData", "load_audit", "load_data", "load_split"]


@attrs.frozen(eq=False)
class RunData:
    """What a run trains and validates on."""

    config: RunConfig  #: without suggested transforms that do not fit these clips
    train: ClipStore
    val: ClipStore | None
    vocabulary: Vocabulary
    audit: Audit


def load_data(config: RunConfig) -> RunData:
    """Read, divide and audit the clips, and store them once.

    Raises:
        DataError: a file is unusable, or the audit found an error.
    """
    config, splits, audit = _load(config)
    audit.require_sound()
    train, val = splits["train"], splits.get("val")
    vocabulary = Vocabulary.of(train)
    stored = ClipStore(train, vocabulary)
    validated = ClipStore(val, vocabulary) if val else None
    if validated is not None and validated.width != stored.width:
        raise DataError(
            f"val clips have {validated.width} numbers a frame and train clips {stored.width}; expected one width. "
            f"Extract both in the same way, or name other files."
        )
    return RunData(config, stored, validated, vocabulary, audit)


def load_audit(config: RunConfig) -> tuple[dict[str, list[Clip]], Audit]:
    """The clips of train and val as a run would see them, and what the audit says of them."""
    return _load(config)[1:]


def _load(config: RunConfig) -> tuple[RunConfig, dict[str, list[Clip]], Audit]:
    dataset: Dataset = config.dataset.build()
    if "train" not in dataset.splits():
        raise DataError(f"data set {config.dataset.name!r} has no train split; there is {', '.join(dataset.splits())}.")
    clips = iter(dataset.clips("train"))
    first = next(clips, None)
    if first is not None and first.features.ndim == 2:  # anything else the audit tells
        config = fit_transforms(config, first)
    pipeline, noticed = Pipeline.of(config), Noticed()
    every = itertools.chain([first] if first is not None else [], clips)
    splits = {"train": held(pipeline.clip(c, noticed) for c in every)}
    if config.split.fold is not None:
        splits["train"], splits["val"] = _fold(splits["train"], config.split)
    elif "val" in dataset.splits():
        splits["val"] = held(pipeline.clip(c, noticed) for c in dataset.clips("val"))
    if config.split.train_share < 1:
        splits["train"] = _share(splits["train"], config.split.train_share)
    own = [*dataset.findings(), *(f for name, part in splits.items() for f in noticed.findings(name, part))]
    return config, splits, audit_clips(splits, own, pipeline.unseen)


def load_split(config: RunConfig, split: str, vocabulary: Vocabulary) -> ClipStore:
    """One split of the run's data set, as the run saw or would have seen it.

    Raises:
        DataError: the data set has no such split.
    """
    divided = config.split.fold is not None and split in ("train", "val")
    if divided or (split == "train" and config.split.train_share < 1):
        splits, audit = load_audit(config)
        audit.require_sound()
        return ClipStore(splits[split], vocabulary)
    dataset: Dataset = config.dataset.build()
    if split not in dataset.splits():
        there = ", ".join(dataset.splits())
        raise DataError(
            f"data set {config.dataset.name!r} has no split {split!r}; there is {there}, which --split names."
        )
    pipeline = Pipeline.of(config)
    clips = held(pipeline.clip(c) for c in dataset.clips(split))
    audit_clips({split: clips}, dataset.findings(), pipeline.unseen).require_sound()
    return ClipStore(clips, vocabulary)


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
