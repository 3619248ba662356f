"""Landmarks at the model's rate: by time, and never across a lost hand."""

from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asl_core as asl
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import ABSENT, HANDS, SEEN
from asl_landmarks.options import ResampleOptions
from asl_landmarks.resampling import Resample, resampled


def moving(seconds: np.ndarray, /, **known: Any) -> asl.Clip:
    """A clip whose every point is at x = its second, y = 2 · its second."""
    points = np.stack([seconds, 2 * seconds, 0 * seconds], axis=1)[:, None, :].repeat(HANDS, axis=1)
    landmarks = Landmarks.of_points(points, np.ones(points.shape[:2], dtype=bool))
    return landmarks.to_clip(asl.Clip(id="a", features=np.zeros((len(seconds), 1)), **known))


def seconds(clip: asl.Clip) -> np.ndarray:
    return Landmarks.of_clip(clip).points[:, 0, 0]


@pytest.mark.parametrize("fps", [5.0, 10.0, 15.0, 23.976, 25.0, 60.0, 120.0])
def test_points_are_where_they_were_at_that_second(fps: float) -> None:
    clip = moving(np.arange(40) / fps, fps=fps)
    after = Resample(ResampleOptions(fps=30))(clip)
    assert after.fps == 30
    assert len(after.features) == int(np.floor(39 / fps * 30 + 1e-6)) + 1
    np.testing.assert_allclose(seconds(after), np.arange(len(after.features)) / 30, atol=1e-5)
    assert (Landmarks.of_clip(after).seen == SEEN).all()


def test_frames_that_are_doubled_give_the_clip_back_to_the_bit() -> None:
    clip = moving(np.arange(20) / 30)
    doubled = attrs.evolve(clip, features=clip.features.repeat(2, axis=0), fps=60.0)
    np.testing.assert_array_equal(Resample(ResampleOptions())(doubled).features, clip.features)


@pytest.mark.parametrize("fps", [None, 30.0, 29.97])
def test_a_clip_at_the_rate_or_of_unknown_rate_is_as_it_was(fps: float | None) -> None:
    clip = moving(np.arange(20) / 30, fps=fps)
    transform = Resample(ResampleOptions())
    np.testing.assert_array_equal(transform(clip).features, clip.features)
    assert transform(clip).fps == 30
    assert [f.code for f in transform.findings(clip)] == (["rate-unknown"] if fps is None else [])


def test_times_that_are_not_even_are_taken_as_they_are() -> None:
    times = np.array([0.0, 0.03, 0.11, 0.2, 0.21, 0.4])
    after = Resample(ResampleOptions(fps=100))(moving(times, times=times, fps=30.0))
    np.testing.assert_allclose(seconds(after), np.arange(41) / 100, atol=1e-6)
    assert after.times is None


def test_no_line_is_drawn_to_a_hand_that_was_lost() -> None:
    clip = moving(np.arange(4) / 10, fps=10.0)
    landmarks = Landmarks.of_clip(clip)
    landmarks.seen[2, :21] = ABSENT
    after = Landmarks.of_clip(Resample(ResampleOptions())(landmarks.to_clip(clip)))
    # The hand is lost from halfway before frame 2 to halfway behind it, and where it is seen it never moves towards 0.
    assert after.seen[:, 0].tolist() == [1, 1, 1, 1, 1, -1, -1, -1, 1, 1]
    assert after.seen[:, 21].tolist() == [1] * 10
    np.testing.assert_allclose(after.points[:, 0, 0], [0, 1 / 30, 2 / 30, 0.1, 0.1, 0, 0, 0, 0.3, 0.3], atol=1e-6)


def test_a_curve_is_followed_more_closely_than_by_lines() -> None:
    seconds_ = np.arange(13) / 5
    clip = moving(seconds_, fps=5.0)
    landmarks = Landmarks.of_clip(clip)
    landmarks.points[:, :, 0] = np.sin(3 * seconds_)[:, None]
    after = seconds(Resample(ResampleOptions())(landmarks.to_clip(clip)))
    truth = np.sin(3 * np.arange(len(after)) / 30)
    lines = np.interp(np.arange(len(after)) / 30, seconds_, np.sin(3 * seconds_))
    middle = slice(6, -6)  # at the ends nothing tells the slope
    assert np.abs(after - truth)[middle].max() < 0.25 * np.abs(lines - truth)[middle].max()


def test_what_happened_in_a_long_pause_is_not_made_up() -> None:
    times = np.array([0.0, 0.1, 2.1, 2.2])
    after = Landmarks.of_clip(Resample(ResampleOptions(fps=10))(moving(times, times=times)))
    assert after.seen[:, 0].tolist() == [1] * 4 + [-1] * 16 + [1] * 3


@given(st.integers(1, 30), st.floats(1, 240), st.floats(1, 240), st.integers(0, 2**32 - 1))
def test_every_point_stays_near_its_neighbours(frames: int, fps: float, rate: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    landmarks = Landmarks.of_points(random.random((frames, HANDS, 3)), random.random((frames, HANDS)) < 0.7)
    times = np.arange(frames) / fps
    wanted = np.arange(int(times[-1] * rate) + 1) / rate
    after = resampled(landmarks, times, wanted)
    assert len(after) == len(wanted)
    assert (after.points[after.seen == ABSENT] == 0).all()
    # A path through points of one unit cube leaves it by less than an eighth of its width on each side.
    there = (landmarks.seen != ABSENT)[:, :, None]
    low = np.where(there, landmarks.points, 2).min(0) - 0.126
    high = np.where(there, landmarks.points, -2).max(0) + 0.126
    inside = (after.points >= low) & (after.points <= high)
    assert inside[after.seen != ABSENT].all()
