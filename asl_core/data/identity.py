"""Digests of a clip's frames: exact, or the same for any copy of the recording however it is stored."""

from __future__ import annotations

import hashlib

import numpy as np

from asl_core.clips.clip import Clip

__all__ = ["exact_digest", "identity"]


def exact_digest(clip: Clip) -> bytes:
    """Of the frames as float32; 16 bytes."""
    frames = np.ascontiguousarray(clip.features, dtype=np.float32)
    return hashlib.blake2b(frames.tobytes() + str(frames.shape).encode(), digest_size=16).digest()


def identity(clip: Clip) -> str:
    """A digest of the recording; empty where every frame is all zeros, all -1 or all NaN.

    It is the same for a copy stored as float16 or float64, and whatever stands for an unseen hand (-1, 0, NaN): pools
    are stored in half precision, and formats mark such hands in different ways.
    """
    frames = np.ascontiguousarray(clip.features, dtype=np.float32)
    if frames.ndim != 2 or not frames.size or _shows_nothing(frames):
        return ""
    digest = hashlib.blake2b(str(frames.shape).encode(), digest_size=8)
    digest.update(_as_halves(frames).data)
    return digest.hexdigest()


def _as_halves(frames: np.ndarray) -> np.ndarray:
    """The frames as float16, with 0 for what was not seen; as float32 where float16 would lose most of them."""
    values = np.where((frames == -1) | np.isnan(frames), np.float32(0), frames) + np.float32(0)  # no -0
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    lost = np.count_nonzero((halves == 0) & (values != 0)) + np.count_nonzero(np.isinf(halves))
    return values if 2 * lost > np.count_nonzero(values) else halves


def _shows_nothing(frames: np.ndarray) -> bool:
    def blank(part: np.ndarray) -> bool:
        return bool(((part == 0).all(1) | (part == -1).all(1) | np.isnan(part).all(1)).all())

    return blank(frames[len(frames) // 2 :][:1]) and blank(frames)  # one frame is nearly always enough
