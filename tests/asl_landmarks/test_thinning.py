"""Clips as a slower camera would have recorded them."""

import numpy as np
import pytest
import torch

import asl_core as asl
from asl_landmarks.landmarks import Landmarks
from asl_landmarks.layout import ABSENT, HANDS
from asl_landmarks.options import ThinOptions
from asl_landmarks.thinning import Thin, _around, _kept


def batch_of(*clips: Landmarks) -> asl.Batch:
    features = [c.to_clip(asl.Clip(id="x", features=np.zeros((len(c), 1)), glosses=("g",))).features for c in clips]
    store = asl.ClipStore(
        [asl.Clip(id=str(n), features=f, glosses=("g",)) for n, f in enumerate(features)], asl.Vocabulary(("g",))
    )
    return store.batch(torch.arange(len(clips)))


def wave(frames: int, seed: int = 0) -> Landmarks:
    random = np.random.default_rng(seed)
    points = np.cumsum(random.normal(size=(frames, HANDS, 3)), axis=0)
    return Landmarks.of_points(points, np.ones((frames, HANDS), dtype=bool))


def test_frames_kept_for_a_step_of_three() -> None:
    kept = _kept(torch.arange(8), torch.tensor([3.0]), torch.tensor([0.0]))
    assert kept[0].tolist() == [True, False, False, True, False, False, True, False]
    before, after = _around(kept, torch.tensor([8]))
    assert before[0].tolist() == [0, 0, 0, 3, 3, 3, 6, 6]
    assert after[0].tolist() == [0, 3, 3, 3, 6, 6, 6, 6]


def test_points_between_kept_frames_lie_on_their_line() -> None:
    batch = batch_of(wave(40))
    found = Thin(ThinOptions(most=4, probability=1))(batch, asl.ClipRandom.of(torch.tensor([3]), 0))
    x, same = found.features[0, :, 0], (found.features == batch.features).all(2)[0]
    assert 9 <= int(same.sum()) < 40
    first, last = (same.nonzero().flatten()[n] for n in (0, 1))
    line = torch.linspace(float(x[first]), float(x[last]), int(last - first) + 1)
    torch.testing.assert_close(x[first : last + 1], line)


def test_a_lost_hand_is_not_drawn_towards_zero() -> None:
    landmarks = wave(30)
    landmarks.seen[10:20, :21], landmarks.points[10:20, :21] = ABSENT, 0
    found = Thin(ThinOptions(most=6, probability=1))(batch_of(landmarks), asl.ClipRandom.of(torch.tensor([1]), 0))
    numbers = found.features.view(1, 30, HANDS, 4)
    lost = numbers[0, :, 0, 3] == ABSENT
    assert lost.any()
    assert (numbers[0, lost, 0, :3] == 0).all()
    seen = numbers[0, ~lost, 0, 0].numpy()
    places = landmarks.points[:, 0, 0][landmarks.seen[:, 0] != ABSENT]
    assert seen.min() >= places.min() - 1e-6
    assert seen.max() <= places.max() + 1e-6


@pytest.mark.parametrize("options", [ThinOptions(probability=0), ThinOptions(most=1, probability=1)])
def test_nothing_changes_without_chance_or_step(options: ThinOptions) -> None:
    batch = batch_of(wave(20), wave(7, 1))
    found = Thin(options)(batch, asl.ClipRandom.of(batch.index, 0))
    assert torch.equal(found.features, batch.features)
