"""Synthetic hands and clips of them, for the tests of landmarks."""

from __future__ import annotations

import numpy as np
import torch

from asl_core import Batch, Clip
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import HAND, HANDS, Packed

#: A right hand with its palm to the camera, in hand sizes from the wrist: fingers up, half curled towards the viewer.
RIGHT = np.zeros((HAND, 3))
for _finger, _x in enumerate((0.45, 0.25, 0.05, -0.12, -0.3)):
    for _joint in range(4):
        up = (0.3, 0.5, 0.65, 0.75)[_joint] if _finger == 0 else (0.9, 1.2, 1.35, 1.4)[_joint]
        curl = (0.0, 0.1, 0.3, 0.5)[_joint]
        RIGHT[1 + 4 * _finger + _joint] = (_x * (1 + 0.3 * _joint * (_finger == 0)), -up, -curl)
LEFT = RIGHT * (-1, 1, 1)


def hand(side: str, x: float, y: float = 0.6, size: float = 0.1) -> np.ndarray:
    """(21, 3) a hand with its wrist there, in image units."""
    return np.asarray((RIGHT if side == "right" else LEFT) * size + (x, y, 0.0), dtype=np.float32)


def raw_clip(*frames: tuple[np.ndarray | None, np.ndarray | None], name: str = "toy") -> Clip:
    """A clip of 126 features per frame, from two slots each."""
    nothing = np.full((HAND, 3), -1.0)
    slots = [[nothing if h is None else h for h in frame] for frame in frames]
    return Clip(id=name, features=np.array(slots).reshape(len(frames), -1), glosses=("toy",), source="toy.pkl")


def random_landmarks(frames: int, body: int = 0, seed: int = 0, absent: float = 0.2) -> Landmarks:
    """Points anywhere in the image, hands absent in a share of the frames."""
    random = np.random.default_rng(seed)
    points = random.uniform(0.1, 0.9, (frames, HANDS + body, 3))
    lost = random.uniform(size=(frames, 2)) < absent
    found = np.concatenate([np.repeat(~lost, HAND, axis=1), random.uniform(size=(frames, body)) >= absent], axis=1)
    return Landmarks.of_points(points, found)


def packed_clip(landmarks: Landmarks, name: str = "toy") -> Clip:
    return landmarks.to_clip(Clip(id=name, features=np.zeros((1, 1)), glosses=("toy",)))


def batch_of(clips: list[Landmarks], frames: int | None = None, dtype: torch.dtype = torch.float32) -> Batch:
    """A batch of packed clips, padded to the longest or to ``frames``."""
    lengths = [len(c) for c in clips]
    features = torch.zeros(len(clips), frames or max(lengths), clips[0].layout.width, dtype=dtype)
    for place, landmarks in enumerate(clips):
        features[place, : lengths[place]] = torch.from_numpy(packed_clip(landmarks).features).to(dtype)
    count = len(clips)
    return Batch(
        features=features,
        lengths=torch.tensor(lengths),
        targets=torch.zeros(count, dtype=torch.int64),
        target_lengths=torch.ones(count, dtype=torch.int64),
        index=torch.arange(count),
        ids=tuple(map(str, range(count))),
    )


BODIES = (0, 11, 19)
WIDTHS = tuple(Packed(body).width for body in BODIES)
