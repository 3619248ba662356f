"""Dividing a data set's clips into the splits of a run: folds, shares of train, clips left out by id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from asl_core.clips.clip import Clip, Finding
from asl_core.config.tables import SplitOptions
from asl_core.errors import ConfigError, DataError
from asl_core.files.keys import join_keys
from asl_core.text import shortened

__all__ = ["divided", "left_out", "without"]


def divided(options: SplitOptions, splits: Mapping[str, list[Clip]]) -> dict[str, list[Clip]]:
    """The splits of a run, from those of its data set."""
    parts = dict(splits)
    if options.fold is not None:
        parts["train"], parts["val"] = _fold(parts["train"], options)
    # After the folds, which do not depend on what is left out of them.
    parts = {split: without(options, clips) for split, clips in parts.items()}
    if options.train_share < 1:
        parts["train"] = _share(parts["train"], options.train_share)
    return parts


def without(options: SplitOptions, clips: list[Clip]) -> list[Clip]:
    """The clips that ``split.without`` does not name."""
    named = set(options.without)
    return [c for c in clips if c.id not in named] if named else clips


def left_out(options: SplitOptions, splits: Mapping[str, Sequence[Clip]]) -> list[Finding]:
    """Findings on what ``split.without`` leaves out, and on ids that no clip has."""
    if not options.without:
        return []
    wanted = set(options.without)
    present = {name: {c.id for c in clips} & wanted for name, clips in splits.items()}
    counts = ", ".join(f"{len(ids)} of {name}" for name, ids in present.items())
    findings = [Finding("note", "left-out", f"split.without leaves out {counts} clips")]
    if unknown := sorted(wanted - set().union(*present.values())):
        text = f"split.without names {len(unknown)} ids that no clip of {' or '.join(present)} has"
        near = join_keys(unknown, (c.id for clips in splits.values() for c in clips)).near_miss()
        text += f" ({shortened(unknown)})" + (f"; {near}" if near else "")
        findings.append(
            Finding("warning", "left-out-unknown", f"{text}; it leaves out nothing for them.", {"ids": unknown})
        )
    return findings


def _fold(clips: list[Clip], options: SplitOptions) -> tuple[list[Clip], list[Clip]]:
    """Train and held-out part. Folds are the same for every seed, so that runs can be paired."""
    number, _, of = (options.fold or "").partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of) and int(of) >= 2):
        raise ConfigError([f"split.fold is {options.fold!r}: expected K/N with 1 <= K <= N and N >= 2, such as 2/5"])
    numbers = _numbers(clips, by_signer=options.fold_by == "signer")
    held = [n % int(of) == int(number) - 1 for n in numbers]
    return [c for c, h in zip(clips, held, strict=True) if not h], [c for c, h in zip(clips, held, strict=True) if h]


def _numbers(clips: Sequence[Clip], *, by_signer: bool) -> list[int]:
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
    numbers = [0] * len(clips)
    of_group: dict[str, int] = {}  # near copies are never parted
    count = 0
    for i in (i for members in _by_gloss(clips) for i in members):
        group = clips[i].group
        numbers[i] = count if group is None else of_group.setdefault(group, count)
        count += numbers[i] == count
    return numbers


def _share(clips: list[Clip], share: float) -> list[Clip]:
    """The first ``share`` of each gloss's clips in a fixed random order: smaller shares lie inside larger ones."""
    chosen = {i for members in _by_gloss(clips) for i in members[: max(1, round(share * len(members)))]}
    return [c for i, c in enumerate(clips) if i in chosen]


def _by_gloss(clips: Sequence[Clip]) -> list[list[int]]:
    """Indices of each gloss's clips, in a fixed random order."""
    groups = defaultdict(list)
    for i, clip in enumerate(clips):
        groups[clip.glosses].append(i)
    rng = np.random.default_rng(0)
    return [[groups[g][i] for i in rng.permutation(len(groups[g]))] for g in sorted(groups)]
