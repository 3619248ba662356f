"""Landmarks of clips that say which of their features are which points, whatever detector gave them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asl_core import Clip, DataError, Layout, Part
from asl_landmarks.handedness import chirality, swapped_slots
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import BODY, FACE, HAND, HANDS, POSE, Packed

__all__ = ["packed_layout", "read_named", "unfit_layout"]

#: scheme of a pose -> body point -> its number there
POSES: Mapping[str, Mapping[str, int]] = {
    "mediapipe-pose33": POSE,
    "openpose-body25": {
        "nose": 0, "right-shoulder": 2, "right-elbow": 3, "left-shoulder": 5, "left-elbow": 6, "right-hip": 9,
        "left-hip": 12, "right-eye": 15, "left-eye": 16,
    },
    "coco17": {
        "nose": 0, "left-eye": 1, "right-eye": 2, "left-shoulder": 5, "right-shoulder": 6, "left-elbow": 7,
        "right-elbow": 8, "left-hip": 11, "right-hip": 12,
    },
}  # fmt: skip
_IBUG = {
    "right-brow": 19, "left-brow": 24, "right-eye-corner": 36, "left-eye-corner": 45, "right-lip-corner": 48,
    "left-lip-corner": 54, "upper-lip": 62, "lower-lip": 66,
}  # fmt: skip
#: scheme of a face -> body point -> its number there; those of face68 are the first of OpenPose's 70
FACES: Mapping[str, Mapping[str, int]] = {
    "mediapipe-face468": FACE,
    "mediapipe-face478": FACE,
    "openpose-face70": _IBUG,
    "face68": _IBUG,
}
_SCHEMES = {"pose": POSES, "face": FACES}
_SHOULDERS = 0.25  #: shoulder width, in image widths, that clips in pixels without a picture size are scaled to


def unfit_layout(layout: Layout) -> str | None:
    """Why clips of this layout hold no landmarks of hands, or None."""
    hands = [part for part in layout.parts if part.name in ("left-hand", "right-hand", "hand-1", "hand-2")]
    if not hands:
        return f"it reads landmarks of hands, and these clips have none ({layout})"
    if any(part.points != HAND for part in hands):
        return f"it reads hands of {HAND} points, and these have {hands[0].points} ({layout})"
    if layout.axes[:2] != ("x", "y"):
        return f"it reads points whose first two axes are x and y, and these are {' '.join(layout.axes)}"
    return None


def packed_layout(layout: Layout) -> Packed:
    """The richest packed layout that clips of this layout have points for."""
    known = {
        name
        for name, schemes in _SCHEMES.items()
        if (part := layout.part(name)) is not None and _numbers(part, schemes)
    }
    if "face" in known:
        return Packed(len(BODY))
    return Packed(len(POSE) if "pose" in known else 0)


def read_named(clip: Clip, layout: Layout, packed: Packed) -> Landmarks:
    """The landmarks of a clip with a layout, NaN where a point was not seen.

    Hands whose side the file does not say are assigned to right and left by their shape and their path. Places in
    pixels of a picture of unknown size are scaled to the signer's shoulders, or to the clip's extent.

    Args:
        clip: its features are those of ``layout``.
        layout: where each point is.
        packed: which body points to hand on; those that the clip lacks are absent.

    Raises:
        DataError: its points are infinite.
    """
    points = clip.features.reshape(len(clip.features), layout.points, len(layout.axes))[:, :, :3]
    if np.isinf(points).any():
        raise DataError(
            f"clip {clip.id!r} ({clip.source or 'unknown source'}) holds infinite numbers; expected landmarks, with "
            f"NaN for missing points. Extract it again."
        )
    if layout.axes[2:3] != ("z",):
        points = np.concatenate([points[:, :, :2], np.zeros_like(points[:, :, :1])], axis=2)
    body = _body(points, layout, packed)
    # z of one detector in three lacks where x and y do not, as in a file of two axes filled up.
    points = np.where(np.isnan(points[:, :, 2:]) & ~np.isnan(points[:, :, :2]).any(2, keepdims=True), 0, points)
    hands = _hands(points, layout, clip.fps)
    landmarks = np.concatenate([hands, body], axis=1)
    seen = ~np.isnan(landmarks).any(2)
    if layout.unit != "image":
        landmarks = _to_image(landmarks, seen, packed)
    return Landmarks.of_points(np.where(seen[:, :, None], landmarks, 0), seen)


def _hands(points: np.ndarray, layout: Layout, fps: float | None) -> np.ndarray:
    """(T, 42, 3) right and left hand."""
    empty = np.full((len(points), HAND, 3), np.nan, dtype=np.float32)

    def part(name: str) -> np.ndarray:
        place = layout.place(name)
        return empty if place is None else points[:, place]

    if layout.part("hand-1") is None:
        return np.concatenate([part("right-hand"), part("left-hand")], axis=1)
    slots = np.stack([part("hand-1"), part("hand-2")], axis=1)
    whole = ~np.isnan(slots).any((2, 3))
    if layout.part("hand-2") is None:  # one hand, which stays the same one
        seen = slots[whole[:, 0], 0]
        left = bool(len(seen)) and float(np.median(chirality(seen))) < 0
        swapped = np.full(len(points), left)
    else:
        swapped = swapped_slots(np.where(whole[:, :, None, None], slots, 0), whole, fps)
    hands = np.where(swapped[:, None, None, None], slots[:, ::-1], slots)
    return np.asarray(hands.reshape(-1, HANDS, 3))


def _body(points: np.ndarray, layout: Layout, packed: Packed) -> np.ndarray:
    """(T, body points, 3), NaN for those that the clip lacks."""
    body = np.full((len(points), packed.body, 3), np.nan, dtype=np.float32)
    for name, schemes in _SCHEMES.items():
        part, place = layout.part(name), layout.place(name)
        if part is None or place is None:
            continue
        for point, number in _numbers(part, schemes).items():
            if (to := packed.index_of(point)) is not None and number < part.points:
                body[:, to - HANDS] = points[:, place][:, number]
    return body


def _numbers(part: Part, schemes: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    """Body point -> its number in a part, which may hold a selection of its scheme: ``mediapipe-pose33[0,11,12]``."""
    numbers, chosen = schemes.get(part.base_scheme, {}), list(part.indices)
    return {point: chosen.index(number) for point, number in numbers.items() if number in chosen}


def _to_image(points: np.ndarray, seen: np.ndarray, packed: Packed) -> np.ndarray:
    """Points in image widths, of pixels of a picture whose size nobody knows."""
    flat = np.where(seen[:, :, None], points, np.nan)[:, :, :2]
    right, left = packed.index_of("right-shoulder"), packed.index_of("left-shoulder")
    centre, unit = None, 0.0
    if right is not None and left is not None:
        both = seen[:, right] & seen[:, left]
        if both.any():
            a, b = flat[both, right], flat[both, left]
            unit = float(np.median(np.linalg.norm(a - b, axis=1))) / _SHOULDERS
            centre = np.median((a + b) / 2, axis=0) - np.array([0.5, 0.5]) * unit
    if centre is None or not unit > 0:
        if not seen.any():
            return points
        low, high = np.nanmin(flat, axis=(0, 1)), np.nanmax(flat, axis=(0, 1))
        unit = float((high - low).max()) or 1.0
        centre = low
    shifted = points - np.array([*centre, 0], dtype=np.float32)
    return np.asarray(shifted / np.float32(unit))
