"""Batches, clips and random keys for hypothesis, which shrinks them to few short clips.

from asl_core.testing.strategies import batches

@given(batches())
def test_no_clip_gets_longer(batch): ...
"""

from __future__ import annotations

import numpy as np
import torch

from asl_core.clips.batch import Batch
from asl_core.clips.clip import Clip
from asl_core.compute.seeding import ClipRandom
from asl_core.testing.batches import CLASSES, WIDTH, random_batch

try:
    from hypothesis import strategies as st
except ImportError as _missing:
    raise ImportError(
        "asl_core.testing.strategies needs hypothesis, which asl itself does not: pip install hypothesis"
    ) from _missing

__all__ = ["batches", "clip_randoms", "clips", "lengths"]


def lengths(max_clips: int = 6, max_frames: int = 40) -> st.SearchStrategy[list[int]]:
    """The lengths of one to ``max_clips`` clips, each at least 1."""
    return st.lists(st.integers(1, max_frames), min_size=1, max_size=max_clips)


@st.composite
def batches(
    draw: st.DrawFn,
    max_clips: int = 6,
    max_frames: int = 40,
    width: int = WIDTH,
    classes: int = CLASSES,
    dtype: torch.dtype = torch.float32,
    max_glosses: int = 1,
) -> Batch:
    """Batches of standard normal frames, some padded further than their longest clip.

    Args:
        draw: given by hypothesis.
        max_clips: most clips.
        max_frames: most frames of a clip.
        width: features per frame.
        classes: different glosses.
        dtype: of the frames.
        max_glosses: most glosses of a clip; all clips of a batch have the same number of them.
    """
    frames = draw(lengths(max_clips, max_frames))
    spare = draw(st.integers(0, 9))
    seed = draw(st.integers(0, 999))
    glosses = draw(st.integers(1, max_glosses))
    return random_batch(frames, width, classes, seed=seed, dtype=dtype, frames=max(frames) + spare, glosses=glosses)


@st.composite
def clips(draw: st.DrawFn, max_frames: int = 40, width: int = WIDTH, max_size: float = 1e3) -> Clip:
    """Clips of features up to ``max_size``, some frames zero, as where a detector lost the hands."""
    count = draw(st.integers(1, max_frames))
    scale = draw(st.sampled_from([1e-3, 1.0, max_size / 10]))
    features = np.random.default_rng(draw(st.integers(0, 999))).standard_normal((count, width)) * scale
    zeros = draw(st.lists(st.integers(0, count - 1), max_size=count, unique=True))
    features[zeros] = 0.0
    return Clip(id="clip", features=features.clip(-max_size, max_size), glosses=("gloss",), source="hypothesis")


def clip_randoms(batch: Batch) -> st.SearchStrategy[ClipRandom]:
    """The ClipRandom of a batch in some run and epoch."""
    return st.builds(
        lambda seed, epoch: ClipRandom.of(batch.index, seed, epoch), st.integers(0, 2**31), st.integers(1, 500)
    )
