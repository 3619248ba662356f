"""Wilson's interval against its definition, the shares that a score test does not refuse; and the bootstrap of WER."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_core.evaluation.intervals import bootstrap_ratios, percentiles, wer_interval, wilson_interval


@pytest.mark.parametrize(
    ("right", "clips", "low", "high"),
    [
        (0, 3, 0.0, 0.56150),
        (8, 8, 0.67559, 1.0),
        (0, 1, 0.0, 0.79346),
        (1, 1, 0.20654, 1.0),
        (8, 10, 0.49016, 0.94331),
        (0, 0, 0.0, 1.0),
    ],
)
def test_known_intervals(right: int, clips: int, low: float, high: float) -> None:
    assert wilson_interval(right, clips) == pytest.approx((low, high), abs=1e-5)


def test_the_ends_of_none_and_of_all_are_exact() -> None:
    for clips in range(1, 400):
        assert wilson_interval(0, clips)[0] == 0.0
        assert wilson_interval(clips, clips)[1] == 1.0


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.5, 0.95]))
def test_both_ends_are_z_deviations_from_what_was_seen(pair: tuple[int, int], share: float) -> None:
    """Solving |p - right/n| = z·√(p(1-p)/n) for p is what Wilson's formula does."""
    right, clips = pair
    z = {0.5: 0.6744897501960817, 0.95: 1.959963984540054}[share]
    low, high = wilson_interval(right, clips, share)
    assert 0 <= low <= right / clips <= high <= 1
    for end in (low, high):
        if end not in (0.0, 1.0):
            assert abs(end - right / clips) == pytest.approx(z * math.sqrt(end * (1 - end) / clips), rel=1e-6, abs=1e-9)
    assert low > 0 or right == 0, "only none of them right may be 0"
    assert high < 1 or right == clips, "only all of them right may be 100 %"
    assert wilson_interval(clips - right, clips, share) == pytest.approx((1 - high, 1 - low))


def test_the_interval_of_a_word_error_rate_is_that_of_the_ratio_estimator() -> None:
    """Against the normal interval of a ratio of means (delta method), which holds for this many clips."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 12, 2000)
    edits = rng.binomial(2 * lengths, 0.2)  # a clip may have more edits than glosses
    rate = edits.sum() / lengths.sum()
    deviation = np.std(edits - rate * lengths) / lengths.mean() / math.sqrt(len(lengths))
    found = wer_interval(edits.tolist(), lengths.tolist())
    assert found is not None
    assert found == pytest.approx((rate - 1.96 * deviation, rate + 1.96 * deviation), abs=0.15 * deviation)
    assert wer_interval(edits.tolist(), lengths.tolist()) == found, "the same on every call"


@pytest.mark.parametrize(("edits", "lengths"), [([], []), ([3], [4]), ([0, 0, 0], [1, 2, 3])])
def test_where_resampling_shows_nothing_there_is_no_interval(edits: list[int], lengths: list[int]) -> None:
    assert wer_interval(edits, lengths) is None


def test_an_interval_may_pass_one() -> None:
    assert wer_interval([4, 0, 3], [1, 1, 2]) == (0.0, 4.0)


def test_seeds_alone_and_clips() -> None:
    """Two seeds on the same clips: over seeds alone only three means can come; over clips more."""
    part = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]), np.ones(4)
    both, seeds = bootstrap_ratios([part], samples=500)
    assert set(seeds.tolist()) == {0.25, 0.375, 0.5}
    low, high = percentiles(both)
    assert low < 0.25
    assert high > 0.5
