"""The transform ``phonology36``: the reference's 36 features (:mod:`asl_landmarks.layout36`) from packed landmarks.

Differences from the reference:

- A velocity is 0 in the first frame of a clip and wherever the hand was absent in the frame before; the reference
  has a jump there, from the clip before or from 0.
- The z of a location is the palm's from its wrist: hands and body have no common origin of depth to subtract.
- Its gaze needs the irises, which the mesh of 468 points lacks. Ours is the normal of eyes and mouth, of unit length,
  from the face's corners or else the pose's. Mouth is the gap of the lips over the distance of their corners.
- Frames without a hand are kept.

Without a body the origin is at half of the image's width and 0.35 of its height, and the unit 0.35. With one, frames
that lack nose or shoulders take the means of the clip. Without a face the mouth is 0, without a body the gaze as well.
"""

from __future__ import annotations

import attrs
import numpy as np

from asl_core import Clip, NoOptions
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import ABSENT, HAND, HANDS, KNUCKLES, TIPS, unfit_packed

__all__ = ["Phonology36", "phonology36"]

_ORIGIN, _UNIT = (0.5, 0.35), 0.35  #: typical place of the nose and width of the shoulders in an image
_PALM = (0, *KNUCKLES)
_SMALLEST = 1e-6


class Phonology36:
    """Packed landmarks to the 36 features."""

    def __init__(self, options: NoOptions):
        pass

    unfit = staticmethod(unfit_packed)

    def __call__(self, clip: Clip) -> Clip:
        """The clip with 36 features per frame."""
        return attrs.evolve(clip, features=phonology36(Landmarks.of_clip(clip)))


def phonology36(landmarks: Landmarks) -> np.ndarray:
    """(T, 36) float32; see the top of this module."""
    hands = landmarks.points[:, :HANDS].reshape(-1, 2, HAND, 3)[:, ::-1]
    present = (landmarks.seen[:, :HANDS] != ABSENT).reshape(-1, 2, HAND).all(2)[:, ::-1]
    location = _location(landmarks, hands)
    normal = _unit(np.cross(hands[:, :, KNUCKLES[0]] - hands[:, :, 0], hands[:, :, KNUCKLES[-1]] - hands[:, :, 0]))
    both = present & np.roll(present, 1, axis=0)
    both[:1] = False
    turned = np.linalg.norm(_change(normal), axis=-1)
    parts = [
        _where(present, _handshape(hands)),
        _where(present, location),
        _where(present, normal),
        _where(both, _change(location)),
        np.where(both, turned, 0),
        np.zeros((len(landmarks), 1)),
        _gaze(landmarks),
        _mouth(landmarks),
        np.zeros((len(landmarks), 1)),
    ]
    return np.concatenate([part.reshape(len(landmarks), -1) for part in parts], axis=1, dtype=np.float32)


def _where(present: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(present[:, :, None], values, 0)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _SMALLEST))


def _change(values: np.ndarray) -> np.ndarray:
    return np.diff(values, axis=0, prepend=values[:1])


def _handshape(hands: np.ndarray) -> np.ndarray:
    """(T, 2, 5) radians."""
    wrist, roots, tips = hands[:, :, :1], hands[:, :, KNUCKLES], hands[:, :, TIPS]
    first = np.concatenate([roots[:, :, :1] - wrist, roots - wrist], axis=2)
    second = np.concatenate([tips[:, :, :1] - wrist, tips[:, :, 1:] - roots], axis=2)
    return np.asarray(np.arccos((_unit(first) * _unit(second)).sum(-1).clip(-1, 1)))


def _location(landmarks: Landmarks, hands: np.ndarray) -> np.ndarray:
    """(T, 2, 3) in shoulder widths from the nose."""
    palm = hands[:, :, _PALM].mean(2)
    origin, unit = np.array([[*_ORIGIN, 0.0]], dtype=np.float32), np.full((1, 1), _UNIT, dtype=np.float32)
    nose, right, left = (_body(landmarks, n) for n in ("nose", "right-shoulder", "left-shoulder"))
    if nose is not None:
        x_y = nose[0] * np.array([1, 1, 0], dtype=np.float32)
        origin = _or_mean(x_y, nose[1], origin)
    if right is not None and left is not None:
        width = np.linalg.norm((right[0] - left[0])[:, :2], axis=1, keepdims=True)
        unit = _or_mean(width, right[1] & left[1] & (width[:, 0] > _SMALLEST), unit)
    return np.asarray((palm - origin[:, None]) / unit[:, None])


def _body(landmarks: Landmarks, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(T, 3) places of a body point and (T,) whether it is present, or None where the layout lacks it."""
    index = landmarks.layout.index_of(name)
    return None if index is None else (landmarks.points[:, index], landmarks.seen[:, index] != ABSENT)


def _or_mean(values: np.ndarray, present: np.ndarray, default: np.ndarray) -> np.ndarray:
    """Values (T, n) where present, their mean where not, ``default`` (1, n) where they never are."""
    if not present.any():
        return default
    return np.where(present[:, None], values, values[present].mean(0, keepdims=True))


def _gaze(landmarks: Landmarks) -> np.ndarray:
    """(T, 3) unit vector out of the face."""
    gaze = np.zeros((len(landmarks), 3), dtype=np.float32)
    known = np.zeros(len(landmarks), dtype=bool)
    for eye, mouth in (("eye-corner", "lip-corner"), ("eye", "mouth")):
        corners = [_body(landmarks, f"{side}-{part}") for part in (eye, mouth) for side in ("right", "left")]
        if any(corner is None for corner in corners):
            continue
        (r_eye, a), (l_eye, b), (r_mouth, c), (l_mouth, d) = (corner for corner in corners if corner is not None)
        down = (r_mouth + l_mouth) / 2 - (r_eye + l_eye) / 2
        new = a & b & c & d & ~known
        gaze[new] = _unit(np.cross(down, l_eye - r_eye))[new]
        known |= new
    return gaze


def _mouth(landmarks: Landmarks) -> np.ndarray:
    """(T, 1) gap of the lips over the distance of their corners."""
    parts = [_body(landmarks, n) for n in ("upper-lip", "lower-lip", "right-lip-corner", "left-lip-corner")]
    if any(part is None for part in parts):
        return np.zeros((len(landmarks), 1), dtype=np.float32)
    (upper, a), (lower, b), (right, c), (left, d) = (part for part in parts if part is not None)
    gap, width = (np.linalg.norm(p - q, axis=1) for p, q in ((upper, lower), (right, left)))
    return np.where(a & b & c & d, gap / np.maximum(width, _SMALLEST), 0)[:, None]
