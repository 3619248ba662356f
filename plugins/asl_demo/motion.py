"""The course of both hands through signs: poses held one after the other, and the paths between them.

A clip is ``rest → pose → … → pose → rest``. Every sign has four keys (its two poses, and both again where it is done
twice; otherwise the last three keys are the same pose and take no time), so that all clips of a block share one array
without loops over clips.
"""

from __future__ import annotations

import attrs
import numpy as np

from asl_demo.lexicon import ARC, BASE, BOTH, ONE, TWICE, WAVE, Signs

__all__ = ["FLEX", "NORMAL", "PLACE", "Course", "Frames", "mirrored"]

PLACE, FLEX, NORMAL = slice(0, 3), slice(3, 8), slice(8, 11)  # of the 11 numbers of a hand
_MIRROR = np.array([-1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1.0])

_REST = np.array([-0.45, 2.1, 0.0, 0.6, 0.7, 0.8, 0.9, 1.0, 0.6, 0.2, -0.75])
_SUPPORT = np.array([-0.15, 1.2, -0.05, 0.3, 0.1, 0.1, 0.1, 0.1, 0.0, -1.0, 0.0])
_KEYS = 4
_BOW = 0.5  # how far an arc or a wave departs from the straight path

# Shares of a sign's frames for the way in and out and between signs; the rest of 1 is the sign itself.
_WAY, _BETWEEN = 0.2, 0.2
_SIGN = 1 - 2 * _WAY


def mirrored(hands: np.ndarray) -> np.ndarray:
    """Mirror images of hands (..., 11).

    A palm normal is a cross product of two landmark vectors, so a mirror keeps its x and reverses y and z; of a place
    it reverses x.
    """
    return np.asarray(hands * _MIRROR)


@attrs.frozen(eq=False)
class Frames:
    """Frames of several clips end to end."""

    clip: np.ndarray  #: (F,) which clip of the block
    number: np.ndarray  #: (F,) index in its clip
    hands: np.ndarray  #: (F, 2, 11) place, flexion, normal of the other hand and of the dominant one
    shown: np.ndarray  #: (F, 2) whether the hand is in use


@attrs.frozen(eq=False)
class Course:
    """The keys of B clips and the time between them."""

    keys: np.ndarray  #: (B, K, 2, 11) of the other hand and of the dominant, right one
    shown: np.ndarray  #: (B, K, 2) bool
    bow: np.ndarray  #: (B, K - 1, 2, 2, 3) displacement across the path: [kind: arc, wave][hand]
    frames: np.ndarray  #: (B, K - 1) time from key to key

    @classmethod
    def of(cls, signs: Signs, counts: np.ndarray, frames: float) -> Course:
        """The course of B clips of up to N signs, without the habits of a signer.

        Args:
            signs: parameters of shape (B, N).
            counts: (B,) signs of each clip; further ones are ignored.
            frames: length of a clip of one sign, with the ways from and to rest.
        """
        clips, most = signs.movement.shape
        total = _KEYS * most + 2
        inside = np.arange(most) < counts[:, None]
        twice = signs.movement == TWICE
        order = np.where(twice[..., None], [0, 1, 0, 1], [0, 1, 1, 1])[..., None]  # (B, N, 4, 1)
        pose = np.concatenate([signs.places, signs.flexion, signs.normals], axis=-1)
        pose = np.take_along_axis(pose, order, axis=-2)  # (B, N, 4, 11)
        hands = signs.hands[..., None, None]
        other = np.where(hands == BOTH, mirrored(pose), np.where(hands == BASE, mirrored(_SUPPORT), mirrored(_REST)))

        keys = np.empty((clips, total, 2, 11))
        keys[:] = np.stack([mirrored(_REST), _REST])
        body = keys[:, 1:-1].reshape(clips, most, _KEYS, 2, 11)
        body[:] = np.where(inside[:, :, None, None, None], np.stack([other, pose], axis=-2), body)
        keys[:, 1:-1] = body.reshape(clips, most * _KEYS, 2, 11)

        shown = np.zeros((clips, total, 2), dtype=bool)
        shown[..., 1] = True
        shown[:, 1:-1, 0] = np.repeat((signs.hands != ONE) & inside, _KEYS, axis=1)

        time = np.zeros((clips, most, _KEYS))  # of the step *before* each key
        time[:, :, 0] = _BETWEEN * frames
        time[:, 0, 0] = _WAY * frames
        time[:, :, 1] = np.where(twice, _SIGN / 3, _SIGN) * frames
        time[:, :, 2:] = (np.where(twice, _SIGN / 3, 0.0) * frames)[..., None]
        time *= inside[..., None]
        steps = np.concatenate([time.reshape(clips, -1), np.zeros((clips, 1))], axis=1)
        steps[np.arange(clips), _KEYS * counts] = _WAY * frames

        bow = np.zeros((clips, total - 1, 2, 2, 3))
        kinds = np.stack([signs.movement == ARC, signs.movement == WAVE], axis=-1) & inside[..., None]
        dominant = _BOW * kinds[..., None] * signs.bow[..., None, :]  # (B, N, 2 kinds, 3)
        bow[:, 1::_KEYS][:, :most, :, 1] = dominant
        both = (signs.hands == BOTH)[..., None, None]
        bow[:, 1::_KEYS][:, :most, :, 0] = np.where(both, dominant * (-1.0, 1.0, 1.0), 0.0)
        return cls(keys=keys, shown=shown, bow=bow, frames=steps)

    def sample(self, hold: np.ndarray, start: np.ndarray, end: np.ndarray) -> Frames:
        """One frame per unit of time.

        Args:
            hold: (B,) share of every step in which the hand rests at its keys.
            start: (B,) share of the way from rest that is cut off.
            end: (B,) share of the way back to rest that is cut off.
        """
        clips = len(self.frames)
        ends = np.cumsum(self.frames, axis=1)
        last = (self.frames > 0).cumsum(axis=1).argmax(axis=1)  # the step back to rest
        first = start * self.frames[:, 0]
        span = ends[:, -1] - end * self.frames[np.arange(clips), last] - first
        lengths = np.maximum(span.astype(np.int64), 1)
        clip = np.repeat(np.arange(clips), lengths)
        number = np.arange(len(clip)) - np.repeat(np.cumsum(lengths) - lengths, lengths)

        time = first[clip] + number
        step = np.minimum((time[:, None] >= ends[clip]).sum(axis=1), last[clip])
        duration = self.frames[clip, step]
        u = (time - (ends[clip, step] - duration)) / duration
        rest = hold[clip]
        v = np.clip((u - rest / 2) / (1 - rest), 0.0, 1.0)
        s = v**3 * (10 + v * (6 * v - 15))  # least jerk (Flash and Hogan 1985)
        a, b = self.keys[clip, step], self.keys[clip, step + 1]
        hands = a + s[:, None, None] * (b - a)
        bend = np.stack([np.sin(np.pi * v), np.sin(2 * np.pi * v)], axis=1)
        hands[..., PLACE] += (bend[:, :, None, None] * self.bow[clip, step]).sum(axis=1)
        shown = self.shown[clip, step] | self.shown[clip, step + 1]
        return Frames(clip=clip, number=number, hands=hands, shown=shown)
