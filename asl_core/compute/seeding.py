"""Random numbers as pure functions of (seed, epoch, clip), independent of batch, process and device.

With a generator, a clip's augmentation would depend on what was drawn before. Instead each clip has a 64-bit key, and
number ``i`` of stream ``s`` is a hash of (key, s, i), also after a resume that skipped earlier numbers.
"""

from __future__ import annotations

import math
import zlib

import torch
from torch import Tensor

__all__ = ["ClipRandom", "mix_seed"]

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64, splitmix64's increment
_M1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_WORD = (1 << 64) - 1
_M2 = -7723592293110705685  # 0x94D049BB133111EB


def _shift_right(x: Tensor, by: int) -> Tensor:
    """Logical shift; ``>>`` of int64 is arithmetic."""
    return (x >> by) & ((1 << (64 - by)) - 1)


def _hash(x: Tensor) -> Tensor:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014) on int64, which wraps like uint64."""
    x = (x ^ _shift_right(x, 30)) * _M1
    x = (x ^ _shift_right(x, 27)) * _M2
    return x ^ _shift_right(x, 31)


def mix_seed(*parts: int | str) -> int:
    """One seed in 0 … 2^63-1 from several numbers and words.

    In Python integers: it is called for every stream of every batch, and takes a microsecond this way.
    """
    state = 0
    for part in parts:
        number = zlib.crc32(part.encode()) if isinstance(part, str) else part & 0x7FFFFFFFFFFFFFFF
        state = (state + 0x9E3779B97F4A7C15 + number) & _WORD
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _WORD
        state ^= state >> 31
    return state & 0x7FFFFFFFFFFFFFFF


class ClipRandom:
    """Uniform and normal numbers for each clip of a batch.

    Args:
        keys: (B,) int64, one a clip, from :meth:`of`.
    """

    def __init__(self, keys: Tensor):
        self.keys = keys

    @classmethod
    def of(cls, index: Tensor, *parts: int | str) -> ClipRandom:
        """Keys for the clips at ``index`` (B,) under ``parts``, such as (seed, epoch, view)."""
        return cls(_hash(mix_seed(*parts) + (index + 1) * _GOLDEN))

    def stream(self, name: str) -> ClipRandom:
        """An independent source for the same clips."""
        return ClipRandom(_hash(self.keys ^ mix_seed(name)))

    def uniform(self, *shape: int) -> Tensor:
        """(B, *shape) float32 in [0, 1)."""
        numbers = torch.arange(1, math.prod(shape) + 1, device=self.keys.device) * _GOLDEN
        bits = _hash(self.keys[:, None] + numbers[None, :])
        return (_shift_right(bits, 40).to(torch.float32) * 2.0**-24).view(len(self.keys), *shape)

    def chance(self, probability: float) -> Tensor:
        """(B,) bool, true with this probability: which clips an augmentation changes."""
        return self.stream("changed").uniform() < probability

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) float32 of mean 0 and variance 1 (Box and Muller 1958)."""
        radius = torch.sqrt(-2.0 * torch.log1p(-self.stream("radius").uniform(*shape)))
        return radius * torch.cos((2.0 * math.pi) * self.stream("angle").uniform(*shape))
