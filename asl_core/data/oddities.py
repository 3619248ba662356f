"""Data sets that are sound in every clip and odd as a whole: of one gloss, or padded to a common length."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from asl_core.clips.clip import Clip, Finding
from asl_core.text import shortened

__all__ = ["one_gloss", "padding"]

_SHARE = 0.2  #: of a split's clips that have to be padded before it is called padding
_INSIDE = 0.1  #: frames of zeros inside of clips for each at their ends; with more of them, hands were lost


def one_gloss(splits: Mapping[str, Sequence[Clip]]) -> list[Finding]:
    """A warning where all clips of train have the same label."""
    train = [c.glosses for c in splits.get("train", ()) if c.glosses]
    if len(train) < 2 or len(set(train)) > 1:
        return []
    gloss = " ".join(train[0])
    message = (
        f"all {len(train)} clips of train have the gloss {gloss!r}: there is nothing to tell it from, and top-1 is "
        f"100 % whatever the model learned. Name the files of other signs too (--dataset.root or --dataset.train), or "
        f"take more glosses (--dataset.glosses)."
    )
    return [Finding("warning", "one-gloss", message, {"gloss": gloss})]


def padding(splits: Mapping[str, Sequence[Clip]], remedy: Callable[[], str]) -> list[Finding]:
    """A warning for each split whose clips end, or begin, in frames of zeros up to a common length.

    Args:
        splits: as they are stored.
        remedy: gives a sentence that says how to cut them.
    """
    found = []
    for split, clips in splits.items():
        ends: dict[str, int] = {}
        lengths: Counter[int] = Counter()
        inside = 0
        for clip in clips:
            seen = np.flatnonzero((clip.features != 0).any(1)) if clip.features.ndim == 2 else np.empty(0, int)
            if not len(seen):
                continue  # that it shows nothing is said already
            at_ends = len(clip.features) - 1 - int(seen[-1]) + int(seen[0])
            inside += len(clip.features) - len(seen) - at_ends
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
            f"length, and the padding would be trained on as if it were signing. {remedy()}"
        )
        found.append(Finding("warning", "padding", message, {"split": split, "ids": list(ends)}))
    return found
