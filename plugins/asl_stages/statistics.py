"""The mean and the deviation of the train frames, for losses that look at features.

A loss meets raw frames once, in ``prepare``, and from then on frames as the encoder gets them: standardised, unless
the run has ``train.standardise`` off, which a loss is not told. It is said by its own option ``standardised``,
and the first frames of training show whether that is so.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asl_core import ConfigError

__all__ = ["FrameStatistics"]

ENOUGH = 256  #: frames from which a batch shows whether it is standardised
_USUAL = 30.0  #: deviations that numbers stay within, but for the odd one
CLEAR = math.log(2.0)  #: how much nearer to 1 the mean squares have to be under the other reading


class FrameStatistics(nn.Module):
    """Standardised frames, whichever way they come.

    Before :meth:`fit` the mean is 0, the deviation 1, and every number varies.

    Args:
        standardised: whether the frames of a batch are standardised already.
    """

    mean: Tensor  #: (D,), or (1,) before :meth:`fit`
    scale: Tensor
    varying: Tensor  #: (D,) bool, whether the number is not the same in all train frames

    def __init__(self, standardised: bool):
        super().__init__()
        self.standardised = standardised
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("varying", torch.ones(1, dtype=torch.bool))
        self._to_check = False

    def fit(self, frames: Tensor) -> None:
        """Take them from (N, D) raw train frames, a slice at a time in float64."""
        parts = torch.split(frames, 1 << 16)
        mean = torch.stack([part.double().sum(0) for part in parts]).sum(0) / len(frames)
        squares = torch.stack([(part.double() - mean).square().sum(0) for part in parts]).sum(0)
        deviation = (squares / len(frames)).sqrt()
        # Rounding leaves a constant 0.1 with a deviation of about 1e-9: compare with the values' own size.
        self.varying = deviation > 1e-6 * mean.abs().clamp(min=1e-6)
        self.mean = mean.to(frames.dtype)
        self.scale = torch.where(self.varying, deviation, 1.0).to(frames.dtype)
        self._to_check = True

    def scaled(self, features: Tensor) -> Tensor:
        """(…, D) frames of a batch, standardised, and 0 where a number never varied in train."""
        values = features if self.standardised else (features - self.mean) / self.scale
        return values.masked_fill(~self.varying, 0.0)

    def average(self, features: Tensor) -> Tensor:
        """The mean frame, as it stands among ``features``: 0 where they are standardised."""
        return torch.zeros_like(features) if self.standardised else self.mean.expand_as(features)

    def check(self, features: Tensor, mask: Tensor) -> None:
        """Once, on the first frames (B, T, D) of training: are they what ``standardised`` says?

        Standardised numbers have a mean square of 1 each. Where the raw ones have that too, it makes no difference.

        Raises:
            ConfigError: no.
        """
        if not self._to_check or not self.training or int(mask.sum()) < ENOUGH:
            return
        frames = features.detach()[mask]
        as_standard = _distance_from_one(frames[:, self.varying])
        as_raw = _distance_from_one(((frames - self.mean) / self.scale)[:, self.varying])
        excess = as_standard - as_raw if self.standardised else as_raw - as_standard
        if excess > CLEAR:
            says, are, set_to = ("true", "raw", "false") if self.standardised else ("false", "standardised", "true")
            raise ConfigError(
                [
                    f"loss.standardised is {says}, and the frames are {are}: their numbers have mean squares that "
                    f"differ from 1 by a factor of {math.exp(max(as_standard, as_raw)):.2g} on average. Set it to "
                    f"what train.standardise is: --loss.standardised {set_to}"
                ]
            )
        self._to_check = False


def _distance_from_one(frames: Tensor) -> float:
    """How far the mean squares of the numbers of (N, D) frames are from 1: the mean of their absolute logarithms."""
    # One number of a million says nothing of the others.
    return float(frames.clamp(-_USUAL, _USUAL).square().mean(0).clamp(min=1e-6).log().abs().mean())
