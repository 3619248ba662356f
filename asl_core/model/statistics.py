"""Mean and deviation of the train frames, for the standardiser and for losses that look at features."""

from __future__ import annotations

import torch
from torch import Tensor

from asl_core.compute.progress import track

__all__ = ["frame_statistics"]


def frame_statistics(frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Statistics of (N, D) frames, summed in float64 a slice at a time.

    Returns:
        The mean (D,) and the deviation (D,), both float64, and which features vary (D,), bool. A feature that is
        constant has a deviation of 1: there is nothing to divide by.
    """
    mean = torch.zeros(frames.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(mean)
    for part in track(torch.split(frames, 1 << 16), "statistics of train"):
        mean += part.double().sum(0)
    mean /= len(frames)
    for part in track(torch.split(frames, 1 << 16), "statistics of train"):
        squares += (part.double() - mean).square().sum(0)
    deviation = (squares / len(frames)).sqrt()
    # Rounding leaves a constant 0.1 with a deviation of about 1e-9: compare with the values' own size.
    varying = deviation > 1e-6 * mean.abs().clamp(min=1e-6)
    return mean, torch.where(varying, deviation, 1.0), varying
