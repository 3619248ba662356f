"""Which detected hand is the signer's right one, and which hand is dominant.

A detector writes hands in no order, loses one and finds it again in the other's slot. Three things tell the
hands apart: the shape of a hand (a right hand is no left hand however it is turned), where it is (the signer's right
hand is mostly on the image's left), and where each hand was the frame before.
"""

from __future__ import annotations

import math

import attrs
import numpy as np

from asl_core import Clip, DataError, NoOptions
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import KNUCKLES, TIPS
from asl_landmarks.layout36 import MIRROR_FROM, MIRROR_SIGN, PLACE, hands_seen36, unfit36

__all__ = ["Dominant36", "chirality", "left_dominant", "left_dominant36", "swapped_slots"]

_SURE = 0.5  #: largest weight of one hand's shape
_SIDE = (1.5, 0.25)  #: cost per image width of crossed hands, and its limit
_RATE = 30.0  #: frames per second at which the cost of a frame and that of a jump are balanced
_JUMP = (8.0, 2.0)  #: cost per image width that a hand moved between frames, and its limit


def chirality(hand: np.ndarray) -> np.ndarray:
    """(...) score of hands (..., 21, 3): above 0 right, below 0 left.

    Fingers curl, and the thumb stands out, towards the palm's side. So the normal of the palm, from wrist, index and
    little knuckle, points to the curl in one hand and away from it in the other. In hand sizes; on the train
    clips of WLASL-100 the sign is right in 84 % of detections, and in 94 % of those beyond ±0.3.
    """
    wrist = hand[..., 0, :]
    normal = np.cross(hand[..., KNUCKLES[0], :] - wrist, hand[..., KNUCKLES[-1], :] - wrist)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    curl = (hand[..., TIPS[1:], :] - hand[..., KNUCKLES, :]).mean(-2)
    thumb = hand[..., TIPS[0], :] - hand[..., 2, :]
    size = np.linalg.norm(hand[..., KNUCKLES[1], :] - wrist, axis=-1) + 1e-6
    return ((normal * curl).sum(-1) + 0.5 * (normal * thumb).sum(-1)) / size  # type: ignore[no-any-return]


def swapped_slots(slots: np.ndarray, detected: np.ndarray, fps: float | None = None) -> np.ndarray:
    """Which frames have the left hand in slot 0 and the right one in slot 1.

    The cheapest sequence of the two assignments of each frame (Viterbi 1967): a frame costs what chirality and side
    say against it, a transition how far the hands would have moved. A lost hand is compared with its last place on
    the best path to each state, so the search is exact except across such gaps.

    Args:
        slots: (T, 2, 21, 3) hands in order of detection; anything finite where no hand is.
        detected: (T, 2) bool, whether the slot holds a hand.
        fps: frames per second, where they are known. Frames at a higher rate than usual are no further evidence.

    Returns:
        (T,) bool.
    """
    weight = 1.0 if fps is None else min(_RATE / fps, 1.0)
    return _cheapest(_frame_costs(slots, detected, weight), slots[:, :, 0, :2].tolist(), detected.tolist())


def _frame_costs(slots: np.ndarray, detected: np.ndarray, weight: float) -> list[float]:
    """(T,) cost of slot 0 being the right hand; minus that is the cost of its being the left one."""
    shape = np.where(detected, np.clip(chirality(slots), -_SURE, _SURE), 0.0)
    across = _SIDE[0] * (slots[:, 0, 0, 0] - slots[:, 1, 0, 0])
    side = np.where(detected.all(1), np.clip(across, -_SIDE[1], _SIDE[1]), 0.0)
    return (weight * (shape[:, 1] - shape[:, 0] + side)).tolist()  # type: ignore[no-any-return]


def _cheapest(costs: list[float], wrists: list[list[list[float]]], detected: list[list[bool]]) -> np.ndarray:
    """(T,) bool, the states of the cheapest sequence. In plain Python: two states are too few for arrays."""
    weight, limit = _JUMP
    total = [0.0, 0.0]
    # On each state's best path: the last place of the right and of the left hand.
    last: list[list[list[float] | None]] = [[None, None], [None, None]]
    came_from = []
    for cost, places, present in zip(costs, wrists, detected, strict=True):
        if not (present[0] or present[1]):
            came_from.append((0, 1))
            continue
        sums, places_of_state, back = [], [], []
        for state in (0, 1):  # 1: swapped
            paths = []
            for before in (0, 1):
                moved = total[before]
                for slot in (0, 1):
                    was = last[before][slot ^ state] if present[slot] else None
                    if was is not None:
                        x, y = places[slot]
                        moved += min(weight * math.hypot(x - was[0], y - was[1]), limit)
                paths.append(moved)
            best = 0 if paths[0] <= paths[1] else 1
            sums.append(paths[best] + (cost if state == 0 else -cost))
            now = list(last[best])
            for slot in (0, 1):
                if present[slot]:
                    now[slot ^ state] = places[slot]
            places_of_state.append(now)
            back.append(best)
        total, last = sums, places_of_state
        came_from.append((back[0], back[1]))
    state = 0 if total[0] <= total[1] else 1
    states = np.zeros(len(costs), dtype=bool)
    for t in range(len(costs) - 1, -1, -1):
        states[t] = state
        state = came_from[t][state]
    return states


def left_dominant(landmarks: Landmarks) -> bool:
    """Whether the left hand is more active. Frames before the first hand and after the last do not count."""
    seen = landmarks.hands_seen
    with_hand = np.flatnonzero(seen.any(1))
    if not len(with_hand):
        return False
    span = slice(with_hand[0], with_hand[-1] + 1)
    right, left = _activity(seen[span], landmarks.wrists[span])
    return bool(left > right)


def left_dominant36(features: np.ndarray) -> bool:
    """The same of frames (T, 36); every frame counts."""
    left, right = _activity(hands_seen36(features), features[:, PLACE].reshape(-1, 2, 3))
    return bool(left > right)


def _activity(seen: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(2,) each hand's share of frames in which it is ``seen`` (T, 2), plus half its share of the movement.

    Movement is the length of its path over ``places`` (T, 2, 3), in x and y.
    """
    path = np.zeros(2)
    for hand in (0, 1):
        steps = np.diff(places[seen[:, hand], hand, :2].astype(np.float64), axis=0)
        path[hand] = np.linalg.norm(steps, axis=1).sum()
    return np.asarray(seen.mean(0) + 0.5 * path / max(path.sum(), 1e-6))


class Dominant36:
    """The transform ``dominant36``: clips whose left hand is more active are mirrored, so that a sign has one side."""

    def __init__(self, options: NoOptions):
        self.options = options

    unfit = staticmethod(unfit36)

    def __call__(self, clip: Clip) -> Clip:
        """The clip, mirrored or unchanged.

        Raises:
            DataError: its frames have another layout.
        """
        if (reason := unfit36(clip.features.shape[1])) is not None:
            raise DataError(f"clip {clip.id!r} ({clip.source or 'unknown source'}) cannot be used: {reason}.")
        if not left_dominant36(clip.features):
            return clip
        mirrored = clip.features[:, list(MIRROR_FROM)] * np.array(MIRROR_SIGN, dtype=clip.features.dtype)
        return attrs.evolve(clip, features=np.ascontiguousarray(mirrored))

    def unseen(self, clip: Clip) -> np.ndarray:
        """(T,) share of the two hands that each frame does not show."""
        return np.asarray(1 - hands_seen36(clip.features).mean(1))
