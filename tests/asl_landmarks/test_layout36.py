"""The 36 features: their layout, mirrored clips, descriptions of hands, another camera."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from asl_core import Batch, Clip, ClipRandom, Component, DataError, NoOptions, testing
from asl_core.clips.clip import Vocabulary
from asl_core.clips.store import ClipStore
from asl_landmarks import asl_augments, asl_transforms
from asl_landmarks.augments36 import Mirror36, Turn36
from asl_landmarks.handedness import Dominant36, left_dominant36
from asl_landmarks.hands36 import Hands36
from asl_landmarks.layout36 import MIRROR_FROM, MIRROR_SIGN, NAMES, PALM, PLACE, SHAPE, VELOCITY, WIDTH
from asl_landmarks.options import BLOCKS36, Hands36Options, Mirror36Options, Turn36Options

TRANSFORMS = [c for c in asl_transforms() if c.name in ("dominant36", "hands36")]
AUGMENTS = [c for c in asl_augments() if c.name.endswith("36")]


def frames(count: int, left: bool = True, right: bool = True, seed: int = 0) -> np.ndarray:
    """(count, 36) float32 with the requested hands."""
    drawn = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    for hand, present in ((0, left), (1, right)):
        if not present:
            for where, size in ((SHAPE, 5), (PLACE, 3), (PALM, 3), (VELOCITY, 3)):
                drawn[:, where.start + hand * size : where.start + (hand + 1) * size] = 0
    return drawn


def clip(features: np.ndarray) -> Clip:
    return Clip(id="c", features=features, glosses=("a",))


def batch_of(*clips: np.ndarray) -> Batch:
    made = [Clip(id=str(n), features=c, glosses=("a",)) for n, c in enumerate(clips)]
    return ClipStore(made, Vocabulary(("a",))).batch(torch.arange(len(clips)))


@pytest.mark.parametrize("component", TRANSFORMS, ids=lambda c: c.name)
def test_transforms_keep_their_contract(component: Component) -> None:
    testing.check_transform(component, width=WIDTH)


@pytest.mark.parametrize("fill", [True, False])
def test_every_block_keeps_the_contract(fill: bool) -> None:
    testing.check_transform(TRANSFORMS[1], width=WIDTH, blocks=BLOCKS36, fill=fill)


@pytest.mark.parametrize("component", AUGMENTS, ids=lambda c: c.name)
def test_augmentations_keep_their_contract(component: Component) -> None:
    testing.check_augment(component, width=WIDTH)


def test_a_left_handed_clip_becomes_its_mirror_image_and_no_other_does() -> None:
    transform = Dominant36(NoOptions())
    right, left = frames(9, left=False), frames(9, right=False)
    assert transform(clip(right)).features is right
    assert np.array_equal(
        transform(clip(left)).features, left[:, list(MIRROR_FROM)] * np.array(MIRROR_SIGN, dtype=np.float32)
    )
    assert not left_dominant36(transform(clip(left)).features)
    nothing = np.zeros((3, WIDTH), np.float32)
    assert transform(clip(nothing)).features is nothing


def test_the_hand_that_moves_is_the_dominant_one_where_both_are_seen() -> None:
    both = frames(9)
    both[:, 10:13] = [0.1, 0.2, 0.0]
    both[:, 13] = np.linspace(0, 1, 9)
    assert not left_dominant36(both)
    both[:, 10:16] = both[:, [13, 14, 15, 10, 11, 12]]
    assert left_dominant36(both)


def test_frames_of_another_layout_are_refused() -> None:
    with pytest.raises(DataError, match="these frames have 6"):
        Dominant36(NoOptions())(clip(np.zeros((4, 6), np.float32)))
    assert "these frames have 126" in str(Hands36.unfit(126))


def test_unseen_hands_are_reported_by_frame() -> None:
    features = np.concatenate([frames(2), frames(1, left=False), np.zeros((1, WIDTH), np.float32)])
    assert Dominant36(NoOptions()).unseen(clip(features)).tolist() == [0, 0, 0.5, 1]


def described(features: np.ndarray, *blocks: str, fill: bool = False) -> np.ndarray:
    return Hands36(Hands36Options(blocks=blocks, fill=fill))(batch_of(features)).features[0].numpy()


def test_blocks_are_the_numbers_of_the_layout() -> None:
    features = frames(6)
    assert np.array_equal(described(features, "shape", "place", "palm"), features[:, :22])
    path = described(features, "path").reshape(6, 2, 2)
    assert np.allclose(path.mean((0, 1)), 0, atol=1e-6)
    assert np.allclose(np.diff(path, axis=0), np.diff(features[:, PLACE].reshape(6, 2, 3)[..., :2], axis=0), atol=1e-6)
    assert described(features, "seen").tolist() == [[1, 1]] * 6


def test_a_lost_hand_has_no_velocity_and_no_place() -> None:
    """The reference's velocities jump to and from the origin where a hand is lost and found."""
    features = frames(7)
    features[3] = frames(1, left=False, seed=1)[0]
    velocity = described(features, "velocity").reshape(7, 2, 2)
    assert (velocity[[0, 2, 4, 6], 0] == 0).all()
    places = features[:, PLACE].reshape(7, 2, 3)[..., :2]
    assert np.allclose(velocity[1:-1, 1], (places[2:, 1] - places[:-2, 1]) / 2)
    assert (described(features, "place", "path")[3][[0, 1, 2, 6, 7]] == 0).all()
    assert described(features, "turning")[[3, 4], 0].tolist() == [0, 0]
    assert described(features, "seen")[3].tolist() == [-1, 1]


def test_filling_draws_a_line_through_the_gap_and_holds_the_ends() -> None:
    features = frames(6)
    features[[0, 2, 3, 5], :5] = 0
    features[[0, 2, 3, 5], 10:13] = 0
    features[[0, 2, 3, 5], 16:19] = 0
    place = described(features, "place", fill=True)[:, :3]
    one, four = features[1, 10:13], features[4, 10:13]
    expected = np.stack([one, one, (2 * one + four) / 3, (one + 2 * four) / 3, four, four])
    assert np.allclose(place, expected, atol=1e-6)
    assert described(features, "seen", fill=True)[:, 0].tolist() == [-1, 1, -1, -1, 1, -1]
    alone = frames(4, left=False)
    assert (described(alone, "place", "path", fill=True)[:, [0, 1, 2, 6, 7]] == 0).all(), "a hand that is never present"


@pytest.mark.parametrize("fill", [False, True])
def test_padding_changes_nothing(fill: bool) -> None:
    short, long = frames(5, seed=2), frames(12, seed=3)
    short[2] = frames(1, left=False)[0]
    transform = Hands36(Hands36Options(blocks=BLOCKS36, fill=fill))
    together, alone = transform(batch_of(short, long)).features, transform(batch_of(short)).features
    assert torch.equal(together[0, :5], alone[0])
    assert (together[0, 5:] == 0).all()


def test_turning_keeps_lengths_and_lost_hands() -> None:
    features = frames(8)
    features[4:] = frames(4, right=False, seed=5)
    batch = batch_of(features, frames(8, seed=6))
    turn = Turn36(Turn36Options(plane=30, vertical=20, scale=0))
    turned = turn(batch, ClipRandom.of(batch.index, 1)).features
    for where in (PLACE, PALM, VELOCITY):
        before, after = (f[:, :, where].reshape(2, 8, 2, 3) for f in (batch.features, turned))
        assert torch.allclose(before.norm(dim=-1), after.norm(dim=-1), atol=1e-5)
        assert not torch.allclose(before, after, atol=1e-3)
        assert (after[0, 4:, 1] == 0).all()
    others = [d for d in range(WIDTH) if not 10 <= d < 28]
    assert torch.equal(turned[..., others], batch.features[..., others])


def test_stretching_is_within_its_limit_and_the_same_throughout_a_clip() -> None:
    batch = batch_of(frames(8))
    stretched = Turn36(Turn36Options(plane=0, vertical=0, scale=0.2))(batch, ClipRandom.of(batch.index, 3)).features
    ratio = (stretched / batch.features)[0, :, PLACE].reshape(8, 2, 3)
    assert torch.allclose(ratio, ratio[:1, :1].expand_as(ratio), atol=1e-4)
    assert (ratio.log().abs() <= 0.2 + 1e-5).all()
    assert ratio.log().abs().max() > math.log(1.005)
    left = Turn36(Turn36Options(probability=0))(batch, ClipRandom.of(batch.index, 3)).features
    assert torch.equal(left, batch.features)


def random(batch: Batch, seed: int = 0) -> ClipRandom:
    return ClipRandom.of(batch.index, seed)


def test_mirror_twice_is_the_same() -> None:
    batch = testing.random_batch(dtype=torch.float32)
    augment = Mirror36(Mirror36Options(probability=1.0))
    once = augment(batch, random(batch))
    assert not torch.equal(once.features, batch.features)
    assert torch.equal(augment(once, random(batch)).features, batch.features)


def test_mirror_swaps_the_hands() -> None:
    assert WIDTH == 36
    assert len(set(NAMES)) == WIDTH
    assert sorted(MIRROR_FROM) == list(range(WIDTH))
    for d, source in enumerate(MIRROR_FROM):
        swapped = NAMES[source].replace("left", "?").replace("right", "left").replace("?", "right")
        assert NAMES[d] == swapped
        assert MIRROR_FROM[source] == d


def test_names_stand_where_the_slices_say() -> None:
    for where, start in ((PLACE, "left-place-x"), (PALM, "left-normal-x"), (VELOCITY, "left-velocity-x")):
        assert NAMES[where][0] == start
    assert NAMES[SHAPE][::5] == ("left-thumb", "right-thumb")
    assert NAMES[28:36] == (
        "left-turning",
        "right-turning",
        "unused-30",
        "gaze-x",
        "gaze-y",
        "gaze-z",
        "mouth",
        "unused-35",
    )


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
    assert Mirror36(Mirror36Options()).unfit(36) is None
    assert "126" in (Mirror36(Mirror36Options()).unfit(126) or "")
