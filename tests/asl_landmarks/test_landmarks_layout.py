"""Widths tell layouts apart, and every raw layout is read point by point."""

from __future__ import annotations

import numpy as np
import pytest
from toy_hands import BODIES, WIDTHS, hand, packed_clip, random_landmarks, raw_clip

from asl_core import Clip, DataError
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import ABSENT, BODY, FACE, POSE, RAW_WIDTHS, SEEN, Packed, unfit_packed, unfit_raw
from asl_landmarks.reading import read_landmarks, torn_hands


def test_no_two_layouts_have_one_width() -> None:
    assert WIDTHS == (168, 212, 244)
    assert len({*WIDTHS, *RAW_WIDTHS, 36}) == len(WIDTHS) + len(RAW_WIDTHS) + 1


@pytest.mark.parametrize("width", RAW_WIDTHS)
def test_raw_is_not_packed(width: int) -> None:
    assert unfit_raw(width) is None
    assert "put transform landmarks before it" in str(unfit_packed(width))


@pytest.mark.parametrize("width", WIDTHS)
def test_packed_is_not_raw(width: int) -> None:
    assert unfit_packed(width) is None
    assert "packed already" in str(unfit_raw(width))


def test_another_width_is_refused_in_words() -> None:
    assert "126, 225, 1629, 1662" in str(unfit_raw(36))
    assert "168, 212, 244" in str(unfit_packed(36))
    clip = Clip(id="a7", features=np.zeros((2, 36)), source="x.pkl")
    for read in (read_landmarks, Landmarks.of_clip):
        with pytest.raises(DataError, match=r"clip 'a7' \(x.pkl\).*36"):
            read(clip)


@pytest.mark.parametrize("body", BODIES)
def test_mirroring_swaps_sides_and_is_its_own_inverse(body: int) -> None:
    layout = Packed(body)
    order = layout.mirrored
    assert [order[i] for i in order] == list(range(layout.points))
    for place, name in enumerate(BODY[:body], start=42):
        swapped = name.replace("right", "?").replace("left", "right").replace("?", "left")
        assert order[place] == layout.index_of(swapped)


def test_every_side_of_the_body_is_the_signers() -> None:
    """MediaPipe's pose numbers left odd or 1 to 3 and right even or 4 to 6; its mesh puts the right eye at 33."""
    assert POSE["left-shoulder"] == 11
    assert POSE["right-shoulder"] == 12
    assert (FACE["right-eye-corner"], FACE["left-eye-corner"]) == (33, 263)


@pytest.mark.parametrize("body", BODIES)
def test_packing_is_undone_by_reading(body: int) -> None:
    landmarks = random_landmarks(9, body)
    again = Landmarks.of_clip(packed_clip(landmarks))
    assert np.array_equal(again.points, landmarks.points)
    assert np.array_equal(again.seen, landmarks.seen)
    assert set(np.unique(again.seen)) == {SEEN, ABSENT}


@pytest.mark.parametrize("body", BODIES)
def test_mirrored_twice_is_the_same(body: int) -> None:
    landmarks = random_landmarks(9, body)
    again = landmarks.mirrored().mirrored()
    assert np.allclose(again.points, landmarks.points, atol=1e-6)
    assert np.array_equal(again.seen, landmarks.seen)
    assert not landmarks.mirrored().points[landmarks.mirrored().seen == ABSENT].any()


def numbered(width: int) -> tuple[np.ndarray, dict[str, int]]:
    """A frame whose numbers count up, and where each part begins in it."""
    starts = {
        225: {"pose": 0, "left": 99, "right": 162},
        1629: {"face": 0, "left": 1404, "pose": 1467, "right": 1566},
        1662: {"pose": 0, "face": 132, "left": 1536, "right": 1599},
    }[width]
    return np.arange(1, width + 1, dtype=np.float32), starts


@pytest.mark.parametrize("width", [225, 1629, 1662])
def test_holistic_numbers_go_where_they_belong(width: int) -> None:
    frame, starts = numbered(width)
    landmarks = read_landmarks(Clip(id="a", features=np.stack([frame, frame])))
    assert landmarks.layout.body == (11 if width == 225 else 19)
    assert landmarks.points[1, 0].tolist() == (starts["right"] + np.arange(1, 4)).tolist()
    assert landmarks.points[1, 21 + 8].tolist() == (starts["left"] + 3 * 8 + np.arange(1, 4)).tolist()
    stride = 4 if width == 1662 else 3
    for name, number in POSE.items():
        expected = starts["pose"] + stride * number + np.arange(1, 4)
        assert landmarks.points[0, Packed(19).index_of(name)].tolist() == expected.tolist(), name
    for name, number in FACE.items() if "face" in starts else ():
        expected = starts["face"] + 3 * number + np.arange(1, 4)
        assert landmarks.points[0, Packed(19).index_of(name)].tolist() == expected.tolist(), name
    assert (landmarks.seen == SEEN).all()


@pytest.mark.parametrize("width", [225, 1629, 1662])
@pytest.mark.parametrize("missing", [0.0, np.nan])
def test_a_part_that_was_not_found_is_absent(width: int, missing: float) -> None:
    frame, starts = numbered(width)
    frames = np.stack([frame, frame])
    frames[1, starts["left"] : starts["left"] + 63] = missing
    landmarks = read_landmarks(Clip(id="a", features=frames))
    assert (landmarks.seen[1, 21:42] == ABSENT).all()
    assert not landmarks.points[1, 21:42].any()
    landmarks.seen[1, 21:42] = SEEN
    assert (landmarks.seen == SEEN).all()


def test_one_nan_is_one_point() -> None:
    clip = raw_clip((hand("right", 0.4), None))
    clip.features[0, 3 * 7] = np.nan
    landmarks = read_landmarks(clip)
    assert landmarks.seen[0].tolist() == [ABSENT if i == 7 or i >= 21 else SEEN for i in range(42)]
    assert np.isfinite(landmarks.points).all()


@pytest.mark.parametrize("stray", [0.5, np.nan, 0.0])
def test_a_stray_number_makes_no_hand(stray: float) -> None:
    """One number other than -1 in the place of a lost hand once made 21 points of it, 20 of them at -1."""
    clip = raw_clip((hand("right", 0.4), None), (None, None))
    clip.features[1, 4] = stray
    assert torn_hands(clip) == (0 if np.isnan(stray) else 1), "with a NaN none of the points is left"
    landmarks = read_landmarks(clip)
    assert (landmarks.seen[1] == ABSENT).all()
    assert torn_hands(raw_clip((hand("right", 0.4), None), (None, None))) == 0


def test_infinite_numbers_are_refused() -> None:
    clip = raw_clip((hand("right", 0.4), None))
    clip.features[0, 5] = np.inf
    with pytest.raises(DataError, match="infinite"):
        read_landmarks(clip)
