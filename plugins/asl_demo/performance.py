"""Signers and the tracker: habits, speed, tremor, noise, lost hands, and the 36 features.

Every random number is a pure function of (seed, split, clip), so that clip ``k`` of a gloss does not depend on the
number of clips or on blocks.
"""

from __future__ import annotations

import attrs
import numpy as np

from asl_core import ClipRandom
from asl_demo.motion import FLEX, NORMAL, PLACE, Course, Frames, mirrored
from asl_demo.options import DemoOptions

__all__ = ["WIDTH", "Cast", "perform"]

WIDTH = 36

# Variation between signers and clips; lengths in shoulder widths, angles in radians, times as log factors.
_SIGNER_PLACE, _SIGNER_FLEXION, _SIGNER_SCALE, _SIGNER_BOW = 0.08, 0.15, 0.06, 0.12
_CLIP_PLACE, _STEP_TIME = 0.04, 0.1
_KEY = np.concatenate([np.full(3, 0.05), np.full(5, 0.1), np.full(3, 0.12)])
_TREMOR = 0.012  # at noise 1, as in the next line
_NOISE = np.concatenate([np.full(3, 0.02), np.full(5, 0.12), np.full(3, 0.1)])
_GAZE, _MOUTH = 0.15, 0.1
_MISSED = 0.5  # largest share of the way from rest, and back, that is cut off


def _normal(random: ClipRandom, name: str, *shape: int) -> np.ndarray:
    return random.stream(name).normal(*shape).numpy().astype(np.float64)


def _uniform(random: ClipRandom, name: str, *shape: int) -> np.ndarray:
    return random.stream(name).uniform(*shape).numpy().astype(np.float64)


@attrs.frozen(eq=False)
class Cast:
    """The habits of S signers."""

    place: np.ndarray  #: (S, 3) offset of their signing space
    scale: np.ndarray  #: (S,) size of their signing space
    flexion: np.ndarray  #: (S, 5) offset of the flexion of each finger
    bow: np.ndarray  #: (S,) size of their arcs and waves
    tempo: np.ndarray  #: (S,) factor on their frames
    hold: np.ndarray  #: (S,) share of each step in which they rest at its keys
    left_handed: np.ndarray  #: (S,) bool

    @classmethod
    def of(cls, random: ClipRandom, options: DemoOptions) -> Cast:
        """Signers drawn from ``random``, one per key."""
        return cls(
            place=_SIGNER_PLACE * _normal(random, "place", 3),
            scale=1 + _SIGNER_SCALE * _normal(random, "scale"),
            flexion=_SIGNER_FLEXION * _normal(random, "flexion", 5),
            bow=np.clip(1 + _SIGNER_BOW * _normal(random, "bow"), 0.5, 1.5),
            tempo=np.exp(options.tempo * _normal(random, "tempo")),
            hold=0.15 + 0.25 * _uniform(random, "hold"),
            left_handed=_uniform(random, "handedness") < options.left_handed,
        )


def perform(
    course: Course, cast: Cast, signer: np.ndarray, random: ClipRandom, options: DemoOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Clips of signs as a tracker would record them.

    Args:
        course: of B clips.
        cast: all signers.
        signer: (B,) index of the signer of each clip.
        random: of the B clips.
        options: of the data set.

    Returns:
        Features (F, 36) float32 of all clips end to end, and (B,) their lengths, at least 1.
    """
    clips, keys = course.keys.shape[:2]
    tempo = cast.tempo[signer] * np.exp(options.tempo * _normal(random, "tempo"))
    pace = np.exp(_STEP_TIME * _normal(random, "pace", keys - 1))
    home = cast.place[signer] + _CLIP_PLACE * _normal(random, "place", 3)
    # Keys without time between them are one pose and get the same deviation; else the hand would jump.
    pose = np.zeros((clips, keys, 1, 1), dtype=np.int64)
    pose[:, 1:, 0, 0] = np.maximum.accumulate(np.where(course.frames > 0, np.arange(1, keys), 0), axis=1)
    poses = course.keys + np.take_along_axis(_KEY * _normal(random, "key", keys, 2, 11), pose, axis=1)
    poses[..., PLACE] = poses[..., PLACE] * cast.scale[signer, None, None, None] + home[:, None, None]
    poses[..., FLEX] += cast.flexion[signer, None, None]
    performed = attrs.evolve(
        course,
        keys=poses,
        bow=course.bow * cast.bow[signer, None, None, None, None],
        frames=course.frames * tempo[:, None] * pace,
    )
    ends = _MISSED * _uniform(random, "trim", 2)
    frames = performed.sample(cast.hold[signer], ends[:, 0], ends[:, 1])
    return _track(frames, clips, cast.left_handed[signer], random, options)


def _track(
    frames: Frames, clips: int, left_handed: np.ndarray, random: ClipRandom, options: DemoOptions
) -> tuple[np.ndarray, np.ndarray]:
    clip, number = frames.clip, frames.number
    most = int(number.max()) + 1
    hands = frames.hands

    rate, phase = 0.8 + 0.8 * _uniform(random, "rate", 2, 3), 2 * np.pi * _uniform(random, "phase", 2, 3)
    hands[..., PLACE] += options.noise * _TREMOR * np.sin(rate[clip] * number[:, None, None] + phase[clip])
    hands += options.noise * _NOISE * _normal(random, "noise", most, 2, 11)[clip, number]
    hands[..., FLEX] = np.clip(hands[..., FLEX], 0.0, np.pi)
    hands[..., NORMAL] /= np.linalg.norm(hands[..., NORMAL], axis=-1, keepdims=True)

    seen = frames.shown & ~_lost(random, most, options.lost)[clip, number]
    seen[:, 1] |= number == 0  # a clip begins when its hand is detected
    hands = np.where(left_handed[clip, None, None], mirrored(hands[:, ::-1]), hands)
    seen = np.where(left_handed[clip, None], seen[:, ::-1], seen)

    # As by the reference extractor, frames without any hand are left out, so time is not uniform.
    shown = seen.any(axis=1)
    clip, number, hands, seen = clip[shown], number[shown], hands[shown], seen[shown]
    hands = hands * seen[..., None]

    features = np.zeros((len(clip), WIDTH), dtype=np.float32)
    features[:, 0:10] = hands[..., FLEX].reshape(-1, 10)
    features[:, 10:16] = hands[..., PLACE].reshape(-1, 6)
    features[:, 16:22] = hands[..., NORMAL].reshape(-1, 6)
    # Only between frames of one clip that both show the hand.
    both = (seen[1:] & seen[:-1] & (clip[1:] == clip[:-1])[:, None])[..., None]
    step = np.diff(hands, axis=0) * both
    features[1:, 22:28] = step[..., PLACE].reshape(-1, 6)
    features[1:, 28:30] = np.linalg.norm(step[..., NORMAL], axis=-1)
    face = _normal(random, "face", 4)[clip] + options.noise * _normal(random, "face noise", most, 4)[clip, number]
    features[:, 31:34] = (0.0, 0.0, -1.0) + _GAZE * face[:, :3]
    features[:, 34] = np.abs(_MOUTH * face[:, 3])
    return features, np.bincount(clip, minlength=clips)


def _lost(random: ClipRandom, most: int, share: float) -> np.ndarray:
    """(B, most, 2) where a hand is not detected: ``share`` of the frames, mostly two in a row."""
    begins = _uniform(random, "lost", most, 2) < 1 - np.sqrt(1 - share)
    lost = np.array(begins)
    lost[:, 1:] |= begins[:, :-1]
    return lost
