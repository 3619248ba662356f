"""Hidden spans, what is guessed from around them, and which clip frame an encoder frame stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asl_core import ClipRandom
from asl_stages.aligned import clip_means, evenly_spaced, filled, mean_over_clips
from asl_stages.masking import hidden_frames, interpolation, nearest_visible

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=6)


def random_of(clips: int, seed: int = 0) -> ClipRandom:
    return ClipRandom.of(torch.arange(clips), seed)


@pytest.mark.slow
@given(LENGTHS, st.floats(0.05, 0.95), st.integers(1, 12), st.integers(0, 20), st.integers(0, 99))
def test_hidden_frames(lengths: list[int], share: float, span: int, padding: int, seed: int) -> None:
    n = torch.tensor(lengths)
    hidden = hidden_frames(n, max(lengths), random_of(len(lengths), seed), share, span)
    wider = hidden_frames(n, max(lengths) + padding, random_of(len(lengths), seed), share, span)
    assert torch.equal(wider[:, : max(lengths)], hidden)
    assert not wider[:, max(lengths) :].any()
    for clip, length in enumerate(lengths):
        row = hidden[clip].tolist()
        assert not any(row[length:])
        # A clip of one frame hides nothing; any other hides some frames and shows some.
        assert (0 < sum(row) < length) == (length > 1)
        key = random_of(len(lengths), seed).keys[clip : clip + 1]
        alone = hidden_frames(n[clip : clip + 1], length, ClipRandom(key), share, span)
        assert alone[0].tolist() == row[:length]


def test_about_the_share_is_hidden_everywhere_in_a_clip() -> None:
    n = torch.full((4000,), 30)
    hidden = hidden_frames(n, 30, random_of(4000), 0.4, 5).double()
    assert abs(float(hidden.mean()) - 0.4) < 0.03
    assert float(hidden.mean(0).min()) > 0.3
    assert float(hidden.mean(0).max()) < 0.5


def test_nearest_visible_and_the_line_between() -> None:
    hidden = torch.tensor([[1, 0, 1, 1, 1, 0, 0, 1, 0]], dtype=torch.bool)
    lengths = torch.tensor([8])  # the last frame is padding, though it is not hidden
    before, after = nearest_visible(hidden, lengths)
    assert before[0, :8].tolist() == [1, 1, 1, 1, 1, 5, 6, 6]
    assert after[0, :8].tolist() == [1, 1, 5, 5, 5, 5, 6, 6]
    values = torch.tensor([9.0, 1.0, 9.0, 9.0, 9.0, 5.0, 7.0, 9.0, 100.0])[None, :, None]
    line = interpolation(values, hidden, lengths)[0, :8, 0]
    visible = np.array([1, 5, 6])
    assert line.tolist() == np.interp(np.arange(8), visible, values[0, visible, 0].numpy()).tolist()


@given(st.integers(1, 200), st.data())
def test_encoder_frames_stand_for_the_centre_of_their_part(frames: int, data: st.DataObject) -> None:
    parts = data.draw(st.integers(1, frames))
    place = evenly_spaced(torch.tensor([frames]), torch.tensor([parts]), parts)[0].tolist()
    assert len(set(place)) == parts
    for j, t in enumerate(place):
        assert j * frames / parts <= t + 0.5 <= (j + 1) * frames / parts + 0.5
        assert abs(t + 0.5 - (j + 0.5) * frames / parts) <= 0.5
    whole = evenly_spaced(torch.tensor([frames]), torch.tensor([frames]), frames + 2)[0].tolist()
    assert whole == [*range(frames), frames - 1, frames - 1]


def test_means_over_what_counts() -> None:
    values = torch.tensor([[1.0, 3.0, 8.0], [2.0, 4.0, torch.nan], [5.0, 5.0, 5.0]])
    counts = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 0]], dtype=torch.bool)
    means, has = clip_means(values, counts)
    assert means.tolist() == [2.0, 3.0, 0.0]
    assert has.tolist() == [True, True, False]
    assert float(mean_over_clips(means, has)) == 2.5
    assert filled(means, has).tolist() == [2.0, 3.0, 2.5]
