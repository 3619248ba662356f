"""Landmarks of clips with a layout: the same points, whatever detector and file they come from."""

import numpy as np
import pytest

import asl_core as asl
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import ABSENT, BODY, FACE, HAND, HANDS, POSE, Packed
from asl_landmarks.named import FACES, POSES, packed_layout, read_named, unfit_layout
from asl_landmarks.options import LandmarksOptions
from asl_landmarks.packing import PackLandmarks

RIGHT, LEFT = asl.Part("right-hand", HAND, "hand21"), asl.Part("left-hand", HAND, "hand21")
POSE33, FACE468 = asl.Part("pose", 33, "mediapipe-pose33"), asl.Part("face", 468, "mediapipe-face468")


def clip_of(layout: asl.Layout, points: np.ndarray) -> asl.Clip:
    return asl.Clip(id="a", features=points.reshape(len(points), -1), layout=layout)


def random_points(layout: asl.Layout, frames: int = 7) -> np.ndarray:
    return np.random.default_rng(0).random((frames, layout.points, len(layout.axes))).astype(np.float32)


def test_a_holistic_clip_gives_what_the_same_numbers_give_by_their_width() -> None:
    layout = asl.Layout((POSE33, LEFT, RIGHT))
    points = random_points(layout)
    by_width = asl.Clip(id="a", features=points.reshape(len(points), -1))
    transform = PackLandmarks(LandmarksOptions())
    np.testing.assert_array_equal(transform(clip_of(layout, points)).features, transform(by_width).features)


def test_the_order_of_parts_changes_nothing() -> None:
    one, other = asl.Layout((POSE33, LEFT, RIGHT)), asl.Layout((RIGHT, POSE33, LEFT))
    points = random_points(one)
    turned = np.concatenate([points[:, one.place(part.name)] for part in other.parts], axis=1)
    packed = packed_layout(one)
    a = read_named(clip_of(one, points), one, packed)
    b = read_named(clip_of(other, turned), other, packed)
    np.testing.assert_array_equal(a.points, b.points)


def test_what_was_not_seen_is_absent() -> None:
    layout = asl.Layout((POSE33, LEFT, RIGHT))
    points = random_points(layout)
    points[2, layout.place("left-hand")] = np.nan
    points[3, 11] = np.nan  # the left shoulder
    landmarks = read_named(clip_of(layout, points), layout, packed_layout(layout))
    assert (landmarks.seen[2, HAND:HANDS] == ABSENT).all()
    assert (landmarks.seen[2, :HAND] != ABSENT).all()
    assert landmarks.seen[3, HANDS + list(POSE).index("left-shoulder")] == ABSENT
    assert np.isfinite(landmarks.points).all()


@pytest.mark.parametrize("scheme", POSES)
def test_every_pose_knows_nose_and_shoulders_on_their_side(scheme: str) -> None:
    numbers = POSES[scheme]
    assert {"nose", "right-shoulder", "left-shoulder"} <= set(numbers)
    assert set(numbers) <= set(BODY)
    assert len(set(numbers.values())) == len(numbers)


@pytest.mark.parametrize("scheme", FACES)
def test_every_face_has_all_points(scheme: str) -> None:
    assert set(FACES[scheme]) == set(FACE)


def test_hands_alone_are_taken_and_points_that_are_missing_are_absent() -> None:
    hands = asl.Layout((LEFT, RIGHT), axes=("x", "y"))
    assert packed_layout(hands) == Packed(0)
    clip = clip_of(hands, random_points(hands))
    transform = PackLandmarks(LandmarksOptions())
    assert transform(clip).features.shape[1] == Packed(0).width
    transform.expect(Packed(len(BODY)).width)  # of a model that was trained on face and pose
    wide = Landmarks.of_clip(transform(clip))
    assert wide.layout == Packed(len(BODY))
    assert (wide.seen[:, HANDS:] == ABSENT).all()
    assert (wide.points[:, :HANDS, 2] == 0).all()


def test_a_model_of_hands_takes_a_clip_with_a_body() -> None:
    layout = asl.Layout((POSE33, FACE468, LEFT, RIGHT))
    transform = PackLandmarks(LandmarksOptions())
    clip = clip_of(layout, random_points(layout))
    assert transform(clip).features.shape[1] == Packed(len(BODY)).width
    transform.expect(Packed(0).width)
    assert transform(clip).features.shape[1] == Packed(0).width


@pytest.mark.parametrize("left", [False, True])
def test_one_hand_of_unknown_side_keeps_one_side(left: bool) -> None:
    layout = asl.Layout((asl.Part("hand-1", HAND, "hand21"),))
    points = random_points(layout, 1).repeat(5, axis=0)
    if left:
        points[:, :, 0] = 1 - points[:, :, 0]
    mirrored = read_named(clip_of(layout, 1 - points * [1, -1, -1] - [0, 1, 1]), layout, Packed(0))
    landmarks = read_named(clip_of(layout, points), layout, Packed(0))
    sides = (landmarks.seen[:, 0] != ABSENT).all(), (mirrored.seen[:, 0] != ABSENT).all()
    assert sides[0] != sides[1]  # a hand and its mirror image are not the same one


def test_pixels_without_a_picture_size_are_scaled_to_the_shoulders() -> None:
    layout = asl.Layout((asl.Part("pose", 25, "openpose-body25"), LEFT, RIGHT), axes=("x", "y"), unit="pixel")
    points = 100 + 400 * random_points(layout)
    points[:, 2], points[:, 5] = (200, 300), (400, 300)
    small = read_named(clip_of(layout, points), layout, packed_layout(layout))
    large = read_named(clip_of(layout, 3 * points + 50), layout, packed_layout(layout))
    np.testing.assert_allclose(small.points, large.points, atol=1e-5)
    right = HANDS + list(POSE).index("right-shoulder")
    np.testing.assert_allclose(small.points[0, right, :2], [0.375, 0.5], atol=1e-6)
    assert [f.code for f in PackLandmarks(LandmarksOptions()).findings(clip_of(layout, points))] == ["picture-size"]


def test_a_selection_of_points_is_told_by_its_numbers() -> None:
    whole = asl.Layout((POSE33, LEFT, RIGHT))
    numbers = [0, 11, 12, 13, 14]
    some = asl.Layout((asl.Part("pose", 5, f"mediapipe-pose33[{','.join(map(str, numbers))}]"), LEFT, RIGHT))
    points = random_points(whole)
    fewer = np.concatenate([points[:, numbers], points[:, 33:]], axis=1)
    a, b = (read_named(clip_of(x, p), x, packed_layout(x)) for x, p in ((whole, points), (some, fewer)))
    kept = b.seen != ABSENT
    assert kept[:, HANDS:].sum(1).tolist() == [5] * len(points)
    np.testing.assert_array_equal(a.points[kept], b.points[kept])


def test_a_layout_without_hands_is_refused() -> None:
    assert "none" in str(unfit_layout(asl.Layout((POSE33,))))
    assert "hands of 21" in str(unfit_layout(asl.Layout((asl.Part("left-hand", 5),))))
    assert unfit_layout(asl.Layout((RIGHT,))) is None
