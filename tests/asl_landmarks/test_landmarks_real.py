"""The transforms on real clips, against what is known of them."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import pytest

from asl_core import Clip
from asl_landmarks.gaps import FillGaps
from asl_landmarks.handedness import chirality
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import FILLED, HAND, SEEN
from asl_landmarks.layout36 import MIRROR_FROM
from asl_landmarks.options import FillGapsOptions, LandmarksOptions, TrimOptions
from asl_landmarks.packing import PackLandmarks
from asl_landmarks.phonology36 import phonology36
from asl_landmarks.reading import read_landmarks
from asl_landmarks.trimming import Trim
from asl_wlasl.dataset import WlaslDataset
from asl_wlasl.options import WlaslOptions


def clips(folder: Path) -> list[Clip]:
    return list(WlaslDataset(WlaslOptions(root=str(folder))).clips("val"))


@pytest.fixture(scope="module")
def raw(shared: Path) -> list[Clip]:
    return clips(shared / "wlasl100-hands")


@pytest.fixture(scope="module")
def packed(raw: list[Clip]) -> list[Landmarks]:
    return [read_landmarks(c) for c in raw]


def test_hands_far_apart_are_on_their_own_sides(packed: list[Landmarks]) -> None:
    """Where both are seen and far apart in x, the right hand is the one on the image's left."""
    apart = np.concatenate([(p.wrists[:, 1, 0] - p.wrists[:, 0, 0])[p.hands_seen.all(1)] for p in packed])
    far = apart[np.abs(apart) > 0.3]
    assert len(far) > 300
    assert (far > 0).mean() > 0.97


def test_chirality_is_mostly_right(packed: list[Landmarks]) -> None:
    """Against side, in frames in which side says all: 84 % of train, 94 % of the strong ones."""
    right, strong = [], []
    for landmarks in packed:
        both = landmarks.hands_seen.all(1) & (np.abs(landmarks.wrists[:, 1, 0] - landmarks.wrists[:, 0, 0]) > 0.15)
        hands = landmarks.points[both].reshape(-1, 2, HAND, 3)
        order = np.where(hands[:, :1, :1, :1] < hands[:, 1:, :1, :1], hands, hands[:, ::-1])
        score = chirality(order) * (1, -1)
        right += (score > 0).flatten().tolist()
        strong += (score > 0)[np.abs(score) > 0.3].tolist()
    assert len(right) > 1000
    assert np.mean(right) > 0.8
    assert np.mean(strong) > 0.9


def test_hands_do_not_jump(raw: list[Clip], packed: list[Landmarks]) -> None:
    """Named hands move far less from frame to frame than slots do."""

    def jumps(wrists: np.ndarray, seen: np.ndarray) -> int:
        step = np.linalg.norm(np.diff(wrists[:, :, :2], axis=0), axis=2)
        return int((step[seen[1:] & seen[:-1]] > 0.2).sum())

    named = sum(jumps(p.wrists, p.hands_seen) for p in packed)
    slots = [c.features.reshape(-1, 2, HAND, 3) for c in raw]
    detected = sum(jumps(s[:, :, 0], (s != -1).any((2, 3))) for s in slots)
    assert named * 5 < detected


def test_trim_and_fill(raw: list[Clip], packed: list[Landmarks]) -> None:
    pack = PackLandmarks(LandmarksOptions())
    before, after, rested = [], [], []
    for clip, landmarks in zip(raw, packed, strict=True):
        whole = pack(clip)
        out = FillGaps(FillGapsOptions())(Trim(TrimOptions())(whole))
        there = np.flatnonzero(landmarks.hands_seen.any(1))
        assert len(out.features) == there[-1] - there[0] + 1
        filled = Landmarks.of_clip(out)
        ever = filled.seen.max(0) == SEEN
        assert (filled.seen[:, ever] >= FILLED).all()
        assert filled.hands_seen[[0, -1]].any(1).all()
        before.append(len(whole.features))
        after.append(len(out.features))
        rested.append(len(Trim(TrimOptions(rest=True))(whole).features))
    assert 0.55 < sum(after) / sum(before) < 0.75  # a third of the frames show no hand, mostly at the ends
    assert 0.8 * sum(after) < sum(rested) < sum(after)


def test_most_signers_are_right_handed(raw: list[Clip]) -> None:
    plain, right = (PackLandmarks(LandmarksOptions(dominant_right=r)) for r in (False, True))
    mirrored = [not np.array_equal(plain(c).features, right(c).features) for c in raw]
    assert 0.1 < np.mean(mirrored) < 0.4


def test_phonology36_is_what_the_reference_extracted(shared: Path, raw: list[Clip]) -> None:
    """The files of 36 numbers are of the same clips: every second frame, those without a hand left out.

    They name left and right otherwise in a fifth of the frames (by image side, and otherwise across gaps), and their
    velocities start from 0 where a hand appears. But for that they are ours.
    """
    theirs = {c.id: c.features for c in clips(shared / "wlasl100")}
    found, expected, swapped, steady = [], [], [], []
    for clip in raw:
        every_second = clip.features[::2]
        frames = every_second[(every_second != -1).any(1)]
        landmarks = read_landmarks(attrs.evolve(clip, features=frames))
        ours, other = phonology36(landmarks), theirs[clip.id]
        assert ours.shape == other.shape
        turned = ~np.isclose(ours[:, :22], other[:, :22], atol=1e-3).all(1)
        found.append(np.where(turned[:, None], ours[:, list(MIRROR_FROM)], ours))
        expected.append(other)
        swapped.append(turned)
        # Frames whose velocity both define alike: named as the frame before, with the same hands in both.
        seen = landmarks.hands_seen
        same = np.append(False, (turned[1:] == turned[:-1]) & (seen[1:] == seen[:-1]).all(1))
        steady.append(same)
    a, b, same = np.concatenate(found), np.concatenate(expected), np.concatenate(steady)
    assert np.abs(a[:, :22] - b[:, :22]).max() < 2e-3  # handshape, location, orientation: the same in every frame
    assert 0.7 < 1 - np.concatenate(swapped).mean() < 0.95
    assert same.mean() > 0.6
    assert np.abs(a[same, 22:30] - b[same, 22:30]).max() < 5e-3
    first = np.cumsum([0, *map(len, expected)])[:-1]
    assert not a[first, 22:30].any()
    assert not a[:, 30:].any()
    assert not b[:, 30:].any()
