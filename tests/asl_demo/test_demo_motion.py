from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_demo.lexicon import ARC, BASE, BOTH, ONE, STRAIGHT, TWICE, WAVE, Lexicon, Signs
from asl_demo.motion import PLACE, Course, Frames, mirrored

A, B = (-0.5, 0.0, 0.0), (0.5, 0.0, 0.0)


def one(movement: int = STRAIGHT, hands: int = ONE) -> Signs:
    """A sign from A to B, as a (1, 1) block."""
    return Signs(
        places=np.array([A, B])[None, None],
        flexion=np.array([[0.0] * 5, [2.0] * 5])[None, None],
        normals=np.array([(0, 0, -1.0)] * 2)[None, None],
        bow=np.array([0, -1.0, 0])[None, None],
        movement=np.array([[movement]]),
        hands=np.array([[hands]]),
    )


def play(signs: Signs, counts: int = 1, frames: float = 100, hold: float = 0.2) -> Frames:
    zero = np.zeros(1)
    return Course.of(signs, np.array([counts]), frames).sample(zero + hold, zero, zero)


def between(frames: Frames) -> np.ndarray:
    """Places of the dominant hand while it signs: after the way in and before the way out."""
    return frames.hands[20:81, 1, PLACE]


def test_a_straight_sign_goes_from_the_first_pose_to_the_second() -> None:
    place = between(play(one()))
    np.testing.assert_allclose(place[0], A, atol=1e-6)
    np.testing.assert_allclose(place[-1], B, atol=1e-6)
    assert (np.diff(place[:, 0]) >= 0).all()
    np.testing.assert_allclose(place[:, 1], 0.0, atol=1e-12)


def test_twice_goes_there_and_again() -> None:
    x = between(play(one(TWICE)))[:, 0]
    np.testing.assert_allclose(x[[0, 20, 40, 60]], [-0.5, 0.5, -0.5, 0.5], atol=1e-6)
    for third, sign in enumerate((1, -1, 1)):
        assert (sign * np.diff(x[20 * third : 20 * third + 21]) >= -1e-9).all()


def test_an_arc_leaves_the_path_on_one_side_and_a_wave_on_both() -> None:
    arc, wave = between(play(one(ARC)))[:, 1], between(play(one(WAVE)))[:, 1]
    assert arc.min() < -0.4
    assert arc.max() < 1e-9
    assert wave.min() < -0.4
    assert wave.max() > 0.4
    assert abs(wave.mean()) < 0.02


def test_the_other_hand() -> None:
    alone, both, base = (play(one(ARC, hands)) for hands in (ONE, BOTH, BASE))
    assert not alone.shown[:, 0].any()
    assert both.shown.all()
    assert base.shown.all()
    np.testing.assert_allclose(both.hands[:, 0], mirrored(both.hands[:, 1]), atol=1e-12)
    held = base.hands[20:81, 0, PLACE]
    np.testing.assert_allclose(held, held[:1].repeat(len(held), 0), atol=1e-6)


def test_mirrored_twice_is_the_same() -> None:
    hands = np.random.default_rng(0).normal(size=(3, 2, 11))
    np.testing.assert_array_equal(mirrored(mirrored(hands)), hands)


@given(
    numbers=st.lists(st.integers(0, 9999), min_size=1, max_size=5),
    spare=st.integers(0, 3),
    frames=st.floats(12, 60),
)
def test_spare_places_of_a_block_change_nothing(numbers: list[int], spare: int, frames: float) -> None:
    book = Lexicon(10_000, 1)
    exact = book.signs(np.array([numbers]))
    wide = book.signs(np.array([numbers + [7] * spare]))
    a, b = play(exact, len(numbers), frames), play(wide, len(numbers), frames)
    np.testing.assert_array_equal(a.hands, b.hands)
    np.testing.assert_array_equal(a.shown, b.shown)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_sentence_is_as_long_as_its_signs_and_the_ways_between(count: int) -> None:
    signs = Lexicon(100, 0).signs(np.arange(4)[None])
    frames = play(signs, count, 50)
    assert abs(len(frames.clip) - (50 * (0.4 + 0.6 * count) + 10 * (count - 1))) <= 1
    np.testing.assert_allclose(frames.hands[0, 1], frames.hands[-1, 1], atol=0.02)  # rest


def test_trimmed_ends_are_missing() -> None:
    course = Course.of(one(), np.array([1]), 100)
    hold, half, zero = np.full(1, 0.2), np.full(1, 0.5), np.zeros(1)
    whole, cut = course.sample(hold, zero, zero), course.sample(hold, half, half)
    assert len(whole.clip) - len(cut.clip) == 20
    np.testing.assert_allclose(cut.hands, whole.hands[10:-10], atol=1e-9)
