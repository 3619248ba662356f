"""Packed landmarks as what a sign is made of: the shape of each hand, where it is, how it moves.

A transform of batches: it comes after the augmentations of landmarks, so that distances and paths are those of hands
that were turned and mirrored as hands.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from asl_core import Batch
from asl_landmarks.layout import HAND, KNUCKLES, TIPS, Packed, unfit_packed
from asl_landmarks.options import HandFeaturesOptions
from asl_landmarks.points import Points, mean_over_time

__all__ = ["HandFeatures"]

_SMALLEST = 0.02  #: a hand or a shoulder width below this, in image widths, is a detector's mistake
_NO_BODY = 0.1  #: unit of a path where there are no shoulders, in image widths
_PAIRS = tuple((a, b) for i, a in enumerate(TIPS) for b in TIPS[i + 1 :])


@attrs.frozen(eq=False)
class _Seen:
    """What the blocks are made of."""

    points: Points
    hands: Tensor  #: (B, T, 2, 21, 3) in one piece
    there: Tensor  #: (B, T, 2, 21) bool
    size: Tensor  #: (B, 1 or T, 2, 1, 1) of each hand, wrist to middle knuckle
    path: Tensor  #: (B, T, 2, 2) wrists from the origin in units; whatever where the hand is not there
    origin: Tensor  #: (B, 1, 1, 2) of the clip
    unit: Tensor  #: (B, 1, 1, 1)


class HandFeatures:
    """``blocks`` of numbers, one after the other.

    ========= ===== =====================================================================================
    shape     120   20 points of each hand (x, y, z) from its wrist, in hand sizes
    path      4     each wrist (x, y) from between the shoulders in shoulder widths (means over the clip);
                    without shoulders from the mean place of the wrists in the clip, in tenths of the image
    image     4     each wrist (x, y) from the middle of the image, in quarters of it
    distances 20    between each two fingertips of a hand, in hand sizes
    between   2     from the left wrist to the right one, in the units of path
    velocity  4     half the change of path from the frame before to the one after; 0 at the ends
    seen      2     1 where the hand was seen, -1 where it was filled in or is absent
    body      2 n   each body point (x, y), as path
    ========= ===== =====================================================================================

    What is not there is 0.
    """

    batchwise = True

    def __init__(self, options: HandFeaturesOptions):
        self.options = options

    def unfit(self, width: int) -> str | None:
        """It takes packed landmarks, and block body those that have a body."""
        layout = Packed.of_width(width)
        if layout is None:
            return unfit_packed(width)
        if not self.options.blocks:
            return "its option blocks is empty, and nothing would be left of the frames"
        if "body" in self.options.blocks and not layout.body:
            return "block body needs points of the body, and these frames have the hands alone"
        return None

    def output_width(self, width: int) -> int:
        """Numbers a frame of the chosen blocks."""
        layout = Packed.require(width, "transform hand-features")
        widths = {"body": 2 * layout.body} | _WIDTHS
        return sum(widths[block] for block in self.options.blocks)

    def __call__(self, batch: Batch) -> Batch:
        """The batch of blocks."""
        seen = self._look(Points.of(batch))
        features = torch.cat([_BLOCKS[name](seen).flatten(2) for name in self.options.blocks], dim=2)
        return batch.with_features(torch.where(batch.mask[:, :, None], features, 0.0))

    def _look(self, points: Points) -> _Seen:
        hands, there, seen = points.hands.contiguous(), points.hands_there, points.hands_seen
        wrists, wrist_there = hands[..., 0, :2], there[..., 0]
        # A hand that was filled in throughout what is left of a clip is measured as filled.
        known = torch.where(seen.any(1, keepdim=True), seen, wrist_there)
        palm = (hands[..., KNUCKLES[1], :] - hands[..., 0, :]).norm(dim=-1)
        size = palm if self.options.size == "frame" else mean_over_time(palm, known)[:, None]
        origin, unit = _body(points, wrists, known)
        return _Seen(
            points, hands, there, size.clamp(min=_SMALLEST)[..., None, None], (wrists - origin) / unit, origin, unit
        )


def _body(points: Points, wrists: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Origin (B, 1, 1, 2) and unit (B, 1, 1, 1) of the places in a clip."""
    weights = known.to(wrists.dtype)
    hands = weights.sum(2).clamp(min=1)
    middle = (wrists * weights[..., None]).sum(2) / hands[..., None]
    origin = mean_over_time(middle, weights.sum(2)[..., None])
    unit = torch.full_like(origin[:, :1], _NO_BODY)
    right, left = (points.layout.place(f"{side}-shoulder") for side in ("right", "left"))
    if right is not None and left is not None:
        both = (points.there[:, :, right] & points.there[:, :, left])[..., None]
        a, b = points.places[:, :, right, :2], points.places[:, :, left, :2]
        origin = torch.where(both.any(1), mean_over_time((a + b) / 2, both), origin)
        width = mean_over_time((a - b).norm(dim=-1, keepdim=True), both).clamp(min=_SMALLEST)
        unit = torch.where(both.any(1), width, unit)
    return origin[:, None, None], unit[:, None, None]


def _shape(seen: _Seen) -> Tensor:
    hands = seen.hands
    relative = (hands[..., 1:, :] - hands[..., :1, :]) / seen.size
    return torch.where(seen.there[..., 1:, None], relative, 0.0)


def _path(seen: _Seen) -> Tensor:
    return torch.where(seen.there[..., :1], seen.path, 0.0)


def _image(seen: _Seen) -> Tensor:
    return torch.where(seen.there[..., :1], 4 * (seen.hands[..., 0, :2] - 0.5), 0.0)


def _distances(seen: _Seen) -> Tensor:
    hands, (a, b) = seen.hands, zip(*_PAIRS, strict=True)
    far = (hands[..., list(a), :] - hands[..., list(b), :]).norm(dim=-1) / seen.size[..., 0]
    return torch.where(seen.there[..., list(a)] & seen.there[..., list(b)], far, 0.0)


def _between(seen: _Seen) -> Tensor:
    both = seen.there[..., 0].all(2, keepdim=True)
    return torch.where(both, seen.path[:, :, 0] - seen.path[:, :, 1], 0.0)


def _velocity(seen: _Seen) -> Tensor:
    there = seen.there[..., :1]
    change = torch.zeros_like(seen.path)
    change[:, 1:-1] = torch.where(there[:, 2:] & there[:, :-2], (seen.path[:, 2:] - seen.path[:, :-2]) / 2, 0.0)
    return torch.where(there, change, 0.0)


def _seen(seen: _Seen) -> Tensor:
    return 2 * seen.points.hands_seen.to(seen.path.dtype) - 1


def _body_points(seen: _Seen) -> Tensor:
    places = (seen.points.places[:, :, 2 * HAND :, :2] - seen.origin) / seen.unit
    return torch.where(seen.points.there[:, :, 2 * HAND :, None], places, 0.0)


_WIDTHS = {
    "shape": 2 * (HAND - 1) * 3,
    "path": 4,
    "image": 4,
    "distances": 2 * len(_PAIRS),
    "between": 2,
    "velocity": 4,
    "seen": 2,
}
_BLOCKS: dict[str, Callable[[_Seen], Tensor]] = {
    "shape": _shape,
    "path": _path,
    "image": _image,
    "distances": _distances,
    "between": _between,
    "velocity": _velocity,
    "seen": _seen,
    "body": _body_points,
}
