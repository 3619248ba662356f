"""Heads ``ctc`` and ``mean``: shapes, ranking, reading, figures and diagnosis."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from asl_core import Head, HeadOutput
from asl_ctc.ctc_head import CtcHead, label_frames
from asl_ctc.mean_head import MeanHead
from asl_ctc.options import CtcHeadOptions, MeanHeadOptions
from asl_ctc.scores import single_gloss_scores

CLASSES = 4


def ctc_head(**options: float) -> CtcHead:
    torch.manual_seed(0)
    return CtcHead(CtcHeadOptions(**options), 6, CLASSES).double().eval()


def mean_head(**options: float) -> MeanHead:
    torch.manual_seed(0)
    return MeanHead(MeanHeadOptions(**options), 6, CLASSES).double().eval()


def saying(*symbols: int, lengths: Tensor | None = None) -> HeadOutput:
    """One clip whose best symbols are these, blank as 0."""
    logits = torch.zeros(1, len(symbols), CLASSES + 1, dtype=torch.float64)
    logits[0, range(len(symbols)), list(symbols)] = 5.0
    return HeadOutput(logits.log_softmax(-1), torch.tensor([len(symbols)]) if lengths is None else lengths)


def test_ctc_values_are_log_probabilities_of_blank_and_classes() -> None:
    output = ctc_head()(torch.randn(2, 7, 6, dtype=torch.float64), torch.tensor([7, 3]))
    assert output.values.shape == (2, 7, CLASSES + 1)
    torch.testing.assert_close(output.values.exp().sum(-1), torch.ones(2, 7, dtype=torch.float64))


@pytest.mark.parametrize("make", [ctc_head, mean_head])
def test_scores_sum_to_one(make: type[Head]) -> None:
    head = make()
    scores = head.scores(head(torch.randn(3, 9, 6, dtype=torch.float64) * 5, torch.tensor([9, 1, 4])))
    assert scores.shape == (3, CLASSES)
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("make", [ctc_head, mean_head])
def test_padding_never_changes_scores_or_figures(make: type[Head], dtype: torch.dtype, tolerance: float) -> None:
    head = make().to(dtype)
    lengths = torch.tensor([40, 13, 1])
    frames = torch.randn(3, 40, 6, dtype=dtype, generator=torch.Generator().manual_seed(3))
    padded = frames.clone()
    for clip, length in enumerate(lengths.tolist()):
        padded[clip, length:] = 1e3
    together = head(padded, lengths)
    for clip, length in enumerate(lengths.tolist()):
        alone = head(frames[clip : clip + 1, :length], lengths[clip : clip + 1])
        row = together.rows(clip, clip + 1)
        torch.testing.assert_close(head.scores(row), head.scores(alone), rtol=tolerance, atol=tolerance)
        assert head.decode(row) == head.decode(alone)
        for name, value in head.figures(alone).items():
            torch.testing.assert_close(head.figures(row)[name], value, rtol=tolerance, atol=tolerance)


def test_top1_is_right_for_a_clip_that_blank_wins_throughout() -> None:
    probs = torch.full((1, 12, CLASSES + 1), 0.05, dtype=torch.float64)
    probs[..., 0], probs[..., 3] = 0.6, 0.25
    output = HeadOutput(probs.log(), torch.tensor([12]))
    head = ctc_head()
    assert head.figures(output)["blank"].tolist() == [1.0]
    assert head.decode(output) == [[]]
    assert int(head.scores(output).argmax()) == 2


def test_scores_are_the_ctc_scores_normalised() -> None:
    frames, lengths = torch.randn(2, 8, 6, dtype=torch.float64), torch.tensor([8, 5])
    exact_head, scaled_head = ctc_head(score_scale=0.0), ctc_head(score_scale=4.0)
    scaled_head.load_state_dict(exact_head.state_dict())
    output = exact_head(frames, lengths)
    raw = single_gloss_scores(output.values, lengths)
    exact = raw.exp()
    torch.testing.assert_close(exact_head.scores(output).exp(), exact / exact.sum(-1, keepdim=True))
    scaled = scaled_head.scores(scaled_head(frames, lengths))
    torch.testing.assert_close(scaled, (raw * 4.0 / lengths[:, None]).log_softmax(-1))
    assert torch.equal(scaled.argsort(), raw.argsort())


def test_glosses_are_ranked_in_float64() -> None:
    """Scores of a long clip are thousands of nats: what tells two glosses apart is below the rounding of float32."""
    frames = 400
    values = torch.full((1, frames, CLASSES + 1), -20.0)
    values[0, 0] += torch.tensor([0.0, 1e-4, 3e-4, 2e-4, 0.0])  # in scores of -8000, whose last place is worth 5e-4
    output = HeadOutput(values, torch.tensor([frames]))
    head = ctc_head(score_scale=0.0).float()
    scores = head.scores(output)
    assert scores.dtype == torch.float32
    exact = single_gloss_scores(values.double(), output.frame_lengths).log_softmax(-1)
    assert scores.argsort().tolist() == exact.argsort().tolist()
    torch.testing.assert_close(scores.double(), exact, rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    ("symbols", "glosses"),
    [
        ((0, 1, 1, 0, 2), [0, 1]),
        ((1, 1, 1), [0]),
        ((1, 0, 1), [0, 0]),
        ((0, 0), []),
        ((4, 3, 4), [3, 2, 3]),
        ((2,), [1]),
    ],
)
def test_decode_merges_repeats_and_drops_blanks(symbols: tuple[int, ...], glosses: list[int]) -> None:
    assert ctc_head().decode(saying(*symbols)) == [glosses]


def test_decode_stops_at_the_clip_s_end() -> None:
    assert ctc_head().decode(saying(1, 0, 2, 3, lengths=torch.tensor([2]))) == [[0]]


def test_decode_blank_penalty_changes_reading_only() -> None:
    output = saying(0, 0, 0)
    output.values[0, 1, 3] += 3.0  # second best on frame 1
    plain, eager = ctc_head(), ctc_head(decode_blank_penalty=4.0)
    assert plain.decode(output) == [[]]
    assert eager.decode(output) == [[2]]
    assert torch.equal(plain.scores(output), eager.scores(output))
    assert eager.figures(output)["blank"].tolist() == [1.0]


def test_blank_bias_sets_where_the_blank_logit_starts() -> None:
    frames, lengths = torch.zeros(1, 3, 6, dtype=torch.float64), torch.tensor([3])
    blank = {bias: ctc_head(blank_bias=bias)(frames, lengths).values.exp()[0, 0, 0] for bias in (0.0, -4.0)}
    assert blank[-4.0] < 0.01 < blank[0.0]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_min_frames_is_the_shortest_path_that_reads_as_the_label(label: list[int]) -> None:
    path: list[int] = []
    for gloss in label:
        if path and path[-1] == gloss + 1:
            path.append(0)
        path.append(gloss + 1)
    head = ctc_head()
    assert head.decode(saying(*path)) == [label]
    assert head.min_frames(label) == label_frames(label) == len(path)
    # One frame fewer and torch finds no path at all.
    log_probs = torch.zeros(max(1, len(path) - 1), 1, CLASSES + 1).log_softmax(-1)
    nll = torch.nn.functional.ctc_loss(
        log_probs,
        torch.tensor([label]) + 1,
        torch.tensor([len(path) - 1]),
        torch.tensor([len(label)]),
        reduction="sum",
    )
    assert nll == math.inf


def test_figures_count_real_frames_only() -> None:
    figures = ctc_head().figures(saying(0, 1, 0, 0, lengths=torch.tensor([2])))
    assert figures["blank"].tolist() == [0.5]
    peak = math.exp(5) / (math.exp(5) + CLASSES)
    assert figures["blank-prob"].item() == pytest.approx((peak + (1 - peak) / CLASSES) / 2)


def test_diagnose_names_blank_collapse() -> None:
    head = ctc_head()
    sentence = head.diagnose({"blank": 0.996, "top1": 0.012, "chance": 0.01})
    assert sentence is not None
    for word in ("blank collapse", "99.6%", "--loss ctc-isolated", "--loss.blank-penalty", "--head.blank-bias -4"):
        assert word in sentence
    assert head.diagnose({"blank": 0.996}) == sentence


@pytest.mark.parametrize(
    "figures",
    [{}, {"blank": 0.95}, {"blank": math.nan}, {"blank": 0.99, "top1": 0.6, "chance": 0.01}],
    ids=["nothing known", "one peak in twenty frames", "nan", "long clips that rank well"],
)
def test_diagnose_is_silent_about_legitimate_blanks(figures: dict[str, float]) -> None:
    assert ctc_head().diagnose(figures) is None


def test_ctc_refuses_pooled_input() -> None:
    with pytest.raises(ValueError, match="expected frames"):
        ctc_head()(torch.zeros(2, 6, dtype=torch.float64), None)


def test_mean_takes_pooled_input_and_equals_the_mean_of_frames() -> None:
    head, frames = mean_head(), torch.randn(2, 5, 6, dtype=torch.float64)
    pooled = head(frames.mean(1), None)
    torch.testing.assert_close(head(frames, torch.tensor([5, 5])).values, pooled.values)
    assert pooled.lengths is None
    with pytest.raises(ValueError, match="without lengths"):
        head(frames, None)


@pytest.mark.parametrize("make", [ctc_head, mean_head])
def test_dropout_acts_in_training_only(make: type[Head]) -> None:
    head = make(dropout=0.5)
    frames, lengths = torch.ones(1, 30, 6, dtype=torch.float64), torch.tensor([30])
    assert torch.equal(head(frames, lengths).values, head(frames, lengths).values)
    head.train()
    assert not torch.equal(head(frames, lengths).values, head(frames, lengths).values)


@pytest.mark.parametrize("make", [ctc_head, mean_head])
def test_autocast_scores_are_float32(make: type[Head]) -> None:
    head = make().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = head(torch.randn(2, 20, 6), torch.tensor([20, 4]))
        scores = head.scores(output)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(2), atol=1e-5, rtol=0)


def test_frames_that_a_label_needs_are_counted() -> None:
    """By hand: the search above looks at short labels, in which a sign of a difference may not show."""
    assert [label_frames(label) for label in ([], [3], [1, 2], [1, 1], [1, 1, 1], [1, 2, 1], [2, 2, 1, 1])] == [
        1, 1, 2, 3, 5, 3, 6,
    ]  # fmt: skip
