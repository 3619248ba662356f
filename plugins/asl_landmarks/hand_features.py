"""The transform ``hand-features``: the shape of each hand, where it is and how it moves, from packed landmarks.

A batch transform, computed after the augmentations of landmarks, so that distances and paths are those of the rotated
and mirrored hands.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from asl_core import Batch
from asl_landmarks.layout import HAND, HANDS, KNUCKLES, TIPS, Packed, unfit_packed
from asl_landmarks.options import HandFeaturesOptions
from asl_landmarks.points import Points, central_difference, mean_over_time

__all__ = ["HandFeatures"]

_SMALLEST = 0.02  #: a hand or a shoulder width below this, in image widths, is a detector's mistake
_NO_BODY = 0.1  #: unit of a path where there are no shoulders, in image widths
_PAIRS = tuple((a, b) for i, a in enumerate(TIPS) for b in TIPS[i + 1 :])


@attrs.frozen(eq=False)
class _Hands:
    """What the blocks are computed from."""

    points: Points
    joints: Tensor  #: (B, T, 2, 21, 3) contiguous
    present: Tensor  #: (B, T, 2, 21) bool
    size: Tensor  #: (B, 1 or T, 2, 1, 1) of each hand, wrist to middle knuckle
    path: Tensor  #: (B, T, 2, 2) wrists from the origin in units; arbitrary where the hand is absent
    origin: Tensor  #: (B, 1, 1, 2) of the clip
    unit: Tensor  #: (B, 1, 1, 1)


class HandFeatures:
    """The chosen ``blocks``, one after the other.

    ========= ===== =====================================================================================
    shape     120   20 points of each hand (x, y, z) from its wrist, in hand sizes
    path      4     each wrist (x, y) from between the shoulders in shoulder widths (means over the clip);
                    without shoulders from the mean place of the wrists in the clip, in tenths of the image
    image     4     each wrist (x, y) from the middle of the image, in quarters of it
    distances 20    between each two fingertips of a hand, in hand sizes
    between   2     from the left wrist to the right one, in the units of path
    velocity  4     half the change of path from the frame before to the one after; 0 at the ends
    seen      2     1 where the hand was seen, -1 where it was filled in or is absent
    body      2 n   each of n body points (x, y), as path; nothing where frames have only hands
    ========= ===== =====================================================================================

    Features of absent points are 0.
    """

    batchwise = True

    def __init__(self, options: HandFeaturesOptions):
        self.options = options

    def unfit(self, width: int) -> str | None:
        """Why frames of ``width`` features cannot be used (no packed landmarks; only a missing body), or None."""
        layout = Packed.of_width(width)
        if layout is None:
            return unfit_packed(width)
        if not self.options.blocks:
            return "its option blocks is empty, so no features would be left"
        if self.options.blocks == ("body",) and not layout.body:
            return "block body needs body points, and these frames have only hands"
        return None

    def output_width(self, width: int) -> int:
        """Features per frame of the chosen blocks."""
        layout = Packed.require(width, "transform hand-features")
        widths = {"body": 2 * layout.body} | _WIDTHS
        return sum(widths[block] for block in self.options.blocks)

    def __call__(self, batch: Batch) -> Batch:
        """The batch of blocks."""
        hands = self._hands(Points.of(batch))
        features = torch.cat([_BLOCKS[name](hands).flatten(2) for name in self.options.blocks], dim=2)
        return batch.with_features(torch.where(batch.mask[:, :, None], features, 0.0))

    def _hands(self, points: Points) -> _Hands:
        hands, present, seen = points.hands.contiguous(), points.hands_present, points.hands_seen
        wrists = hands[..., 0, :2]
        # A hand that was filled in throughout what is left of a clip is measured as filled.
        known = torch.where(seen.any(1, keepdim=True), seen, present[..., 0])
        palm = (hands[..., KNUCKLES[1], :] - hands[..., 0, :]).norm(dim=-1)
        size = palm if self.options.size == "frame" else mean_over_time(palm, known)[:, None]
        origin, unit = _body(points, wrists, known)
        size = size.clamp(min=_SMALLEST)[..., None, None]
        return _Hands(points, hands, present, size, (wrists - origin) / unit, origin, unit)


def _body(points: Points, wrists: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Origin (B, 1, 1, 2) and unit (B, 1, 1, 1) of the places in a clip."""
    weights = known.to(wrists.dtype)
    hands = weights.sum(2).clamp(min=1)
    middle = (wrists * weights[..., None]).sum(2) / hands[..., None]
    origin = mean_over_time(middle, weights.sum(2)[..., None])
    unit = torch.full_like(origin[:, :1], _NO_BODY)
    right, left = (points.layout.index_of(f"{side}-shoulder") for side in ("right", "left"))
    if right is not None and left is not None:
        both = (points.present[:, :, right] & points.present[:, :, left])[..., None]
        a, b = points.places[:, :, right, :2], points.places[:, :, left, :2]
        origin = torch.where(both.any(1), mean_over_time((a + b) / 2, both), origin)
        width = mean_over_time((a - b).norm(dim=-1, keepdim=True), both).clamp(min=_SMALLEST)
        unit = torch.where(both.any(1), width, unit)
    return origin[:, None, None], unit[:, None, None]


def _shape(hands: _Hands) -> Tensor:
    relative = (hands.joints[..., 1:, :] - hands.joints[..., :1, :]) / hands.size
    return torch.where(hands.present[..., 1:, None], relative, 0.0)


def _path(hands: _Hands) -> Tensor:
    return torch.where(hands.present[..., :1], hands.path, 0.0)


def _image(hands: _Hands) -> Tensor:
    return torch.where(hands.present[..., :1], 4 * (hands.joints[..., 0, :2] - 0.5), 0.0)


def _distances(hands: _Hands) -> Tensor:
    a, b = map(list, zip(*_PAIRS, strict=True))
    distances = (hands.joints[..., a, :] - hands.joints[..., b, :]).norm(dim=-1) / hands.size[..., 0]
    return torch.where(hands.present[..., a] & hands.present[..., b], distances, 0.0)


def _between(hands: _Hands) -> Tensor:
    both = hands.present[..., 0].all(2, keepdim=True)
    return torch.where(both, hands.path[:, :, 0] - hands.path[:, :, 1], 0.0)


def _velocity(hands: _Hands) -> Tensor:
    present = hands.present[..., 0]
    return torch.where(present[..., None], central_difference(hands.path, present), 0.0)


def _seen(hands: _Hands) -> Tensor:
    return 2 * hands.points.hands_seen.to(hands.path.dtype) - 1


def _body_points(hands: _Hands) -> Tensor:
    places = (hands.points.places[:, :, HANDS:, :2] - hands.origin) / hands.unit
    return torch.where(hands.points.present[:, :, HANDS:, None], places, 0.0)


_WIDTHS = {
    "shape": 2 * (HAND - 1) * 3,
    "path": 4,
    "image": 4,
    "distances": 2 * len(_PAIRS),
    "between": 2,
    "velocity": 4,
    "seen": 2,
}
_BLOCKS: dict[str, Callable[[_Hands], Tensor]] = {
    "shape": _shape,
    "path": _path,
    "image": _image,
    "distances": _distances,
    "between": _between,
    "velocity": _velocity,
    "seen": _seen,
    "body": _body_points,
}
