"""What heads and losses share: lengths, means over real frames, and a floor for precision."""

from __future__ import annotations

import torch
from torch import Tensor

from asl_core import HeadOutput, frame_mask

__all__ = ["at_least_float32", "frame_lengths", "mean_over_frames"]


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision raised to float32, all else as it is.

    Autocast hands out bfloat16, whose 8 bits cannot hold a log-probability of -50 to better than 0.1.
    """
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def frame_lengths(output: HeadOutput) -> Tensor:
    """(B,) frames of each clip, of an output that keeps time.

    Raises:
        ValueError: time is gone from this output.
    """
    if output.lengths is None:
        raise ValueError("this head output has no frame lengths; expected the output of a head that keeps time")
    return output.lengths


def mean_over_frames(values: Tensor, lengths: Tensor) -> Tensor:
    """(B, …) mean over each clip's real frames, of (B, T, …); padding may hold anything."""
    mask = frame_mask(lengths, values.shape[1])
    inner = (1,) * (values.ndim - 2)
    total = values.masked_fill(~mask.view(*mask.shape, *inner), 0.0).sum(1)
    return total / lengths.to(values.dtype).view(-1, *inner)
