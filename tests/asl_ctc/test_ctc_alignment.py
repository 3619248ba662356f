"""The likeliest path against a search over all paths, and what the head makes of it."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from asl_ctc.alignment import best_path, spans_of, through
from asl_ctc.ctc_head import CtcHead, CtcOutput
from asl_ctc.options import CtcHeadOptions

CLASSES = 3


def log_probs(frames: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(frames, CLASSES + 1, generator=generator, dtype=torch.float64).mul(2).log_softmax(1)


def symbols_of(path: list[int], glosses: list[int]) -> list[int]:
    return [glosses[s // 2] + 1 if s % 2 else 0 for s in path]


def by_search(frames: Tensor, glosses: list[int]) -> float:
    """The best score of all paths that read as the glosses."""
    return max(
        float(sum(frames[t, k] for t, k in enumerate(path)))
        for path in itertools.product(range(CLASSES + 1), repeat=len(frames))
        if [k - 1 for k, _ in itertools.groupby(path) if k] == glosses
    )


@given(st.integers(1, 5), st.lists(st.integers(0, CLASSES - 1), max_size=3), st.integers(0, 10_000))
def test_the_path_is_the_best_of_all(frames: int, glosses: list[int], seed: int) -> None:
    values = log_probs(frames, seed)
    needed = len(glosses) + sum(a == b for a, b in itertools.pairwise(glosses))
    if frames < needed:
        with pytest.raises(ValueError, match="cannot carry"):
            through(values, glosses)
        return
    symbols = symbols_of(through(values, glosses), glosses)
    assert [k - 1 for k, _ in itertools.groupby(symbols) if k] == glosses
    assert float(sum(values[t, k] for t, k in enumerate(symbols))) == pytest.approx(by_search(values, glosses))


def test_spans_are_runs_of_the_path_with_the_mean_probability() -> None:
    values = log_probs(5, 0)
    spans = spans_of([0, 1, 1, 2, 2], [0, 2, 2, 0, 0], values)
    assert [(s.gloss, s.start, s.end) for s in spans] == [(None, 0, 1), (1, 1, 3), (None, 3, 5)]
    assert spans[1].probability == pytest.approx(float(values[1:3, 2].exp().mean()))


def test_the_head_aligns_each_clip_by_its_own_frames() -> None:
    lengths = torch.tensor([6, 3])
    values = torch.stack([log_probs(6, 1), log_probs(6, 2)])
    values[1, 3:] = torch.nan
    head = CtcHead(CtcHeadOptions(decode_blank_penalty=0.5), 4, CLASSES)
    output = CtcOutput(values, lengths)
    free, forced = head.align(output), head.align(output, [[0, 0], [2]])
    for n, text in enumerate(head.decode(output)):
        assert [s.gloss for s in free[n] if s.gloss is not None] == text, "as the head reads"
        assert free[n][-1].end == forced[n][-1].end == int(lengths[n])
    assert [s.gloss for s in forced[0] if s.gloss is not None] == [0, 0]
    assert [s.gloss for s in forced[1] if s.gloss is not None] == [2]


def test_the_blank_penalty_of_reading_holds_for_the_best_symbols() -> None:
    values = torch.tensor([[0.5, 0.4, 0.05, 0.05]]).log()
    assert best_path(values) == [0]
    assert best_path(values, 0.5) == [1]
