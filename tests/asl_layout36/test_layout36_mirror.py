"""Left and right swapped in the 36 numbers."""

from __future__ import annotations

import torch

from asl_core import Batch, ClipRandom, testing
from asl_layout36.layout import MIRROR_FROM, MIRROR_SIGN
from asl_layout36.mirror import Mirror
from asl_layout36.options import MirrorOptions


def random(batch: Batch, seed: int = 0) -> ClipRandom:
    return ClipRandom.of(batch.index, seed)


def test_mirror_twice_is_the_same() -> None:
    batch = testing.random_batch(dtype=torch.float32)
    augment = Mirror(MirrorOptions(probability=1.0))
    once = augment(batch, random(batch))
    assert not torch.equal(once.features, batch.features)
    assert torch.equal(augment(once, random(batch)).features, batch.features)


def test_mirror_swaps_the_hands() -> None:
    assert sorted(MIRROR_FROM) == list(range(36))
    parts = {"finger": 5, "place": 3, "palm": 3, "speed": 3, "turn": 1}
    names = [f"{side} {part}" for part, n in parts.items() for side in ("left", "right") for _ in range(n)]
    names += ["none", "gaze", "gaze", "gaze", "mouth", "none"]
    for d, source in enumerate(MIRROR_FROM):
        swapped = names[source].replace("left", "?").replace("right", "left").replace("?", "right")
        assert names[d] == swapped
        assert MIRROR_FROM[source] == d


def test_mirror_turns_the_palm_as_a_cross_product() -> None:
    """Mirror the landmarks and compute place and palm anew: the same as mirroring the features."""
    generator = torch.Generator().manual_seed(0)
    wrist, index, little = torch.randn(3, 2, 3, generator=generator)  # of the left hand and the right

    def features(wrist: torch.Tensor, index: torch.Tensor, little: torch.Tensor) -> torch.Tensor:
        x = torch.zeros(36)
        x[10:16] = wrist.flatten()
        x[16:22] = torch.linalg.cross(index - wrist, little - wrist).flatten()
        return x

    flip = torch.tensor([-1.0, 1.0, 1.0])
    mirrored = features(*(p.flip(0) * flip for p in (wrist, index, little)))
    original = features(wrist, index, little)
    assert torch.allclose(original[list(MIRROR_FROM)] * torch.tensor(MIRROR_SIGN), mirrored)


def test_mirror_needs_the_layout() -> None:
    assert Mirror(MirrorOptions()).unfit(36) is None
    assert "126" in (Mirror(MirrorOptions()).unfit(126) or "")
