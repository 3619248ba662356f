"""Hidden spans of frames, and baselines for their content."""

from __future__ import annotations

import torch
from torch import Tensor

from asl_core import Batch, ClipRandom, frame_mask

__all__ = ["differing", "hidden_frames", "interpolation", "nearest_visible"]


def hidden_frames(lengths: Tensor, frames: int, random: ClipRandom, share: float, span: int) -> Tensor:
    """(B, frames) bool: about ``share`` of each clip's frames, in spans.

    A clip is cut into spans from a random first frame, and of its n spans round(share · n) are hidden, at least one and
    at most n - 1. Spans are at most half of the clip, so there are at least two; a clip of one frame hides nothing. The
    draw depends on the clip alone, not on padding.
    """
    span_of = torch.div(lengths, 2, rounding_mode="floor").clamp(min=1, max=span)
    first = (random.stream("first span").uniform(1)[:, 0] * span_of).long().minimum(span_of - 1)
    spans = torch.div(lengths + first - 1, span_of, rounding_mode="floor") + 1
    most = frames + 1  # upper bound on the spans
    luck = random.stream("span").uniform(most).masked_fill(~frame_mask(spans, most), 2.0)
    rank = luck.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
    number = (share * spans).round().long().clamp(min=1).minimum(spans - 1)

    time = torch.arange(frames, device=lengths.device)[None, :]
    at = torch.div(time + first[:, None], span_of[:, None], rounding_mode="floor")
    chosen: Tensor = (rank < number[:, None]).gather(1, at)
    return chosen & frame_mask(lengths, frames)


def differing(shown: Batch, clean: Batch) -> Tensor:
    """(B, T) bool: the corrupted frames, by comparison of the batches."""
    return (shown.features != clean.features).any(2) & clean.mask


def nearest_visible(hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """(B, T) the last visible frame at or before each frame, and the first at or after it.

    Without one on one side it is that of the other side; a clip with every frame hidden gives indices without meaning,
    but within the batch.
    """
    frames = hidden.shape[1]
    time = torch.arange(frames, device=hidden.device).expand_as(hidden)
    visible = frame_mask(lengths, frames) & ~hidden
    before = torch.where(visible, time, -1).cummax(1).values
    after = torch.where(visible, time, frames).flip(1).cummin(1).values.flip(1)
    first = torch.where(before < 0, after, before).clamp(max=frames - 1)
    last = torch.where(after >= frames, before, after).clamp(min=0)
    return first, last


def interpolation(values: Tensor, hidden: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, D) linear interpolation between the visible frames."""
    before, after = nearest_visible(hidden, lengths)
    time = torch.arange(hidden.shape[1], device=hidden.device)
    part = ((time - before) / (after - before).clamp(min=1)).to(values.dtype).clamp(0, 1)[:, :, None]

    def at(index: Tensor) -> Tensor:
        return values.gather(1, index[:, :, None].expand(-1, -1, values.shape[2]))

    return at(before) * (1 - part) + at(after) * part
