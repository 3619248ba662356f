"""Intervals: how far a figure may be from what many more clips would show."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

__all__ = ["bootstrap_ratios", "percentiles", "wer_interval", "wilson_interval"]

Part = tuple[np.ndarray, np.ndarray]


def wilson_interval(right: float, clips: int, share: float = 0.95) -> tuple[float, float]:
    """Score interval of ``right`` of ``clips``: 8 of 8 is 68 to 100 %, none of 3 is 0 to 56 %.

    It holds every share that the score test would not refuse (E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", JASA 22, 1927), and keeps its level for few clips and for shares near 0
    and 1, where a bootstrap and the normal interval come to a single point (L. D. Brown, T. T. Cai, A. DasGupta,
    "Interval estimation for a binomial proportion", Statistical Science 16, 2001).

    Args:
        right: clips that were right; a mean over several runs on the same clips need not be whole.
        clips: all of them; of none nothing is known, which is 0 to 1.
        share: how often the interval is to hold the true share.
    """
    if not clips:
        return (0.0, 1.0)
    z = statistics.NormalDist().inv_cdf((1 + share) / 2)
    spread = z * z / clips

    def least(p: float) -> float:
        return max(0.0, (p + spread / 2 - math.sqrt(spread * (p * (1 - p) + spread / 4))) / (1 + spread))

    return (least(right / clips), 1 - least(1 - right / clips))


def wer_interval(edits: Sequence[int], lengths: Sequence[int]) -> tuple[float, float] | None:
    """95 % bootstrap interval of a word error rate, the sum of edits over the sum of reference lengths.

    Clips are drawn with replacement, each with all of its glosses: the edits of one sentence depend on each other, and
    may be more than its glosses, so that the binomial does not hold (M. Bisani, H. Ney, "Bootstrap estimates for
    confidence intervals in ASR performance evaluation", ICASSP 2004).

    Args:
        edits: substitutions, insertions and deletions in each clip.
        lengths: true glosses of each clip.

    Returns:
        The same on every call; None where resampling shows nothing: no clip has an edit, or there is only one clip.
    """
    if len(edits) < 2 or not any(edits):
        return None
    part = np.asarray([edits], dtype=float), np.asarray(lengths, dtype=float)
    return percentiles(bootstrap_ratios([part], samples=2_000)[0])


def bootstrap_ratios(parts: Sequence[Part], samples: int = 10_000) -> np.ndarray:
    """(2, samples) ratios of sums over resampled seeds and clips, and over resampled seeds alone.

    Args:
        parts: one ``(values (S, N), weights (N,))`` where S seeds share N clips; or for each seed with clips of its
            own one of S = 1, whose clips are drawn by themselves.
        samples: how many to draw; the draws are the same on every call.
    """
    rng = np.random.default_rng(0)
    draws = np.empty((2, samples))
    for n in range(samples):
        if len(parts) == 1:
            values, weights = parts[0]
            drawn = [(values[rng.integers(0, len(values), len(values))].mean(0), weights)]
        else:
            drawn = [(parts[i][0][0], parts[i][1]) for i in rng.integers(0, len(parts), len(parts))]
        clips = [rng.integers(0, len(weights), len(weights)) for _, weights in drawn]
        both = [v[i].sum() / w[i].sum() for (v, w), i in zip(drawn, clips, strict=True)]
        draws[:, n] = np.mean(both), np.mean([v.sum() / w.sum() for v, w in drawn])
    return draws


def percentiles(draws: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
