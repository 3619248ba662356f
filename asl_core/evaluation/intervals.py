"""The interval of a share: how far it may be from what many more clips would show."""

from __future__ import annotations

import math
import statistics

__all__ = ["wilson_interval"]


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
