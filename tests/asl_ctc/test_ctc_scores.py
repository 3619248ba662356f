"""The exact scores of one-gloss labels, against every path, torch's CTC and the textbook recursion."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asl_ctc.scores import single_gloss_scores


def random_log_probs(*shape: int, scale: float = 2.0, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).to(dtype).log_softmax(-1)


def torch_ctc(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """(B, C) by one call of torch's CTC for each gloss."""
    clips, _, symbols = log_probs.shape
    one = torch.ones(clips, dtype=torch.long)
    return torch.stack(
        [
            -F.ctc_loss(log_probs.transpose(0, 1), torch.full((clips, 1), c), lengths, one, reduction="none")
            for c in range(1, symbols)
        ],
        1,
    )


def three_states(log_probs: Tensor, length: int) -> Tensor:
    """(C,) by the recursion over blank before, gloss, blank after."""
    blank, gloss = log_probs[:length, :1], log_probs[:length, 1:]
    before, now, after = blank[0], gloss[0], torch.full_like(gloss[0], -math.inf)
    for t in range(1, length):
        after = torch.logaddexp(after, now) + blank[t]
        now = torch.logaddexp(now, before) + gloss[t]
        before = before + blank[t]
    return torch.logaddexp(now, after)


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != 0)


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 5),
    classes=st.integers(1, 3),
    scale=st.sampled_from([0.1, 1.0, 10.0]),
    seed=st.integers(0, 10_000),
)
def test_equals_the_sum_over_every_path(frames: int, classes: int, scale: float, seed: int) -> None:
    log_probs = random_log_probs(frames, classes + 1, scale=scale, seed=seed)
    by_label: dict[tuple[int, ...], list[Tensor]] = {}
    for path in itertools.product(range(classes + 1), repeat=frames):
        weight = sum((log_probs[t, symbol] for t, symbol in enumerate(path)), torch.zeros(()))
        by_label.setdefault(collapse(path), []).append(weight)
    expected = torch.stack([torch.stack(by_label[(c + 1,)]).logsumexp(0) for c in range(classes)])
    found = single_gloss_scores(log_probs[None], torch.tensor([frames]))[0]
    torch.testing.assert_close(found, expected.double(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [0.01, 2.0, 30.0, 1000.0])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=["float64", "float32"]
)
@pytest.mark.parametrize("frames", [1, 2, 40, 500])
def test_equals_torch_ctc_for_every_gloss(frames: int, dtype: torch.dtype, tolerance: float, scale: float) -> None:
    log_probs = random_log_probs(3, frames, 9, scale=scale, dtype=dtype)
    lengths = torch.tensor([frames, 1, (frames + 1) // 2])
    found = single_gloss_scores(log_probs, lengths)
    assert found.dtype == dtype
    # The judge works in float64 on the very numbers that went in; a score near 0 has no relative accuracy in it.
    judge = torch_ctc(log_probs.double(), lengths)
    torch.testing.assert_close(found.double(), judge, rtol=tolerance, atol=tolerance)


def test_equals_the_textbook_recursion_on_peaked_clips() -> None:
    # Nearly certain frames: blank, one sign in the middle, blank.
    logits = torch.zeros(120, 6, dtype=torch.float64)
    logits[:, 0] = 40.0
    logits[50:60, 0], logits[50:60, 3] = 0.0, 40.0
    log_probs = logits.log_softmax(-1)
    found = single_gloss_scores(log_probs[None], torch.tensor([120]))[0]
    torch.testing.assert_close(found, three_states(log_probs, 120), rtol=1e-9, atol=1e-15)
    assert int(found.argmax()) == 2


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_gradient_is_exact(frames: int) -> None:
    logits = random_log_probs(3, frames, 4).requires_grad_()
    lengths = torch.tensor([frames, 1, max(1, frames - 2)])
    # On log-probabilities as they are: none of the paths' gradient may hide behind a softmax.
    assert torch.autograd.gradcheck(lambda x: single_gloss_scores(x, lengths), (logits,))


@pytest.mark.parametrize("frames", [30, 500])
def test_gradient_equals_that_of_torch_ctc(frames: int) -> None:
    logits = random_log_probs(2, frames, 5).requires_grad_()
    lengths = torch.tensor([frames, frames // 3])
    weight = torch.tensor([[1.0, -2.0, 0.5, 3.0], [0.1, 1.0, -1.0, 0.0]], dtype=torch.float64)

    def gradient(scores: Tensor) -> Tensor:
        return torch.autograd.grad((scores * weight).sum(), logits)[0]

    found = gradient(single_gloss_scores(logits.log_softmax(-1), lengths))
    expected = gradient(torch_ctc(logits.log_softmax(-1), lengths))
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_extreme_logits_stay_finite(dtype: torch.dtype, scale: float) -> None:
    signs = torch.randn(4, 200, 6, generator=torch.Generator().manual_seed(1)).sign().to(dtype)
    logits = (signs * scale).requires_grad_()
    scores = single_gloss_scores(logits.log_softmax(-1), torch.tensor([200, 1, 2, 77]))
    F.cross_entropy(scores, torch.tensor([0, 1, 2, 3])).backward()
    assert torch.isfinite(scores).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad.abs().max()) <= 2.0  # two scores pull at a logit, each with a posterior of at most 1


def test_posteriors_never_exceed_one_where_float32_runs_out() -> None:
    # Scores of about -5e6, whose neighbours in float32 are 0.5 apart: posteriors would come out at e and more.
    log_probs = random_log_probs(2, 500, 6, scale=1e4, seed=2, dtype=torch.float32).requires_grad_()
    scores = single_gloss_scores(log_probs, torch.tensor([500, 300]))
    assert float(scores.detach().min()) < -1e6
    (gradient,) = torch.autograd.grad(scores[:, 0].sum(), log_probs)
    assert float(gradient.min()) >= 0
    assert float(gradient.max()) <= 1


def test_an_impossible_gloss_scores_minus_infinity_without_nan() -> None:
    log_probs = random_log_probs(1, 4, 4)
    log_probs[:, :, 1] = -math.inf  # never
    log_probs[:, 1, 0] = -math.inf  # on frame 1 no blank
    log_probs = log_probs.requires_grad_()
    scores = single_gloss_scores(log_probs, torch.tensor([4]))
    assert scores[0, 0] == -math.inf
    torch.testing.assert_close(scores[0, 1:], three_states(log_probs[0].detach(), 4)[1:])
    (gradient,) = torch.autograd.grad(scores.sum(), log_probs)
    assert torch.isfinite(gradient).all()
    assert not gradient[..., 1].any()
    torch.testing.assert_close(gradient[0, 1, 2:], torch.ones(2, dtype=torch.float64))
    # Every path of the two glosses that can be spends each frame somewhere; the third has no path to spend.
    torch.testing.assert_close(gradient[0].sum(-1), torch.full((4,), 2.0, dtype=torch.float64))


def test_padding_changes_nothing_whatever_it_holds() -> None:
    log_probs = random_log_probs(4, 50, 8)
    lengths = torch.tensor([50, 17, 1, 33])
    padded = log_probs.clone()
    for clip, length in enumerate(lengths.tolist()):
        padded[clip, length:] = math.nan
    padded = padded.requires_grad_()
    together = single_gloss_scores(padded, lengths)
    for clip, length in enumerate(lengths.tolist()):
        alone = single_gloss_scores(log_probs[clip : clip + 1, :length], lengths[clip : clip + 1])
        torch.testing.assert_close(together[clip : clip + 1], alone, rtol=1e-9, atol=0)
    (gradient,) = torch.autograd.grad(together.sum(), padded)
    for clip, length in enumerate(lengths.tolist()):
        assert not gradient[clip, length:].any()
        assert gradient[clip, :length].abs().sum(-1).min() > 0


def test_half_precision_is_raised_to_float32() -> None:
    log_probs = random_log_probs(2, 20, 5, dtype=torch.bfloat16)
    lengths = torch.tensor([20, 9])
    found = single_gloss_scores(log_probs, lengths)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, single_gloss_scores(log_probs.float(), lengths))


def test_gradient_twice_over_one_graph_is_the_same() -> None:
    log_probs = random_log_probs(2, 9, 4).requires_grad_()
    scores = single_gloss_scores(log_probs, torch.tensor([9, 5]))
    (first,) = torch.autograd.grad(scores.sum(), log_probs, retain_graph=True)
    (second,) = torch.autograd.grad(scores.sum(), log_probs)
    assert torch.equal(first, second)
