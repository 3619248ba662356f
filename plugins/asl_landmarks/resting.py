"""Frames before and after the sign, in which the hands rest or are out of the picture."""

from __future__ import annotations

import numpy as np

from asl_landmarks.landmarks import Landmarks

__all__ = ["signing_span"]


def signing_span(
    landmarks: Landmarks, *, rest: bool = False, height: float = 0.1, speed: float = 0.01
) -> tuple[int, int]:
    """First frame of the sign, and the one after its last.

    Frames at either end without any hand do not belong to it; with ``rest``, nor do those in which every hand rests:
    a hand rests where its wrist is within ``height`` of the lowest place it has in the clip and moves less than
    ``speed``, both in image heights, of a whole frame. A hand that never leaves that height tells nothing. A clip of
    which nothing would be left stays whole.
    """
    there = np.flatnonzero(landmarks.hands_seen.any(1))
    if not len(there):
        return 0, len(landmarks)
    if rest:
        active = there[_active(landmarks, height, speed)[there]]
        there = active if len(active) else there
    return int(there[0]), int(there[-1]) + 1


def _active(landmarks: Landmarks, height: float, speed: float) -> np.ndarray:
    """(T,) bool: some hand does not rest."""
    active = np.zeros(len(landmarks), dtype=bool)
    time = np.arange(len(landmarks))
    for hand in (0, 1):
        known = np.flatnonzero(landmarks.hands_seen[:, hand])
        if not len(known):
            continue
        wrist = landmarks.wrists[known, hand]
        x, y = (np.interp(time, known, wrist[:, axis]) for axis in (0, 1))
        raised = y < y.max() - height
        if raised.any():
            step = np.hypot(np.diff(x), np.diff(y))
            moved = np.maximum(np.append(step, 0), np.insert(step, 0, 0))
            active |= raised | (moved >= speed)
    return active
