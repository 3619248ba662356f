"""Clips side by side: a batch, its mask, and its parts."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

__all__ = ["Batch", "at_least_float32", "frame_mask"]


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """True where a frame is real: (B, frames) bool from (B,) lengths."""
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision raised to float32, all else as it is.

    Autocast hands out bfloat16, whose 8 bits cannot hold a log-probability of -50 to better than 0.1.
    """
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


@attrs.frozen(eq=False, kw_only=True)
class Batch:
    """Clips side by side, padded with zeros to the longest."""

    features: Tensor  #: (B, T, D) float32, 0 where padded
    lengths: Tensor  #: (B,) int64, at least 1
    targets: Tensor  #: (sum of target_lengths,) int64, class numbers end to end
    target_lengths: Tensor  #: (B,) int64
    index: Tensor  #: (B,) int64, place of each clip in its store
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return self.features.shape[0]

    @property
    def mask(self) -> Tensor:
        """(B, T) bool, True where a frame is real."""
        return frame_mask(self.lengths, self.features.shape[1])

    @property
    def single(self) -> Tensor:
        """(B,) the class of each clip, where every clip has exactly one gloss.

        Raises:
            ValueError: a clip has none or several.
        """
        if self.targets.shape[0] != len(self) or bool((self.target_lengths != 1).any()):
            raise ValueError("a clip of this batch has no gloss, or more than one")
        return self.targets

    def with_features(self, features: Tensor, lengths: Tensor | None = None) -> Batch:
        """The same clips with other frames (augmented, corrupted)."""
        return attrs.evolve(self, features=features, lengths=self.lengths if lengths is None else lengths)

    def to(self, device: torch.device) -> Batch:
        """On another device; itself where it is there already."""
        if self.features.device == device:
            return self
        tensors = {
            n: getattr(self, n).to(device, non_blocking=True)
            for n in ("features", "lengths", "targets", "target_lengths", "index")
        }
        return attrs.evolve(self, **tensors)

    def rows(self, start: int, end: int) -> Batch:
        """Clips ``start`` to ``end`` of this batch."""
        before, upto = int(self.target_lengths[:start].sum()), int(self.target_lengths[:end].sum())
        return Batch(
            features=self.features[start:end],
            lengths=self.lengths[start:end],
            targets=self.targets[before:upto],
            target_lengths=self.target_lengths[start:end],
            index=self.index[start:end],
            ids=self.ids[start:end],
        )

    @staticmethod
    def cat(batches: Sequence[Batch]) -> Batch:
        """Batches stacked along the clips, padded to the longest of all."""
        if len(batches) == 1:
            return batches[0]
        frames = max(b.features.shape[1] for b in batches)
        return Batch(
            features=torch.cat(
                [torch.nn.functional.pad(b.features, (0, 0, 0, frames - b.features.shape[1])) for b in batches]
            ),
            lengths=torch.cat([b.lengths for b in batches]),
            targets=torch.cat([b.targets for b in batches]),
            target_lengths=torch.cat([b.target_lengths for b in batches]),
            index=torch.cat([b.index for b in batches]),
            ids=tuple(i for b in batches for i in b.ids),
        )
