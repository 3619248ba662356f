r"""Label priors: each symbol of a frame weighted by how rare it is.

Huang et al., "Less Peaky and More Accurate CTC Forced Alignment by Label Priors" (ICASSP 2024), train with

    -log Σ_paths Π_t  p(k_t | x) / prior(k_t)^α

where prior is the model's own mean output over frames. Blank wins most frames, so a path pays for every blank, and
glosses spread over the frames of their sign instead of one peak. Prediction uses p alone.

The weights are multiplied by exp(-α H), H the prior's entropy, so that a path with symbols as frequent as the prior
says has weight 1. That changes no gradient, keeps the scale of the loss, and makes a flat prior no prior. A path with
more glosses than usual may have a weight above 1, so the loss can be negative.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asl_core import HeadOutput, at_least_float32, frame_mask

__all__ = ["LabelPrior"]

DECAY = 0.98  #: of the running mean, per batch
LEAST = 1e-6  #: smallest prior, so that weights stay finite


class LabelPrior(nn.Module):
    """A running mean of the frames' distributions, part of the run's state.

    Like a batch norm's averages it is updated in training mode only, from the clips of this process.

    Args:
        alpha: power of the prior; 0 for none.
    """

    mean: Tensor
    batches: Tensor

    def __init__(self, alpha: float):
        super().__init__()
        self.alpha = alpha
        if alpha:  # a loss without a prior has no state, on disk or elsewhere
            self.register_buffer("mean", torch.zeros(0))
            self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def begin(self, classes: int) -> None:
        """Start with a flat prior over blank and ``classes`` glosses, if alpha is not 0."""
        if self.alpha:
            self.mean = torch.full((1 + classes,), 1 / (1 + classes))

    def see(self, output: HeadOutput) -> None:
        """Update the mean with a batch's real frames, equally weighted.

        After n batches the decay is min(0.98, (1 + n) / (10 + n)), so that the flat prior is soon forgotten. A mixed
        batch counts twice, once for each gloss of its pairs.
        """
        if not self.alpha or not self.training:
            return
        values = output.values.detach().to(self.mean.dtype)
        inside = frame_mask(output.frame_lengths, values.shape[1])[:, :, None]
        frames = values.exp().masked_fill(~inside, 0.0).sum((0, 1)) / output.frame_lengths.sum()
        n = int(self.batches)
        self.mean.lerp_(frames, 1 - min(DECAY, (1 + n) / (10 + n)))
        self.batches += 1

    def weighed(self, log_probs: Tensor) -> Tensor:
        """Log-probabilities (B, T, K) plus the log weight of each symbol: no longer distributions."""
        log_probs = at_least_float32(log_probs)
        if not self.alpha:
            return log_probs
        log_prior = self.mean.clamp(min=LEAST).log().to(log_probs)
        entropy = -(self.mean.to(log_probs) * log_prior).sum()
        return log_probs - self.alpha * (log_prior + entropy)
