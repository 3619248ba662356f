"""Whether a clip is changed at all."""

from __future__ import annotations

from torch import Tensor

from asl_core import ClipRandom

__all__ = ["changed"]


def changed(random: ClipRandom, probability: float) -> Tensor:
    """(B,) bool, true with this probability."""
    return random.stream("changed").uniform() < probability
