"""Augmentations of landmarks: what each keeps, what it changes, and that a clip is the same in any batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_hands import BODIES, batch_of, random_landmarks

from asl_core import Batch, ClipRandom
from asl_landmarks import asl_augments
from asl_landmarks.layout import ABSENT, HAND, HANDS
from asl_landmarks.points import Points

COMPONENTS = {c.name: c for c in asl_augments() if not c.name.endswith("36")}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in COMPONENTS),
    *((name, {"probability": 1.0}) for name in ("mirror-hands", "lose-hand", "lose-fingers")),
    ("rotate", {"plane": 180.0, "vertical": 90.0, "probability": 0.5}),
    ("stretch", {"scale": 2.0, "shear": 2.0, "shift": 1.0}),
    ("lose-hand", {"share": 0.3, "probability": 1.0}),
]
every = pytest.mark.parametrize(("name", "options"), VARIANTS, ids=lambda v: str(v) if v else "defaults")


def applied(name: str, batch: Batch, *parts: int, **options: Any) -> Batch:
    component = COMPONENTS[name]
    out = component.load()(component.options(**options))(batch, ClipRandom.of(batch.index, *parts))
    assert isinstance(out, Batch)
    return out


@pytest.mark.slow
@every
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=7),
    padding=st.integers(0, 17),
    seed=st.integers(0, 999),
    body=st.sampled_from(BODIES),
)
@settings(max_examples=12, deadline=None)
def test_a_clip_is_the_same_to_the_bit_alone_and_in_any_batch(
    name: str, options: dict[str, Any], lengths: list[int], padding: int, seed: int, body: int
) -> None:
    clips = [random_landmarks(n, body, seed + i) for i, n in enumerate(lengths)]
    batch = batch_of(clips, frames=max(lengths) + padding)
    before = batch.features.clone()
    out = applied(name, batch, seed, **options)
    assert torch.equal(batch.features, before)
    assert torch.equal(out.lengths, batch.lengths)
    assert not out.features[~out.mask].any()
    for place, length in enumerate(lengths):
        one = batch.rows(place, place + 1).with_features(batch.features[place : place + 1, :length])
        assert torch.equal(applied(name, one, seed, **options).features[0], out.features[place, :length])


@every
def test_absent_points_stay_away_and_the_rest_keep_their_marks(name: str, options: dict[str, Any]) -> None:
    batch = batch_of([random_landmarks(12, 11, i, absent=0.4) for i in range(16)])
    before, after = Points.of(batch), Points.of(applied(name, batch, 1, **options))
    assert not after.places[after.seen == ABSENT].any()
    if name.startswith("lose"):
        kept = after.seen != ABSENT
        assert torch.equal(after.seen[kept], before.seen[kept])
        assert torch.equal(after.places[kept], before.places[kept])
    elif name != "mirror-hands":
        assert torch.equal(after.seen, before.seen)


@every
def test_clips_and_epochs_differ(name: str, options: dict[str, Any]) -> None:
    batch = batch_of([random_landmarks(12, absent=0.0)] * 64)
    first = applied(name, batch, 1, 1, **options)
    assert torch.equal(first.features, applied(name, batch, 1, 1, **options).features)
    if (name, options) != ("mirror-hands", {"probability": 1.0}):
        assert not torch.equal(first.features, applied(name, batch, 1, 2, **options).features)
        assert len({x.numpy().tobytes() for x in first.features}) > 1


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_probability(name: str) -> None:
    batch = batch_of([random_landmarks(12, absent=0.0)] * 400)

    def changed(probability: float) -> float:
        out = applied(name, batch, 7, probability=probability).features
        return float((out != batch.features).flatten(1).any(1).float().mean())

    assert changed(0.0) == 0.0
    assert 0.35 < changed(0.5) < 0.6
    assert changed(1.0) > 0.8


def distances(batch: Batch) -> torch.Tensor:
    """(B, T, 42, 42) between the points of the hands."""
    hands = Points.of(batch).places[:, :, :HANDS].double()
    return (hands[:, :, :, None] - hands[:, :, None]).norm(dim=-1)


def test_a_turn_keeps_distances_and_the_middle_of_the_wrists() -> None:
    batch = batch_of([random_landmarks(10, seed=i, absent=0.0) for i in range(8)])
    out = applied("rotate", batch, 1, plane=180.0, vertical=90.0)
    assert torch.allclose(distances(out), distances(batch), atol=1e-5)
    wrists = [Points.of(b).places[:, :, [0, HAND]].mean((1, 2)) for b in (batch, out)]
    assert torch.allclose(wrists[0], wrists[1], atol=1e-5)
    moved = (out.features - batch.features).abs().amax((1, 2))
    assert (moved > 0.05).all()


def test_a_turn_stays_within_its_angles() -> None:
    """In the plane alone, z stays, and a vector turns by no more than the angle."""
    batch = batch_of([random_landmarks(3, seed=i, absent=0.0) for i in range(200)])
    before, after = Points.of(batch), Points.of(applied("rotate", batch, 1, plane=30.0, vertical=0.0))
    assert torch.allclose(before.places[..., 2], after.places[..., 2], atol=1e-6)
    first, second = (p.places[:, 0, 9, :2] - p.places[:, 0, 0, :2] for p in (before, after))
    cross = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    angle = torch.rad2deg(torch.atan2(cross, (first * second).sum(1)))
    assert angle.abs().max() <= 30.01
    assert angle.max() > 25
    assert angle.min() < -25


def test_a_stretch_is_of_each_axis() -> None:
    batch = batch_of([random_landmarks(6, seed=i, absent=0.0) for i in range(50)])
    before, after = Points.of(batch), Points.of(applied("stretch", batch, 1, scale=0.2, shear=0.0))
    ratio = (after.places[:, 0, 1] - after.places[:, 0, 0]) / (before.places[:, 0, 1] - before.places[:, 0, 0])
    again = (after.places[:, 4, 7] - after.places[:, 2, 3]) / (before.places[:, 4, 7] - before.places[:, 2, 3])
    assert torch.allclose(ratio, again, rtol=1e-2)
    assert ratio.log().abs().max() <= 0.2 + 1e-2
    assert ratio.log().std(0).min() > 0.05


def test_shift_moves_a_clip_as_a_whole() -> None:
    batch = batch_of([random_landmarks(6, seed=i, absent=0.3) for i in range(50)])
    before, after = Points.of(batch), Points.of(applied("stretch", batch, 1, scale=0.0, shear=0.0, shift=0.2))
    moved = after.axes - before.axes
    for clip in range(len(batch)):
        present = before.present[clip]
        for axis, limit in ((0, 0.2), (1, 0.2), (2, 0.0)):
            change = moved[axis, clip][present]
            assert torch.allclose(change, change[:1].expand_as(change), atol=1e-6)
            assert change.abs().max() <= limit + 1e-6
    assert moved[:2].abs().max() > 0.05


def test_shear_slants_x_along_y() -> None:
    batch = batch_of([random_landmarks(6, seed=i, absent=0.0) for i in range(50)])
    before, after = Points.of(batch), Points.of(applied("stretch", batch, 1, scale=0.0, shear=0.1))
    assert torch.allclose(before.places[..., 1:], after.places[..., 1:], atol=1e-6)
    moved = (after.places - before.places)[:, :, :, 0]
    slope = (moved[:, 0, 1] - moved[:, 0, 0]) / (before.places[:, 0, 1, 1] - before.places[:, 0, 0, 1])
    assert slope.abs().max() <= 0.1 + 1e-3
    assert slope.std() > 0.03


@pytest.mark.parametrize("body", BODIES)
def test_mirroring_is_that_of_the_clip(body: int) -> None:
    clips = [random_landmarks(7, body, i, absent=0.3) for i in range(5)]
    out = applied("mirror-hands", batch_of(clips), 1, probability=1.0)
    assert torch.equal(out.features, batch_of([c.mirrored() for c in clips]).features)


def test_jitter_is_as_large_as_it_says() -> None:
    batch = batch_of([random_landmarks(40, seed=i, absent=0.0) for i in range(20)])
    out = applied("jitter", batch, 1, std=0.01)
    moved = (Points.of(out).places - Points.of(batch).places).flatten()
    assert moved.std() == pytest.approx(0.01, rel=0.02)
    assert abs(moved.mean()) < 2e-4


def test_only_a_hand_with_a_partner_is_lost() -> None:
    both, one = random_landmarks(10, absent=0.0), random_landmarks(10, absent=0.0)
    one.seen[:, HAND:], one.points[:, HAND:] = ABSENT, 0
    out = Points.of(applied("lose-hand", batch_of([both, one] * 100), 1, probability=1.0))
    present = out.hands_present[..., 0].sum(1)
    # Of two hands the right or the left one; of one hand, which could only be the right one, none.
    assert sorted(set(map(tuple, present[::2].tolist()))) == [(0, 10), (10, 0)]
    assert set(map(tuple, present[1::2].tolist())) == {(10, 0)}


def test_a_hand_is_lost_for_its_share_of_the_clip() -> None:
    out = Points.of(
        applied("lose-hand", batch_of([random_landmarks(20, absent=0.0)] * 100), 1, probability=1, share=0.3)
    )
    lost = ~out.hands_present[..., 0]
    assert (lost.any(2).sum(1) == 6).all()
    starts = lost.any(2).long().argmax(1)
    assert starts.min() == 0
    assert starts.max() == 14


def test_fingers_are_lost_beyond_their_root() -> None:
    batch = batch_of([random_landmarks(4, absent=0.0)] * 500)
    out = Points.of(applied("lose-fingers", batch, 1, probability=1.0, share=0.2))
    lost = ~out.hands_present
    assert torch.equal(lost, lost[:, :1].expand_as(lost))
    assert not lost[..., [0, 1, 5, 9, 13, 17]].any()
    fingers = lost[:, 0, :, 1:].view(500, 2, 5, 4)[..., 1:]
    assert torch.equal(fingers.any(3), fingers.all(3))
    assert fingers.float().mean() == pytest.approx(0.2, abs=0.02)
