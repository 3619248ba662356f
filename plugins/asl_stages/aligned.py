"""Clip frames at encoder frames, which may be fewer, and means over the frames that count."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["at_frames", "clip_means", "evenly_spaced", "filled", "mean_over_clips"]


def evenly_spaced(lengths: Tensor, parts: Tensor, size: int) -> Tensor:
    """(B, size) the centre frame of each of ``parts`` (B,) equal parts of clips of ``lengths`` (B,) frames.

    Part j of n' covers frames j·n/n' to (j+1)·n/n', and its centre frame is ⌊(2j+1)·n / 2n'⌋: all frames in order
    where n' = n. In integers, so it is exact; padding cannot change it. Past the last part it repeats the last frame.
    """
    part = torch.arange(size, device=lengths.device)[None, :]
    centre = torch.div((2 * part + 1) * lengths[:, None], 2 * parts[:, None], rounding_mode="floor")
    return centre.minimum(lengths[:, None] - 1)


def at_frames(values: Tensor, index: Tensor) -> Tensor:
    """(B, N, …) frames ``index`` (B, N) of ``values`` (B, T, …)."""
    inner = values.shape[2:]
    where = index.view(*index.shape, *(1,) * len(inner)).expand(*index.shape, *inner)
    return values.gather(1, where)


def clip_means(values: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of each clip's values (B, …) over the places where ``counts`` (B, …) is true.

    Returns:
        (B,) means, 0 for a clip without any such place, and (B,) bool, whether it has one.
    """
    number = counts.flatten(1).sum(1)
    total = values.masked_fill(~counts, 0.0).flatten(1).sum(1)
    return total / number.clamp(min=1), number > 0


def mean_over_clips(values: Tensor, has: Tensor) -> Tensor:
    """() mean of (B,) over the clips that have a value; 0, with a gradient of 0, where none has."""
    return values.masked_fill(~has, 0.0).sum() / has.sum().clamp(min=1)


def filled(values: Tensor, has: Tensor) -> Tensor:
    """(B,) with the others' mean for clips without a value, which leaves the average of a figure unchanged."""
    return torch.where(has, values, mean_over_clips(values, has))
