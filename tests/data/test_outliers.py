"""Numbers far outside of the rest: named, not believed by statistics, and none of them in real clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asl_core import Clip, ClipStore, Vocabulary
from asl_core.api import configure
from asl_core.data.outliers import DEVIATIONS, Limits, far_from_training, outlier_findings, within_usual
from asl_core.data.splits import load_data
from asl_core.model.recogniser import Standardiser, build_model


def clips(count: int = 12, width: int = 4, scale: float = 1.0) -> list[Clip]:
    rng = np.random.default_rng(0)
    return [Clip(id=f"c{n}", features=scale * rng.uniform(0, 1, (5 + n % 3, width))) for n in range(count)]


def with_numbers(clip: Clip, frame: int, dimensions: slice, number: float) -> Clip:
    features = clip.features.copy()
    features[frame, dimensions] = number
    return attrs.evolve(clip, features=features)


def store(of: list[Clip]) -> ClipStore:
    return ClipStore(of, Vocabulary(()))


@pytest.mark.parametrize("number", [1e6, -9999.0, 1e17, 300.0])
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_statistics_do_not_believe_one_frame(number: float, scale: float) -> None:
    sound = clips(scale=scale)
    odd = [*sound[:3], with_numbers(sound[3], 2, slice(1, 3), number * scale), *sound[4:]]
    fitted = []
    for one in (sound, odd):
        standardiser = Standardiser(4)
        standardiser.fit(within_usual(store(one)).features)
        fitted.append(standardiser)
    torch.testing.assert_close(fitted[1].mean, fitted[0].mean, atol=0.02 * scale, rtol=0)
    torch.testing.assert_close(fitted[1].scale, fitted[0].scale, atol=0, rtol=0.05)
    (found,) = outlier_findings({"train": odd, "val": sound})
    assert found.data == {"split": "train", "ids": ["c3"]}
    assert "clip 'c3', frame 2, dimensions 1-2 (" in found.message


def test_a_quarter_of_the_clips_may_be_odd() -> None:
    odd = [with_numbers(c, 0, slice(0, 4), 1e6) if n % 4 == 0 else c for n, c in enumerate(clips(40))]
    (found,) = outlier_findings({"train": odd})
    assert found.data["ids"] == [f"c{n}" for n in range(0, 40, 4)]
    assert found.message.startswith("10 of 40 clips of train hold numbers far outside of the rest")


def test_val_is_held_against_train() -> None:
    (found,) = outlier_findings({"train": clips(), "val": clips(3, scale=640)})
    assert found.data == {"split": "val", "ids": ["c0", "c1", "c2"]}


def test_what_few_clips_show_is_no_outlier() -> None:
    """A hand that one clip in ten has is 0 everywhere else."""
    rare = [attrs.evolve(c, features=c.features * np.array([1, 1, n % 10 == 0, 0])) for n, c in enumerate(clips(40))]
    assert outlier_findings({"train": rare}) == []
    assert within_usual(held := store(rare)) is held


@pytest.mark.parametrize("few", [[], clips(3), [attrs.evolve(c, features=0 * c.features) for c in clips()]])
def test_of_too_little_nothing_is_said(few: list[Clip]) -> None:
    assert outlier_findings({"train": few}) == []
    assert Limits.of([c.features for c in few]) is None


@pytest.mark.slow
@given(st.data())
def test_only_numbers_outside_are_changed(data: Any) -> None:
    sound = clips()
    place = data.draw(st.integers(0, len(sound) - 1))
    number = data.draw(st.sampled_from([0.5, 2.0, -3.0, 50.0, -1e5, 1e9]))
    odd = [with_numbers(c, 1, slice(2, 3), number) if n == place else c for n, c in enumerate(sound)]
    before = store(odd)
    after = within_usual(before)
    changed = (after.features != before.features).nonzero().tolist()
    outside = abs(number) > 20
    assert changed == ([[int(before.offsets[place]) + 1, 2]] if outside else [])
    assert (after is before) is not outside


def test_standardised_numbers_are_held_unless_they_are_taken_as_stored() -> None:
    standardiser = Standardiser(4)
    batch = store([with_numbers(clips()[0], 1, slice(0, 1), 1e6)]).batch(torch.tensor([0]))
    assert float(standardiser(batch).features.max()) == DEVIATIONS
    standardiser.bounded = False
    assert float(standardiser(batch).features.max()) == 1e6


def test_a_clip_far_from_training() -> None:
    sound = np.random.default_rng(1).normal(size=(6, 4))
    assert far_from_training(sound) is None
    assert far_from_training(3 * sound) is None
    one = sound.copy()
    one[2, 1] = 4000
    assert "frames 2 hold numbers far outside" in str(far_from_training(one))
    assert "(dimensions 1 of its input, up to 4e+03 deviations" in str(far_from_training(one))
    for scale in (10, 640, 1e30):
        assert "in the same units?" in str(far_from_training(scale * sound)), scale
    one[2, 1] = np.nan
    assert "frames 2" in str(far_from_training(one))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "transform"), [("wlasl100", "dominant36,hands36"), ("wlasl100-hands", "landmarks,trim,hand-features")]
)
def test_real_clips_are_left_alone(shared: Path, folder: str, transform: str) -> None:
    """To the bit: the very clips are what statistics are taken of, and no number is held."""
    chosen = {"dataset": "wlasl", "dataset.root": str(shared / folder), "transform": transform}
    data = load_data(configure(chosen, environ={}, project_file=False))
    assert "outliers" not in {f.code for f in data.audit.findings}
    standardiser = build_model(data.config, data.train.width, len(data.vocabulary)).standardiser
    described = standardiser.described(data.train)
    assert within_usual(described) is described
    standardiser.fit(described.features)
    assert data.val is not None
    for split in (data.train, data.val):
        for place in range(0, len(split), 3):
            deviations = standardiser.deviations(split.batch(torch.tensor([place])))[0].numpy()
            assert far_from_training(deviations) is None
            assert np.abs(deviations).max() < DEVIATIONS


def test_half_of_the_frames_are_the_clip_and_fewer_are_some_of_them() -> None:
    frames = np.ones((6, 2))
    frames[:2, 1] = 400.0
    assert "frames 0-1 hold numbers far outside" in str(far_from_training(frames))
    frames[2, 1] = 400.0
    assert "root mean square" in str(far_from_training(frames))


def test_the_bound_is_the_same_in_every_version() -> None:
    """Models of before were trained, and their figures taken, with numbers held there."""
    assert DEVIATIONS == 1000.0


def test_what_hardly_changes_is_given_the_largest_range() -> None:
    """Hardly is measured by what the other dimensions do, in whatever units they stand."""
    for unit in (1000.0, 1e-6):
        clips = [unit * np.array([[0.0, 0, 0, 0], [1, 1, 4, 0.0005]])] * 8
        limits = Limits.of(clips)
        assert limits is not None
        assert limits.high == pytest.approx(unit * np.array([11, 11, 44, 40.0005]))
