"""Does it help? Two configurations over several seeds, paired by seed and clip."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from asl_core.errors import UsageError

__all__ = ["Comparison", "compare", "right_answers"]


@attrs.frozen
class Comparison:
    """Top-1 of two sides over the same seeds and clips; shares, not percent."""

    seeds: tuple[int, ...]
    first: tuple[float, ...]  #: top-1 of each seed
    second: tuple[float, ...]
    difference: float  #: mean of second - first
    interval: tuple[float, float]  #: 95 %, over seeds and clips both
    seed_interval: tuple[float, float]  #: 95 %, over seeds alone, for these clips


def right_answers(run: Path) -> dict[str, bool]:
    """Clip id -> whether the last weights named its gloss, from ``predictions-val.csv``.

    Raises:
        UsageError: the run has no such file; it was cut off, or has no val split.
    """
    file = run / "predictions-val.csv"
    try:
        with file.open(encoding="utf-8", newline="") as text:
            return {row["clip"]: row["correct"] == "1" for row in csv.DictReader(text)}
    except (OSError, KeyError) as fault:
        raise UsageError(
            f"{file} cannot be read ({fault}); expected a finished run with a val split. `asl run --resume {run}` "
            f"finishes one that was cut off."
        ) from fault


def compare(first: Sequence[Path], second: Sequence[Path], seeds: Sequence[int], samples: int = 10_000) -> Comparison:
    """The paired difference of two sets of runs, ``second`` minus ``first``.

    The interval is a percentile bootstrap that draws seeds and clips with replacement, both at once, and keeps the
    pairs: it says what to expect of another seed on other clips of this kind. Over seeds alone the same clips are
    kept, which is the smaller question whether the difference is more than the luck of the start.

    Raises:
        UsageError: a run cannot be read, or the two sides have other clips.
    """
    answers = [[right_answers(path) for path in side] for side in (first, second)]
    clips = sorted(answers[0][0])
    if any(sorted(run) != clips for side in answers for run in side):
        raise UsageError(
            f"the runs were validated on different clips ({first[0]}, {second[0]}, …); nothing can be paired."
        )
    a, b = (np.array([[run[c] for c in clips] for run in side], dtype=float) for side in answers)
    gain = b - a  # (seeds, clips)
    rng = np.random.default_rng(0)
    both = np.empty(samples)
    alone = np.empty(samples)
    for n in range(samples):
        chosen = gain[rng.integers(0, len(gain), len(gain))].mean(0)
        alone[n] = chosen.mean()
        both[n] = chosen[rng.integers(0, len(clips), len(clips))].mean()
    return Comparison(
        seeds=tuple(seeds),
        first=tuple(a.mean(1).tolist()),
        second=tuple(b.mean(1).tolist()),
        difference=float(gain.mean()),
        interval=_percentiles(both),
        seed_interval=_percentiles(alone),
    )


def _percentiles(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
