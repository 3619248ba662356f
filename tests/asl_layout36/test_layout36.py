"""What knows the 36 numbers: mirrored clips, hands told plainly, another camera."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from asl_core import Batch, Clip, ClipRandom, Component, DataError, NoOptions
from asl_core.clips.clip import Vocabulary
from asl_core.clips.store import ClipStore
from asl_core.testing import check_augment, check_component, check_transform
from asl_layout36 import asl_augments, asl_transforms
from asl_layout36.dominant import Dominant36, left_dominant36
from asl_layout36.hands import Hands36
from asl_layout36.layout import MIRROR_FROM, MIRROR_SIGN, PALM, PLACE, SHAPE, VELOCITY, WIDTH
from asl_layout36.options import BLOCKS, Hands36Options, Turn36Options
from asl_layout36.turn import Turn36


def frames(count: int, left: bool = True, right: bool = True, seed: int = 0) -> np.ndarray:
    """(count, 36) float32 with the hands that are asked for."""
    drawn = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    for hand, there in ((0, left), (1, right)):
        if not there:
            for where, size in ((SHAPE, 5), (PLACE, 3), (PALM, 3), (VELOCITY, 3)):
                drawn[:, where.start + hand * size : where.start + (hand + 1) * size] = 0
    return drawn


def clip(features: np.ndarray) -> Clip:
    return Clip(id="c", features=features, glosses=("a",))


def batch_of(*clips: np.ndarray) -> Batch:
    made = [Clip(id=str(n), features=c, glosses=("a",)) for n, c in enumerate(clips)]
    return ClipStore(made, Vocabulary(("a",))).batch(torch.arange(len(clips)))


@pytest.mark.parametrize("component", [*asl_transforms(), *asl_augments()], ids=lambda c: c.name)
def test_component(component: Component) -> None:
    check_component(component)


@pytest.mark.parametrize("component", asl_transforms(), ids=lambda c: c.name)
def test_transforms_keep_their_word(component: Component) -> None:
    check_transform(component, width=WIDTH)


@pytest.mark.parametrize("fill", [True, False])
def test_every_block_keeps_its_word(fill: bool) -> None:
    check_transform(asl_transforms()[1], width=WIDTH, blocks=BLOCKS, fill=fill)


@pytest.mark.parametrize("component", asl_augments(), ids=lambda c: c.name)
def test_augmentations_keep_their_word(component: Component) -> None:
    check_augment(component, width=WIDTH)


def test_the_catalogue_imports_nothing_heavy() -> None:
    code = (
        "import sys, asl_layout36 as a; a.asl_augments(); a.asl_transforms(); "
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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


def test_what_is_not_seen_is_told_by_frame() -> None:
    features = np.concatenate([frames(2), frames(1, left=False), np.zeros((1, WIDTH), np.float32)])
    assert Dominant36(NoOptions()).unseen(clip(features)).tolist() == [0, 0, 0.5, 1]


def told(features: np.ndarray, *blocks: str, fill: bool = False) -> np.ndarray:
    return Hands36(Hands36Options(blocks=blocks, fill=fill))(batch_of(features)).features[0].numpy()


def test_blocks_are_the_numbers_of_the_layout() -> None:
    features = frames(6)
    assert np.array_equal(told(features, "shape", "place", "palm"), features[:, :22])
    path = told(features, "path").reshape(6, 2, 2)
    assert np.allclose(path.mean((0, 1)), 0, atol=1e-6)
    assert np.allclose(np.diff(path, axis=0), np.diff(features[:, PLACE].reshape(6, 2, 3)[..., :2], axis=0), atol=1e-6)
    assert told(features, "seen").tolist() == [[1, 1]] * 6


def test_a_lost_hand_has_no_velocity_and_no_place() -> None:
    """The reference's velocities jump to and from the origin where a hand is lost and found."""
    features = frames(7)
    features[3] = frames(1, left=False, seed=1)[0]
    velocity = told(features, "velocity").reshape(7, 2, 2)
    assert (velocity[[0, 2, 4, 6], 0] == 0).all()
    places = features[:, PLACE].reshape(7, 2, 3)[..., :2]
    assert np.allclose(velocity[1:-1, 1], (places[2:, 1] - places[:-2, 1]) / 2)
    assert (told(features, "place", "path")[3][[0, 1, 2, 6, 7]] == 0).all()
    assert told(features, "turning")[[3, 4], 0].tolist() == [0, 0]
    assert told(features, "seen")[3].tolist() == [-1, 1]


def test_filling_draws_a_line_through_the_gap_and_holds_the_ends() -> None:
    features = frames(6)
    features[[0, 2, 3, 5], :5] = 0
    features[[0, 2, 3, 5], 10:13] = 0
    features[[0, 2, 3, 5], 16:19] = 0
    place = told(features, "place", fill=True)[:, :3]
    one, four = features[1, 10:13], features[4, 10:13]
    expected = np.stack([one, one, (2 * one + four) / 3, (one + 2 * four) / 3, four, four])
    assert np.allclose(place, expected, atol=1e-6)
    assert told(features, "seen", fill=True)[:, 0].tolist() == [-1, 1, -1, -1, 1, -1]
    alone = frames(4, left=False)
    assert (told(alone, "place", "path", fill=True)[:, [0, 1, 2, 6, 7]] == 0).all(), "a hand that is never there"


@pytest.mark.parametrize("fill", [False, True])
def test_padding_changes_nothing(fill: bool) -> None:
    short, long = frames(5, seed=2), frames(12, seed=3)
    short[2] = frames(1, left=False)[0]
    transform = Hands36(Hands36Options(blocks=BLOCKS, fill=fill))
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
    kept = [d for d in range(WIDTH) if not 10 <= d < 28]
    assert torch.equal(turned[..., kept], batch.features[..., kept])


def test_stretching_is_within_its_limit_and_the_same_throughout_a_clip() -> None:
    batch = batch_of(frames(8))
    stretched = Turn36(Turn36Options(plane=0, vertical=0, scale=0.2))(batch, ClipRandom.of(batch.index, 3)).features
    ratio = (stretched / batch.features)[0, :, PLACE].reshape(8, 2, 3)
    assert torch.allclose(ratio, ratio[:1, :1].expand_as(ratio), atol=1e-4)
    assert (ratio.log().abs() <= 0.2 + 1e-5).all()
    assert ratio.log().abs().max() > math.log(1.005)
    left = Turn36(Turn36Options(probability=0))(batch, ClipRandom.of(batch.index, 3)).features
    assert torch.equal(left, batch.features)
