"""``hand-features``: each block by hand, and the promises of a transform of batches."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_hands import RIGHT, WIDTHS, batch_of, hand, random_landmarks, raw_clip

from asl_core import Batch
from asl_landmarks.gaps import fill_gaps
from asl_landmarks.hand_features import HandFeatures
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import HAND, HANDS, Packed
from asl_landmarks.options import BLOCKS, HandFeaturesOptions
from asl_landmarks.reading import read_landmarks


def features(landmarks: Landmarks, *blocks: str, size: str = "clip") -> np.ndarray:
    batch = batch_of([landmarks], dtype=torch.float64)
    return HandFeatures(HandFeaturesOptions(blocks=blocks, size=size))(batch).features[0].numpy()


@pytest.fixture
def two() -> Landmarks:
    """Right hand from 0.3 to 0.4 in steps of 0.05, left at 0.7 and lost in the last frame."""
    left = hand("left", 0.7, 0.5)
    return read_landmarks(raw_clip((hand("right", 0.3), left), (hand("right", 0.35), left), (hand("right", 0.4), None)))


def test_shape_is_the_hand_from_its_wrist_in_hand_sizes(two: Landmarks) -> None:
    palm = np.linalg.norm(RIGHT[9])
    shape = features(two, "shape").reshape(3, 2, 20, 3)
    assert np.allclose(shape[1, 0], RIGHT[1:] / palm, atol=1e-5)
    assert np.allclose(shape[1, 1], RIGHT[1:] * (-1, 1, 1) / palm, atol=1e-5)
    assert not shape[2, 1].any()


def test_size_of_the_clip_or_of_the_frame() -> None:
    landmarks = read_landmarks(raw_clip((hand("right", 0.4, size=0.1), None), (hand("right", 0.4, size=0.2), None)))
    clip, frame = (features(landmarks, "shape", size=s).reshape(2, 2, 20, 3)[:, 0] for s in ("clip", "frame"))
    assert np.allclose(clip[1], 2 * clip[0], atol=1e-5)
    assert np.allclose(clip[0] * 1.5, frame[0], atol=1e-5)
    assert np.allclose(frame[1], frame[0], atol=1e-5)


def test_path_without_a_body_is_from_the_mean_of_the_wrists(two: Landmarks) -> None:
    path = features(two, "path").reshape(3, 2, 2)
    x = (0.3 + 0.35 + 0.4 + 2 * 0.7) / 5
    y = (3 * 0.6 + 2 * 0.5) / 5
    assert np.allclose(path[:, 0], [[(v - x) * 10, (0.6 - y) * 10] for v in (0.3, 0.35, 0.4)], atol=1e-5)
    assert np.allclose(path[0, 1], [(0.7 - x) * 10, (0.5 - y) * 10], atol=1e-5)
    assert not path[2, 1].any()


def with_shoulders(landmarks: Landmarks, right: tuple[float, float], left: tuple[float, float]) -> Landmarks:
    layout, frames = Packed(11), len(landmarks)
    points = np.zeros((frames, layout.points, 3))
    points[:, :HANDS] = landmarks.points
    found = np.zeros((frames, layout.points), dtype=bool)
    found[:, :HANDS] = landmarks.seen == 1
    for side, place in (("right", right), ("left", left)):
        at = layout.index_of(f"{side}-shoulder")
        assert at is not None
        points[:, at, :2], found[:, at] = place, True
    return Landmarks.of_points(points, found)


def test_path_with_a_body_is_from_the_shoulders_in_their_width(two: Landmarks) -> None:
    landmarks = with_shoulders(two, (0.4, 0.3), (0.8, 0.3))
    path = features(landmarks, "path").reshape(3, 2, 2)
    assert np.allclose(path[:, 0], [[(v - 0.6) / 0.4, 0.3 / 0.4] for v in (0.3, 0.35, 0.4)], atol=1e-5)
    body = features(landmarks, "body").reshape(3, 11, 2)
    right = list(range(11))[Packed(11).index_of("right-shoulder") - HANDS]  # type: ignore[operator]
    assert np.allclose(body[:, right], [-0.5, 0], atol=1e-5)
    assert np.count_nonzero(body.any(2)) == 2 * 3


def test_the_camera_does_not_matter_where_there_is_a_body(two: Landmarks) -> None:
    landmarks = with_shoulders(two, (0.4, 0.3), (0.8, 0.3))
    moved = np.where((landmarks.seen == 1)[:, :, None], landmarks.points * 0.5 + (0.1, 0.2, 0), 0)
    nearer = Landmarks(moved.astype(np.float32), landmarks.seen)
    blocks = ("shape", "path", "distances", "between", "velocity", "seen", "body")
    assert np.allclose(features(nearer, *blocks), features(landmarks, *blocks), atol=1e-4)
    assert not np.allclose(features(nearer, "image"), features(landmarks, "image"), atol=1e-2)


def test_image_distances_between_velocity_and_seen(two: Landmarks) -> None:
    assert np.allclose(features(two, "image")[0], [4 * (0.3 - 0.5), 0.4, 4 * 0.2, 0.0], atol=1e-5)
    far = features(two, "distances").reshape(3, 2, 10)
    palm = np.linalg.norm(RIGHT[9])
    assert far[0, 0, 0] == pytest.approx(np.linalg.norm(RIGHT[4] - RIGHT[8]) / palm, rel=1e-4)
    assert far[0, 0, 9] == pytest.approx(np.linalg.norm(RIGHT[16] - RIGHT[20]) / palm, rel=1e-4)
    assert not far[2, 1].any()
    assert np.allclose(features(two, "between"), [[-4.0, 1.0], [-3.5, 1.0], [0.0, 0.0]], atol=1e-5)
    velocity = features(two, "velocity").reshape(3, 2, 2)
    assert np.allclose(velocity[1, 0], [0.5, 0], atol=1e-5)
    velocity[1, 0] = 0
    assert not velocity.any()  # ends, and the left hand, whose next frame is missing
    assert features(two, "seen").tolist() == [[1, 1], [1, 1], [1, -1]]
    assert features(fill_gaps(two), "seen").tolist() == [[1, 1], [1, 1], [1, -1]]


@pytest.mark.parametrize("width", WIDTHS)
def test_width_is_what_it_says(width: int) -> None:
    body = Packed.of_width(width).body
    blocks = BLOCKS if body else BLOCKS[:-1]
    transform = HandFeatures(HandFeaturesOptions(blocks=blocks))
    out = transform(batch_of([random_landmarks(5, body)]))
    assert transform.unfit(width) is None
    assert out.features.shape[2] == transform.output_width(width) == 156 + 2 * body
    assert HandFeatures(HandFeaturesOptions()).output_width(width) == 150


def test_what_does_not_fit_is_told() -> None:
    assert "put transform landmarks before it" in str(HandFeatures(HandFeaturesOptions()).unfit(126))
    assert "only hands" in str(HandFeatures(HandFeaturesOptions(blocks=("body",))).unfit(168))
    assert "blocks is empty" in str(HandFeatures(HandFeaturesOptions(blocks=())).unfit(168))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 9), st.integers(0, 99), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_clip_is_the_same_alone_and_in_any_batch(lengths: list[int], padding: int, seed: int, body: bool) -> None:
    clips = [random_landmarks(n, 11 * body, seed + i, absent=0.4) for i, n in enumerate(lengths)]
    transform = HandFeatures(HandFeaturesOptions(blocks=BLOCKS if body else BLOCKS[:-1]))
    batch = batch_of(clips, frames=max(lengths) + padding)
    before = batch.features.clone()
    out = transform(batch)
    assert torch.equal(batch.features, before)
    assert out.features.isfinite().all()
    assert not out.features[~out.mask].any()
    assert torch.equal(out.lengths, batch.lengths)
    for place, clip in enumerate(clips):
        alone = transform(batch_of([clip])).features[0]
        assert torch.allclose(alone, out.features[place, : len(clip)], rtol=1e-6, atol=1e-6)


def test_a_clip_without_hands_is_finite() -> None:
    out = HandFeatures(HandFeaturesOptions(blocks=BLOCKS[:-1]))(batch_of([random_landmarks(4, absent=1.0)]))
    assert set(out.features.unique().tolist()) == {0.0, -1.0}  # -1: block seen


def test_it_turns_with_the_hand_in_what_depends_on_place_only() -> None:
    """Distances between fingertips do not change when the hand moves through the image."""
    near, far = (read_landmarks(raw_clip((hand("right", x, y), None))) for x, y in ((0.2, 0.3), (0.7, 0.8)))
    assert np.allclose(features(near, "shape", "distances"), features(far, "shape", "distances"), atol=1e-4)


def test_it_is_quick() -> None:
    """A batch of 32 clips of 60 frames takes about 4 ms of one core; the bound is for machines that are busy."""
    batch: Batch = batch_of([random_landmarks(60, seed=i) for i in range(32)])
    transform = HandFeatures(HandFeaturesOptions())
    best = math.inf
    for _ in range(10):
        start = time.perf_counter()
        transform(batch)
        best = min(best, time.perf_counter() - start)
    assert best < 0.05
    assert batch.features.shape == (32, 60, 4 * 2 * HAND)
