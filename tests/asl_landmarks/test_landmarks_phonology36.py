"""The reference's 36 numbers, on hands whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest
from toy_hands import hand, random_landmarks, raw_clip

from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import HAND, HANDS, Packed
from asl_landmarks.layout36 import MIRROR_FROM, MIRROR_SIGN
from asl_landmarks.phonology36 import phonology36
from asl_landmarks.reading import read_landmarks


def straight(x: float, y: float) -> np.ndarray:
    """A flat hand with straight fingers: roots at y - 0.1, tips at y - 0.2."""
    points = np.zeros((HAND, 3))
    for finger in range(5):
        for joint in range(4):
            across = 0.02 * (2 - finger) * (1, 1.33, 1.66, 2)[joint]
            points[1 + 4 * finger + joint] = (across, -0.1 * (1, 1.33, 1.66, 2)[joint], 0)
    return points + np.array([x, y, 0.0])


def test_handshape() -> None:
    flat = straight(0.5, 0.6)
    bent = flat.copy()
    bent[8] = bent[5] + (0, 0, -0.1)  # the tip of the index straight out of the palm
    flat[4] = flat[0] + (flat[5] - flat[0]) * 2  # the thumb along the index
    shapes = phonology36(read_landmarks(raw_clip((hand("right", 0.1), None))))[:, :10]
    assert not shapes[0, :5].any()  # no left hand
    assert (shapes[0, 5:] > 0.05).all()
    for points, index in ((flat, 0.0), (bent, np.pi / 2)):
        found = np.zeros((1, HANDS, 3))
        found[0, :HAND] = points
        frame = phonology36(Landmarks.of_points(found, np.arange(HANDS)[None] < HAND))[0]
        assert frame[6] == pytest.approx(index, abs=1e-3)
        assert np.allclose(frame[7:10], 0, atol=1e-3)
        if index == 0.0:
            assert frame[5] == pytest.approx(0, abs=1e-3)


def test_location_orientation_and_movement_of_hands_alone() -> None:
    landmarks = read_landmarks(raw_clip(*((hand("right", 0.4 + 0.01 * t), None) for t in range(4))))
    frames = phonology36(landmarks)
    palm = landmarks.points[0, [0, 5, 9, 13, 17]].mean(0)
    assert np.allclose(frames[0, 13:16], [(palm[0] - 0.5) / 0.35, (palm[1] - 0.35) / 0.35, palm[2] / 0.35], atol=1e-5)
    assert not frames[:, [*range(5), *range(10, 13), *range(16, 19), *range(22, 25)]].any()
    assert np.linalg.norm(frames[0, 19:22]) == pytest.approx(1, abs=1e-5)
    assert not frames[0, 22:31].any()
    assert np.allclose(frames[1:, 25], 0.01 / 0.35, atol=1e-4)
    assert np.allclose(frames[1:, 26:31], 0, atol=1e-4)
    assert not frames[:, 30:].any()


def test_no_velocity_out_of_nothing() -> None:
    """A hand that appears has no velocity, and no clip's first frame has: the faults of the reference."""
    frames = phonology36(
        read_landmarks(raw_clip(*((hand("right", 0.4), h) for h in (None, hand("left", 0.6), hand("left", 0.65)))))
    )
    assert not frames[0, 22:30].any()
    assert not frames[1, 22:25].any()
    assert frames[1, 28] == 0
    assert frames[2, 22] == pytest.approx(0.05 / 0.35, abs=1e-4)


def body(frames: int = 3) -> Landmarks:
    """A nose at (0.5, 0.2), shoulders 0.4 apart, a face that looks into the camera with lips 0.02 apart."""
    layout = Packed(19)
    landmarks = random_landmarks(frames, 19, absent=0.0)
    places = {
        "nose": (0.5, 0.2, -0.5),
        "right-shoulder": (0.3, 0.4, 0),
        "left-shoulder": (0.7, 0.4, 0),
        "right-eye-corner": (0.45, 0.18, 0),
        "left-eye-corner": (0.55, 0.18, 0),
        "right-lip-corner": (0.47, 0.25, 0),
        "left-lip-corner": (0.53, 0.25, 0),
        "upper-lip": (0.5, 0.24, 0),
        "lower-lip": (0.5, 0.26, 0),
    }
    for name, place in places.items():
        at = layout.index_of(name)
        assert at is not None
        landmarks.points[:, at] = place
    return landmarks


def test_location_from_the_body() -> None:
    landmarks = body()
    palm = landmarks.points[:, [0, 5, 9, 13, 17]].mean(1)
    expected = (palm - (0.5, 0.2, 0)) / 0.4
    assert np.allclose(phonology36(landmarks)[:, 13:16], expected, atol=1e-5)
    lost = Packed(19).index_of("nose")
    assert lost is not None
    landmarks.seen[1, lost], landmarks.points[1, lost] = -1, 0
    assert np.allclose(phonology36(landmarks)[:, 13:16], expected, atol=1e-5)


def test_gaze_and_mouth() -> None:
    frames = phonology36(body())
    assert np.allclose(frames[:, 31:34], (0, 0, -1), atol=1e-5)  # z points away from the camera
    assert np.allclose(frames[:, 34], 0.02 / 0.06, atol=1e-4)
    assert not frames[:, 35].any()


def test_gaze_turns_with_the_head() -> None:
    landmarks = body()
    for name in ("left-eye-corner", "left-lip-corner"):
        at = Packed(19).index_of(name)
        assert at is not None
        landmarks.points[:, at, 2] -= 0.05  # the left side of the face comes nearer: it looks to the signer's right
    assert (phonology36(landmarks)[:, 31] < -0.2).all()


def test_a_pose_without_a_face_has_a_gaze_and_no_mouth() -> None:
    landmarks = random_landmarks(4, 11, absent=0.0)
    frames = phonology36(landmarks)
    assert np.allclose(np.linalg.norm(frames[:, 31:34], axis=1), 1, atol=1e-4)
    assert not frames[:, 34:].any()
    assert not phonology36(random_landmarks(4, 0, absent=0.0))[:, 31:].any()


@pytest.mark.parametrize("body_points", [0, 11, 19])
def test_mirrored_landmarks_are_the_mirrored_numbers(body_points: int) -> None:
    """As augmentation mirror36 swaps them, but for locations without a body, which are mirrored as well."""
    landmarks = random_landmarks(6, body_points, absent=0.2)
    expected = phonology36(landmarks)[:, list(MIRROR_FROM)] * MIRROR_SIGN
    assert np.allclose(phonology36(landmarks.mirrored()), expected, atol=1e-4)
