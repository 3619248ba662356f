"""Left and right, gaps, and the rest before and after, on clips made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_hands import hand, packed_clip, random_landmarks, raw_clip

from asl_landmarks.gaps import FillGaps, fill_gaps
from asl_landmarks.handedness import chirality, left_dominant, swapped_slots
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import ABSENT, FILLED, HAND, HANDS, SEEN
from asl_landmarks.options import FillGapsOptions, LandmarksOptions, TrimOptions
from asl_landmarks.packing import PackLandmarks
from asl_landmarks.reading import read_landmarks
from asl_landmarks.trimming import Trim, signing_span


def test_chirality_tells_a_right_hand_from_its_mirror_image() -> None:
    assert chirality(hand("right", 0.3)) > 0.3
    assert chirality(hand("left", 0.3)) == pytest.approx(-chirality(hand("right", 0.3)), abs=1e-5)


@given(st.floats(-3.1, 3.1), st.floats(-3.1, 3.1), st.floats(0.02, 0.5))
def test_chirality_is_the_same_however_a_hand_is_turned(plane: float, vertical: float, size: float) -> None:
    turn = np.array([[np.cos(plane), -np.sin(plane), 0], [np.sin(plane), np.cos(plane), 0], [0, 0, 1]])
    turn = turn @ [[np.cos(vertical), 0, np.sin(vertical)], [0, 1, 0], [-np.sin(vertical), 0, np.cos(vertical)]]
    turned = hand("right", 0.0, 0.0, size) @ turn.T
    assert chirality(turned) == pytest.approx(chirality(hand("right", 0.0, 0.0, 0.1)), rel=1e-3)


def test_slots_that_swap_are_put_in_order() -> None:
    right, left = hand("right", 0.35), hand("left", 0.65)
    frames = [(right, left), (left, right), (right, left), (left, None), (None, None), (right, None), (left, right)]
    landmarks = read_landmarks(raw_clip(*frames))
    assert landmarks.hands_seen.tolist() == [
        [True, True], [True, True], [True, True], [False, True], [False, False], [True, False], [True, True],
    ]  # fmt: skip
    for t in (0, 1, 2, 5, 6):
        assert np.allclose(landmarks.points[t, :HAND], right)
    for t in (0, 1, 2, 3, 6):
        assert np.allclose(landmarks.points[t, HAND:], left)


def test_a_hand_that_looks_wrong_for_a_frame_stays_what_it_was() -> None:
    """Continuity: in one frame of ten the shapes are taken for each other's."""
    frames = [(hand("right", 0.35), hand("left", 0.65))] * 10
    frames[5] = (hand("left", 0.35), hand("right", 0.65))
    landmarks = read_landmarks(raw_clip(*frames))
    assert np.allclose(landmarks.wrists[:, 0, 0], 0.35)


def test_crossed_hands_keep_their_names() -> None:
    frames = [(hand("right", 0.3 + 0.04 * t), hand("left", 0.7 - 0.04 * t, 0.65)) for t in range(11)]
    landmarks = read_landmarks(raw_clip(*frames))
    assert np.allclose(landmarks.wrists[:, 0, 0], 0.3 + 0.04 * np.arange(11), atol=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=8), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_assignment_is_the_cheapest_of_all(frames: list[tuple[bool, bool, bool]], seed: int) -> None:
    """Against all 2^T namings, on clips in which both hands are always there: then the search is exact."""
    random = np.random.default_rng(seed)
    slots = random.uniform(0, 1, (len(frames), 2, HAND, 3))
    found = np.ones((len(frames), 2), dtype=bool)
    shape = np.clip(chirality(slots), -0.5, 0.5)
    side = np.clip(1.5 * (slots[:, 0, 0, 0] - slots[:, 1, 0, 0]), -0.25, 0.25)
    unary = shape[:, 1] - shape[:, 0] + side

    def cost(states: np.ndarray) -> float:
        total = float(np.where(states, -unary, unary).sum())
        wrists = np.where(states[:, None, None], slots[:, ::-1, 0, :2], slots[:, :, 0, :2])
        return total + float(np.minimum(8 * np.linalg.norm(np.diff(wrists, axis=0), axis=-1), 2).sum())

    numbers = np.arange(2 ** len(frames))
    every = [np.array([(n >> t) & 1 for t in range(len(frames))], dtype=bool) for n in numbers]
    assert cost(swapped_slots(slots, found)) == pytest.approx(min(map(cost, every)), abs=1e-6)


def test_order_of_detection_does_not_matter() -> None:
    random = np.random.default_rng(0)
    frames = [(hand("right", 0.3 + 0.01 * t), hand("left", 0.6)) for t in range(30)]
    shuffled = [f[::-1] if random.uniform() < 0.5 else f for f in frames]
    assert np.array_equal(read_landmarks(raw_clip(*frames)).points, read_landmarks(raw_clip(*shuffled)).points)


def test_a_left_handed_signer_looks_right_handed() -> None:
    frames = [(hand("left", 0.6, 0.5 + 0.02 * t), None) for t in range(10)]
    assert left_dominant(read_landmarks(raw_clip(*frames)))
    out = Landmarks.of_clip(PackLandmarks(LandmarksOptions())(raw_clip(*frames)))
    assert out.hands_seen.all(0).tolist() == [True, False]
    assert np.allclose(out.points[3, :HAND], hand("right", 0.4, 0.56), atol=1e-6)
    kept = Landmarks.of_clip(PackLandmarks(LandmarksOptions(dominant_right=False))(raw_clip(*frames)))
    assert kept.hands_seen.all(0).tolist() == [False, True]


def test_the_hand_that_moves_is_the_dominant_one() -> None:
    still, moving = hand("right", 0.4), [hand("left", 0.6, 0.4 + 0.02 * t) for t in range(10)]
    assert left_dominant(read_landmarks(raw_clip(*((still, m) for m in moving))))
    mirrored = read_landmarks(raw_clip(*((still, m) for m in moving))).mirrored()
    assert not left_dominant(mirrored)


def test_a_clip_without_hands_goes_through_everything() -> None:
    clip = raw_clip(*[(None, None)] * 5)
    for transform in (PackLandmarks(LandmarksOptions()), Trim(TrimOptions(rest=True)), FillGaps(FillGapsOptions())):
        clip = transform(clip)
        assert clip.features.shape == (5, 168)
    landmarks = Landmarks.of_clip(clip)
    assert (landmarks.seen == ABSENT).all()
    assert not landmarks.points.any()


def places(xs: list[float | None]) -> Landmarks:
    """A right hand at these x, or absent."""
    points = np.zeros((len(xs), HANDS, 3))
    points[:, :HAND] = [hand("right", x or 0) for x in xs]
    found = np.zeros((len(xs), HANDS), dtype=bool)
    found[:, :HAND] = [[x is not None] for x in xs]
    return Landmarks.of_points(points, found)


def test_gaps_are_filled_on_a_straight_line_and_ends_are_held() -> None:
    out = fill_gaps(places([None, 0.2, None, None, 0.5, None]))
    assert np.allclose(out.wrists[:, 0, 0], [0.2, 0.2, 0.3, 0.4, 0.5, 0.5])
    assert out.seen[:, 5].tolist() == [FILLED, SEEN, FILLED, FILLED, SEEN, FILLED]
    assert (out.seen[:, HAND:] == ABSENT).all()
    assert not out.points[:, HAND:].any()


def test_a_gap_that_is_too_long_stays() -> None:
    out = fill_gaps(places([None, None, 0.2, None, 0.4, None, None, 0.5]), max_gap=1)
    assert out.seen[:, 0].tolist() == [ABSENT, ABSENT, SEEN, FILLED, SEEN, ABSENT, ABSENT, SEEN]
    assert out.wrists[3, 0, 0] == pytest.approx(0.3)


@given(st.integers(1, 25), st.integers(0, 99), st.sampled_from([0, 11]), st.sampled_from([None, 1, 3]))
@settings(max_examples=40, deadline=None)
def test_filling_keeps_what_was_seen_and_does_nothing_twice(
    frames: int, seed: int, body: int, max_gap: int | None
) -> None:
    landmarks = random_landmarks(frames, body, seed, absent=0.5)
    out = fill_gaps(landmarks, max_gap)
    was = landmarks.seen == SEEN
    assert np.array_equal(out.points[was], landmarks.points[was])
    assert np.array_equal(out.seen == SEEN, was)
    if max_gap is None:
        assert ((out.seen == ABSENT) == ~was.any(0)[None]).all()
        again = fill_gaps(out, max_gap)
        assert np.array_equal(again.points, out.points)
        assert np.array_equal(again.seen, out.seen)
        # Each coordinate by itself, as numpy interpolates it.
        for point in np.flatnonzero(was.any(0)):
            known = np.flatnonzero(was[:, point])
            for axis in range(3):
                line = np.interp(np.arange(frames), known, landmarks.points[known, point, axis])
                assert np.allclose(out.points[:, point, axis], line, atol=1e-6)


def test_trim_cuts_frames_without_hands_at_the_ends_only() -> None:
    landmarks = places([None, None, 0.2, None, 0.4, 0.5, None])
    out = Landmarks.of_clip(Trim(TrimOptions())(packed_clip(landmarks)))
    assert np.array_equal(out.points, landmarks.points[2:6])
    filled = Landmarks.of_clip(Trim(TrimOptions())(packed_clip(fill_gaps(landmarks))))
    assert np.allclose(filled.wrists[:, 0, 0], [0.2, 0.3, 0.4, 0.5])


def resting(ys: list[float], other: float | None = None) -> Landmarks:
    left = None if other is None else hand("left", 0.7, other)
    return read_landmarks(raw_clip(*((hand("right", 0.4, y), left) for y in ys)))


def test_rest_is_low_and_still() -> None:
    ys = [0.9, 0.9, 0.9, 0.8, 0.6, 0.5, 0.5, 0.7, 0.895, 0.9, 0.9]
    assert signing_span(resting(ys)) == (0, 11)
    assert signing_span(resting(ys), rest=True) == (2, 9)  # the frame from which it moves is the sign's
    assert signing_span(resting(ys, other=0.9), rest=True) == (2, 9)
    assert signing_span(resting([0.5] * 6), rest=True) == (0, 6)  # it never moved: nothing to go by
