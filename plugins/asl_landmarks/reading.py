"""Raw landmarks of every known layout to :class:`Landmarks`."""

from __future__ import annotations

import numpy as np

from asl_core import Clip, DataError
from asl_landmarks.handedness import swapped_slots
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import FACE, HAND, HANDS, POSE, unfit_raw

__all__ = ["read_landmarks", "torn_hands"]

_FACE, _POSE = 468, 33


def read_landmarks(clip: Clip) -> Landmarks:
    """The landmarks of a clip of raw frames; hands in order of detection are assigned to right and left.

    A point is missing where its numbers are all -1 or all 0, or where one is NaN; a hand, a face or a pose is missing
    where half or more of its points are.

    Raises:
        DataError: the frames have another width or infinite numbers.
    """
    width = clip.features.shape[1]
    where = f"clip {clip.id!r} ({clip.source or 'unknown source'})"
    if (reason := unfit_raw(width)) is not None:
        raise DataError(f"{where} cannot be used: {reason}.")
    if np.isinf(clip.features).any():
        raise DataError(
            f"{where} holds infinite numbers; expected landmarks, with NaN or 0 for missing points. Extract it again."
        )
    return _detected(clip.features, clip.fps) if width == 2 * HAND * 3 else _holistic(clip.features)


def _detected(frames: np.ndarray, fps: float | None) -> Landmarks:
    slots = frames.reshape(len(frames), 2, HAND, 3)
    seen = np.stack([_seen(slots[:, slot]) for slot in (0, 1)], axis=1)
    slots = np.where(seen[..., None], slots, 0)
    # A partly detected hand says little of its side.
    swapped = swapped_slots(slots, np.asarray(seen.all(2)), fps)[:, None, None]
    hands = np.where(swapped[..., None], slots[:, ::-1], slots)
    seen = np.where(swapped, seen[:, ::-1], seen)
    return Landmarks.of_points(hands.reshape(-1, HANDS, 3), seen.reshape(-1, HANDS))


def _holistic(frames: np.ndarray) -> Landmarks:
    parts = _parts(frames)
    points = [parts["right"], parts["left"], parts["pose"][:, list(POSE.values())]]
    seen = [_seen(parts["right"]), _seen(parts["left"]), _seen(parts["pose"])[:, list(POSE.values())]]
    if "face" in parts:
        points.append(parts["face"][:, list(FACE.values())])
        seen.append(_seen(parts["face"])[:, list(FACE.values())])
    return Landmarks.of_points(np.concatenate(points, axis=1), np.concatenate(seen, axis=1))


def _parts(frames: np.ndarray) -> dict[str, np.ndarray]:
    """(T, points, 3) of each part; see :mod:`asl_landmarks.layout` for their order."""
    count, width = frames.shape
    order = {
        225: (("pose", _POSE), ("left", HAND), ("right", HAND)),
        1629: (("face", _FACE), ("left", HAND), ("pose", _POSE), ("right", HAND)),
        1662: (("face", _FACE), ("left", HAND), ("right", HAND)),
    }[width]
    parts = {}
    if width == 1662:  # the pose has a fourth number, MediaPipe's estimate of visibility, which is not needed
        parts["pose"] = frames[:, : 4 * _POSE].reshape(count, _POSE, 4)[:, :, :3]
        frames = frames[:, 4 * _POSE :]
    start = 0
    for name, points in order:
        parts[name] = frames[:, start : start + 3 * points].reshape(count, points, 3)
        start += 3 * points
    return parts


def _seen(part: np.ndarray) -> np.ndarray:
    """(T, points) bool of a part (T, points, 3)."""
    seen = ~_blank(part)
    return np.asarray(seen & (2 * seen.sum(1) > seen.shape[1])[:, None])


def _blank(points: np.ndarray) -> np.ndarray:
    """(…,) bool: whether a point (…, 3) is missing: -1 or 0 throughout, or with a NaN."""
    return np.asarray((points == 0).all(-1) | (points == -1).all(-1) | np.isnan(points).any(-1))


def torn_hands(clip: Clip) -> int:
    """Frames of a clip of raw landmarks in which some points of a hand are missing and others are not.

    Detectors write a hand whole or not at all, so the file was damaged or changed.
    """
    frames = clip.features
    if frames.shape[1] == 2 * HAND * 3:
        hands = frames.reshape(len(frames), 2, HAND, 3)
    else:
        parts = _parts(frames)
        hands = np.stack([parts["right"], parts["left"]], axis=1)
    missing = _blank(hands).sum(2)
    return int(((missing > 0) & (missing < HAND)).any(1).sum())
