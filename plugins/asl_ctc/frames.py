"""The mean over a clip's real frames."""

from __future__ import annotations

from torch import Tensor

from asl_core import frame_mask

__all__ = ["mean_over_frames"]


def mean_over_frames(values: Tensor, lengths: Tensor) -> Tensor:
    """(B, …) mean over each clip's real frames, of (B, T, …); padding may hold anything."""
    mask = frame_mask(lengths, values.shape[1])
    inner = (1,) * (values.ndim - 2)
    total = values.masked_fill(~mask.view(*mask.shape, *inner), 0.0).sum(1)
    return total / lengths.to(values.dtype).view(-1, *inner)
