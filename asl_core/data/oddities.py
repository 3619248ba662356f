"""Oddities of a whole data set: only one gloss, or clips padded to a common length."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from asl_core.clips.clip import Clip, Finding
from asl_core.text import shortened

__all__ = ["one_gloss", "padding"]

_SHARE = 0.2  #: share of a split's clips that look padded, from which it is reported
_INSIDE = 0.1  #: most zero frames inside clips per zero frame at their ends; more of them are lost hands


def one_gloss(splits: Mapping[str, Sequence[Clip]]) -> list[Finding]:
    """A warning if all clips of train have the same label."""
    train = [c.glosses for c in splits.get("train", ()) if c.glosses]
    if len(train) < 2 or len(set(train)) > 1:
        return []
    gloss = " ".join(train[0])
    message = (
        f"all {len(train)} clips of train have the gloss {gloss!r}: top-1 is 100 % whatever the model "
        f"learned. Name the files of other signs too (--dataset.root or --dataset.train), or "
        f"take more glosses (--dataset.glosses)."
    )
    return [Finding("warning", "one-gloss", message, {"gloss": gloss})]


def padding(splits: Mapping[str, Sequence[Clip]], remedy: Callable[[], str]) -> list[Finding]:
    """A warning for each split whose clips begin or end in zero frames, up to a common length.

    Args:
        splits: of stored clips.
        remedy: gives a sentence on how to cut the padding.
    """
    findings = []
    for split, clips in splits.items():
        ends: dict[str, int] = {}
        lengths: Counter[int] = Counter()
        inside = 0
        for clip in clips:
            nonzero = np.flatnonzero((clip.features != 0).any(1)) if clip.features.ndim == 2 else np.empty(0, int)
            if not len(nonzero):
                continue  # the audit reports blank clips
            at_ends = len(clip.features) - 1 - int(nonzero[-1]) + int(nonzero[0])
            inside += len(clip.features) - len(nonzero) - at_ends
            if at_ends:
                ends[clip.id] = at_ends
                lengths[len(clip.features)] += 1
        if len(ends) < max(2, _SHARE * len(clips)) or inside > _INSIDE * sum(ends.values()):
            continue
        length, common = lengths.most_common(1)[0]
        if common < 0.9 * len(ends):
            continue
        message = (
            f"{len(ends)} of {len(clips)} clips of {split} have frames of zeros only at an end ({shortened([*ends])}; "
            f"{statistics.median(ends.values()):g} of {length} frames in the median): they look padded to a common "
            f"length, and the model would learn the padding as signing. {remedy()}"
        )
        findings.append(Finding("warning", "padding", message, {"split": split, "ids": list(ends)}))
    return findings
