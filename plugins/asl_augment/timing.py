"""Augmentations of time: each frame of the new clip is interpolated at a position of the old one.

Positions and lengths are computed from each clip's own length, and interpolation uses separate multiplications and
additions (fused ones round differently in the last lanes of a row), so that a clip is the same to the bit alone and in
any batch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from asl_augment.options import CropOptions, SpeedOptions
from asl_core import Batch, ClipRandom, frame_mask

__all__ = ["Crop", "Speed", "fewest_frames", "read_at"]


def fewest_frames(batch: Batch) -> Tensor:
    """(B,) frames that a clip keeps at least: CTC may need two for each gloss. A shorter clip keeps its length."""
    return torch.minimum(batch.lengths, (2 * batch.target_lengths).clamp(min=1))


def read_at(features: Tensor, lengths: Tensor, places: Tensor, new_lengths: Tensor) -> Tensor:
    """Frames (B, T', D) interpolated linearly at positions (B, T') of features (B, T, D); padding is 0."""
    clips, frames, width = features.shape
    last = (lengths - 1)[:, None]
    places = places.clamp(min=0.0)
    below = places.floor()
    share = (places - below).to(features.dtype)[:, :, None]
    left = below.long().minimum(last)
    right = (left + 1).minimum(last)
    rows = torch.arange(clips, device=features.device)[:, None] * frames
    flat = features.reshape(-1, width)
    a = flat.index_select(0, (rows + left).flatten()).view(*places.shape, width)
    b = flat.index_select(0, (rows + right).flatten()).view(*places.shape, width)
    inside = frame_mask(new_lengths, places.shape[1])[:, :, None]
    # Multiplying by the mask would turn a frame that is not finite into NaN padding.
    return torch.where(inside, a + share * (b - a), 0.0)


class Speed:
    """Each clip resampled to its length times a factor, log-uniform in 1 / (1 + max) … 1 + max.

    With ``warp``, position u (0 … 1) is read at u + a·sin(πu)/π, a uniform in ±warp: one part is faster and the other
    slower, and time never runs backwards.
    """

    changes_time = True

    def __init__(self, options: SpeedOptions):
        self.options = options

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips with other numbers of frames, at least :func:`fewest_frames`."""
        options, lengths = self.options, batch.lengths
        chosen = random.chance(options.probability)
        spread = math.log1p(options.max)
        factor = torch.exp(spread * (2.0 * random.stream("factor").uniform() - 1.0))
        new_lengths = torch.where(chosen, _times(batch, factor), lengths)
        places = _evenly(lengths, new_lengths)
        if options.warp:
            time = torch.arange(places.shape[1], device=lengths.device)
            u = (time / (new_lengths - 1).clamp(min=1)[:, None]).clamp(max=1.0)
            bend = options.warp * (2.0 * random.stream("warp").uniform() - 1.0) * chosen
            places = places + (bend * (lengths - 1))[:, None] * (torch.sin(math.pi * u) / math.pi)
        return batch.with_features(read_at(batch.features, lengths, places, new_lengths), new_lengths)

    def views(self) -> Mapping[str, Callable[[Batch], Batch]]:
        """``slower`` and ``faster``: √(1 + max) times as long or as short, halfway to the largest change."""
        factor = math.sqrt(1.0 + self.options.max)
        return {
            "slower": functools.partial(self.played, factor=factor),
            "faster": functools.partial(self.played, factor=1 / factor),
        }

    @staticmethod
    def played(batch: Batch, factor: float) -> Batch:
        """All clips ``factor`` times as long, evenly."""
        new_lengths = _times(batch, torch.full(batch.lengths.shape, factor, device=batch.lengths.device))
        places = _evenly(batch.lengths, new_lengths)
        return batch.with_features(read_at(batch.features, batch.lengths, places, new_lengths), new_lengths)


def _times(batch: Batch, factor: Tensor) -> Tensor:
    """(B,) lengths times a factor (B,), in whole frames."""
    return (batch.lengths * factor).round().long().maximum(fewest_frames(batch))


def _evenly(lengths: Tensor, new_lengths: Tensor) -> Tensor:
    """(B, T') position of each new frame among the old ones, evenly from the first to the last."""
    time = torch.arange(int(new_lengths.max()), device=lengths.device)
    # The ratio is exactly 1, and the frames unchanged, if the length is the same.
    ratio = (lengths - 1) / (new_lengths - 1).clamp(min=1)
    return time * ratio[:, None]


class Crop:
    """A part of each clip, uniform in ``min`` … 1 of its length, from a random frame on.

    For isolated signs: the label of a sentence keeps what is cut off.
    """

    changes_time = True

    def __init__(self, options: CropOptions):
        self.options = options

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips with fewer frames, at least :func:`fewest_frames`."""
        options, lengths = self.options, batch.lengths
        share = options.min + (1.0 - options.min) * random.stream("share").uniform()
        kept = (lengths * share).ceil().long().minimum(lengths).maximum(fewest_frames(batch))
        kept = torch.where(random.chance(options.probability), kept, lengths)
        start = (random.stream("start").uniform() * (lengths - kept + 1)).long().minimum(lengths - kept)

        clips, frames, width = batch.features.shape
        time = torch.arange(int(kept.max()), device=lengths.device)
        rows = (start[:, None] + time).clamp(max=frames - 1)
        rows = rows + torch.arange(clips, device=lengths.device)[:, None] * frames
        features = batch.features.reshape(-1, width).index_select(0, rows.flatten()).view(clips, -1, width)
        inside = (time < kept[:, None])[:, :, None]
        return batch.with_features(torch.where(inside, features, 0.0), kept)
