"""The transforms ``trim`` and ``unpad``: the frames of the sign, without rest or padding before and after."""

from __future__ import annotations

import attrs
import numpy as np

from asl_core import Clip, NoOptions
from asl_landmarks.landmarks import Landmarks, unseen_hands
from asl_landmarks.layout import unfit_packed
from asl_landmarks.options import TrimOptions

__all__ = ["Trim", "Unpad", "signing_span"]


class Trim:
    """The frames of the sign; see :func:`signing_span`."""

    def __init__(self, options: TrimOptions):
        self.options = options

    unfit = staticmethod(unfit_packed)
    unseen = staticmethod(unseen_hands)

    def __call__(self, clip: Clip) -> Clip:
        """The clip with no more frames than before, and at least one."""
        frames = self.frames_kept(clip)
        return Landmarks.of_clip(clip).frames(frames.start, frames.stop).to_clip(clip)

    def frames_kept(self, clip: Clip) -> slice:
        """The frames of the sign."""
        options, landmarks = self.options, Landmarks.of_clip(clip)
        return slice(*signing_span(landmarks, rest=options.rest, height=options.rest_height, speed=options.rest_speed))


class Unpad:
    """Frames of zeros at either end cut off, of features of any layout. A clip of zeros alone stays as it is."""

    cuts_padding = True  #: the audit recommends it where clips look padded

    def __init__(self, options: NoOptions):
        pass

    def unfit(self, width: int) -> str | None:
        """None: it takes any number of features."""
        return None

    def __call__(self, clip: Clip) -> Clip:
        """The clip from its first to its last frame with a value other than 0."""
        return attrs.evolve(clip, features=clip.features[self.frames_kept(clip)])

    def frames_kept(self, clip: Clip) -> slice:
        """The frames between the padding."""
        nonzero = np.flatnonzero((clip.features != 0).any(1))
        return slice(int(nonzero[0]), int(nonzero[-1]) + 1) if len(nonzero) else slice(0, len(clip.features))


def signing_span(
    landmarks: Landmarks, *, rest: bool = False, height: float = 0.1, speed: float = 0.01
) -> tuple[int, int]:
    """First frame of the sign, and the one after its last.

    Frames at either end without any hand do not belong to it; with ``rest``, nor do those in which every hand rests:
    its wrist is within ``height`` of its lowest place in the clip and moves less than ``speed`` per frame, both in
    image heights. A hand that never rises above that height does not count. A clip of which nothing would be left stays
    whole.
    """
    with_hand = np.flatnonzero(landmarks.hands_seen.any(1))
    if not len(with_hand):
        return 0, len(landmarks)
    if rest:
        active = with_hand[_active(landmarks, height, speed)[with_hand]]
        with_hand = active if len(active) else with_hand
    return int(with_hand[0]), int(with_hand[-1]) + 1


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
