"""The transform ``hands36``: the hands of the 36 features as shapes, places, palms, paths, and whether seen."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from asl_core import Batch
from asl_landmarks.layout36 import PALM, PLACE, SHAPE, unfit36
from asl_landmarks.options import Hands36Options
from asl_landmarks.points import central_difference

__all__ = ["Hands36"]


@attrs.frozen(eq=False)
class _Hands:
    """A batch's hands, left and right."""

    shape: Tensor  #: (B, T, 2, 5) flexion of the fingers
    place: Tensor  #: (B, T, 2, 3) palm centres
    palm: Tensor  #: (B, T, 2, 3) palm normals
    seen: Tensor  #: (B, T, 2) bool
    present: Tensor  #: (B, T, 2) bool: seen or filled in


class Hands36:
    """The chosen ``blocks``, one after the other; left hand first.

    ======== == ==================================================================================
    shape    10 five angles of each hand
    place    6  each palm's centre
    palm     6  each palm's normal
    path     4  each palm's centre (x, y) relative to the mean over both palms and the clip
    velocity 4  half the change of place (x, y) from the frame before to the one after; 0 at the ends
    turning  2  how far the normal changes from frame to frame
    seen     2  1 where the hand was detected, -1 where it was not
    ======== == ==================================================================================

    Features of an absent hand are 0. A hand lost for a while may be filled in: linearly between the frames around,
    held at either end. The reference's velocities are left out: they jump where a hand is lost and detected again, as
    if it came from the origin.
    """

    batchwise = True
    unfit = staticmethod(unfit36)

    def __init__(self, options: Hands36Options):
        self.options = options

    def output_width(self, width: int) -> int:
        """Features per frame of the chosen blocks."""
        return sum(_BLOCKS[block][0] for block in self.options.blocks)

    def __call__(self, batch: Batch) -> Batch:
        """The batch of blocks."""
        hands = _hands(batch, self.options.fill)
        features = torch.cat([_BLOCKS[name][1](hands).flatten(2) for name in self.options.blocks], dim=2)
        return batch.with_features(torch.where(batch.mask[:, :, None], features, 0.0))


def _hands(batch: Batch, fill: bool) -> _Hands:
    clips, frames = batch.features.shape[:2]
    parts = [batch.features[:, :, where].reshape(clips, frames, 2, -1) for where in (SHAPE, PLACE, PALM)]
    values = torch.cat(parts, dim=3)
    seen = (values != 0).any(3) & batch.mask[:, :, None]
    present = seen
    if fill:
        values, present = _filled(values, seen), seen.any(1, keepdim=True) & batch.mask[:, :, None]
    return _Hands(values[..., :5], values[..., 5:8], values[..., 8:], seen, present)


def _filled(values: Tensor, seen: Tensor) -> Tensor:
    """Values (B, T, H, D), linear over the frames that are not ``seen`` (B, T, H), held at the ends."""
    frames = values.shape[1]
    number = torch.arange(frames, device=values.device)[None, :, None].expand(seen.shape)
    before = torch.where(seen, number, -1).cummax(1).values
    after = torch.where(seen, number, frames).flip(1).cummin(1).values.flip(1)
    left = torch.where(before >= 0, before, after).clamp(max=frames - 1)
    right = torch.where(after < frames, after, before).clamp(min=0)
    share = ((number - left) / (right - left).clamp(min=1)).clamp(0, 1).to(values.dtype)[..., None]
    width = values.shape[3]
    a = values.gather(1, left[..., None].expand(-1, -1, -1, width))
    b = values.gather(1, right[..., None].expand(-1, -1, -1, width))
    return torch.where(seen[..., None], values, a + share * (b - a))


def _path(hands: _Hands) -> Tensor:
    weight = hands.seen.to(hands.place.dtype)[..., None]
    # Summed frame by frame: another order of summing would round differently with another length of padding.
    total = torch.cumsum((hands.place[..., :2] * weight).sum(2), dim=1)[:, -1]
    count = torch.cumsum(weight.sum(2), dim=1)[:, -1]
    origin = total / torch.where(count > 0, count, 1.0)
    return torch.where(hands.present[..., None], hands.place[..., :2] - origin[:, None, None], 0.0)


def _turning(hands: _Hands) -> Tensor:
    change = torch.zeros_like(hands.palm[..., 0])
    both = hands.present[:, 1:] & hands.present[:, :-1]
    change[:, 1:] = torch.where(both, (hands.palm[:, 1:] - hands.palm[:, :-1]).norm(dim=-1), 0.0)
    return change


_BLOCKS: dict[str, tuple[int, Callable[[_Hands], Tensor]]] = {
    "shape": (10, lambda hands: hands.shape),
    "place": (6, lambda hands: hands.place),
    "palm": (6, lambda hands: hands.palm),
    "path": (4, _path),
    "velocity": (4, lambda hands: central_difference(hands.place[..., :2], hands.present)),
    "turning": (2, _turning),
    "seen": (2, lambda hands: 2 * hands.seen.to(hands.place.dtype) - 1),
}
