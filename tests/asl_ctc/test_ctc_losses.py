"""Losses ``ctc``, ``ctc-isolated`` and ``cross-entropy``: values, gradients, padding, refusals."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from asl_core import Batch, DataError, HeadOutput, Loss, Sample
from asl_ctc.ctc_head import CtcOutput
from asl_ctc.ctc_loss import CtcIsolatedLoss, CtcLoss
from asl_ctc.mean_head import CrossEntropyLoss
from asl_ctc.options import CrossEntropyOptions, CtcIsolatedOptions, CtcOptions
from asl_ctc.scores import single_gloss_scores

CLASSES = 5
LENGTHS = [12, 7, 3]
SENTENCES = [[0, 1, 1, 4], [2], [3, 0]]
SIGNS = [[4], [0], [2]]


def batch_of(labels: list[list[int]], lengths: list[int]) -> Batch:
    return Batch(
        features=torch.zeros(len(labels), max(lengths), 2),
        lengths=torch.tensor(lengths),
        targets=torch.tensor([c for label in labels for c in label]),
        target_lengths=torch.tensor([len(label) for label in labels]),
        index=torch.arange(len(labels)),
        ids=tuple(f"clip{i}" for i in range(len(labels))),
    )


def sample_of(values: Tensor, labels: list[list[int]], lengths: list[int] | None = None) -> Sample:
    """Head output of these values, with time where they have it."""
    lengths = lengths or LENGTHS
    batch = batch_of(labels, lengths)
    output = HeadOutput(values, torch.tensor(lengths) if values.ndim == 3 else None)
    return Sample(output=output, batch=batch, clean=batch, views=1)


def frame_logits(clips: int = 3, frames: int = 12, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(clips, frames, CLASSES + 1, generator=generator, dtype=torch.float64).to(dtype)


def isolated(**options: Any) -> CtcIsolatedLoss:
    return CtcIsolatedLoss(CtcIsolatedOptions(**options))


def path_sum(log_probs: Tensor, label: list[int]) -> float:
    """CTC's log-likelihood by the textbook recursion over label and blanks, in probabilities."""
    states = [0] + [s for c in label for s in (c + 1, 0)]
    probs = log_probs.exp()
    alpha = [float(probs[0, s]) if i < 2 else 0.0 for i, s in enumerate(states)]
    for t in range(1, len(probs)):
        alpha = [
            float(probs[t, s])
            * (
                alpha[i]
                + (alpha[i - 1] if i >= 1 else 0.0)
                + (alpha[i - 2] if i >= 2 and s != 0 and s != states[i - 2] else 0.0)
            )
            for i, s in enumerate(states)
        ]
    return math.log(alpha[-1] + alpha[-2])


def test_ctc_is_the_mean_over_clips_of_each_label_s_likelihood() -> None:
    log_probs = frame_logits().log_softmax(-1)
    result = CtcLoss(CtcOptions(blank_penalty=0))(sample_of(log_probs, SENTENCES, [12, 7, 4]))
    expected = -sum(
        path_sum(log_probs[i, :n], label) for i, (n, label) in enumerate(zip([12, 7, 4], SENTENCES, strict=True))
    )
    assert float(result.total) == pytest.approx(expected / 3, rel=1e-9)
    assert set(result.parts) == {"ctc"}


def test_blank_penalty_is_the_mean_blank_probability_of_real_frames() -> None:
    log_probs = frame_logits().log_softmax(-1)
    result = CtcLoss(CtcOptions(blank_penalty=0.5))(sample_of(log_probs, SENTENCES))
    blank = log_probs[..., 0].exp()
    expected = sum(float(blank[i, :n].mean()) for i, n in enumerate(LENGTHS)) / 3
    assert float(result.parts["blank-penalty"]) == pytest.approx(0.5 * expected)
    assert float(result.total) == pytest.approx(sum(float(part) for part in result.parts.values()))


def test_blank_penalty_has_a_gradient_that_pushes_blank_down() -> None:
    logits = frame_logits().requires_grad_()
    log_probs = logits.log_softmax(-1)
    with_it = CtcLoss(CtcOptions(blank_penalty=0.5))(sample_of(log_probs, SENTENCES)).parts["blank-penalty"]
    (gradient,) = torch.autograd.grad(with_it, logits)
    for clip, length in enumerate(LENGTHS):
        assert (gradient[clip, :length, 0] > 0).all()
        assert not gradient[clip, length:].any()


LOSSES = [
    pytest.param(CtcLoss(CtcOptions()), SENTENCES, id="ctc"),
    pytest.param(isolated(), SIGNS, id="ctc-isolated"),
    pytest.param(isolated(ctc_weight=0.4, blank_penalty=0.3), SIGNS, id="ctc-isolated-mixed"),
]


@pytest.mark.parametrize(("loss", "labels"), LOSSES)
def test_padding_changes_neither_loss_nor_gradient(loss: Loss, labels: list[list[int]]) -> None:
    found = []
    for fill in (0.0, 50.0):
        logits = frame_logits()
        for clip, length in enumerate(LENGTHS):
            logits[clip, length:] = fill * torch.arange(CLASSES + 1)
        logits.requires_grad_()
        total = loss(sample_of(logits.log_softmax(-1), labels)).total
        (gradient,) = torch.autograd.grad(total, logits)
        for clip, length in enumerate(LENGTHS):
            assert not gradient[clip, length:].any()
        found.append((total.detach(), gradient))
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=0)


@pytest.mark.parametrize(("loss", "labels"), LOSSES)
def test_a_batch_is_the_mean_of_its_clips(loss: Loss, labels: list[list[int]]) -> None:
    log_probs = frame_logits().log_softmax(-1)
    alone = [loss(sample_of(log_probs[i : i + 1, :n], labels[i : i + 1], [n])).total for i, n in enumerate(LENGTHS)]
    together = loss(sample_of(log_probs, labels)).total
    torch.testing.assert_close(together, torch.stack(alone).mean(), rtol=1e-9, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "labels"), LOSSES)
def test_gradients_are_exact(loss: Loss, labels: list[list[int]]) -> None:
    logits = frame_logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(sample_of(x.log_softmax(-1), labels)).total, (logits,))


@pytest.mark.parametrize(("loss", "labels"), LOSSES)
@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_extreme_logits_give_finite_gradients(loss: Loss, labels: list[list[int]], scale: float) -> None:
    logits = (frame_logits(dtype=torch.float32).sign() * scale).requires_grad_()
    total = loss(sample_of(logits.log_softmax(-1), labels)).total
    (gradient,) = torch.autograd.grad(total, logits)
    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(("loss", "labels"), LOSSES)
@pytest.mark.parametrize("autocast", [True, False])
def test_half_precision_output_is_computed_in_float32(loss: Loss, labels: list[list[int]], autocast: bool) -> None:
    log_probs = frame_logits().log_softmax(-1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        found = loss(sample_of(log_probs, labels)).total
    expected = loss(sample_of(log_probs.double(), labels)).total
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_isolated_is_cross_entropy_over_the_ctc_scores() -> None:
    log_probs = frame_logits().log_softmax(-1)
    posterior = single_gloss_scores(log_probs, torch.tensor(LENGTHS)).log_softmax(-1)
    expected = -sum(float(posterior[i, label[0]]) for i, label in enumerate(SIGNS)) / 3
    result = isolated(label_smoothing=0.0, frame_weight=0.0)(sample_of(log_probs, SIGNS))
    assert float(result.total) == pytest.approx(expected)
    assert set(result.parts) == {"ctc-ce"}


def test_isolated_label_smoothing_spreads_the_target() -> None:
    log_probs = frame_logits().log_softmax(-1)
    posterior = single_gloss_scores(log_probs, torch.tensor(LENGTHS)).log_softmax(-1)
    target = F.one_hot(torch.tensor([4, 0, 2]), CLASSES) * 0.8 + 0.2 / CLASSES
    result = isolated(label_smoothing=0.2, frame_weight=0.0)(sample_of(log_probs, SIGNS))
    assert float(result.total) == pytest.approx(float(-(target * posterior).sum(-1).mean()))


@pytest.mark.parametrize("score_scale", [0.0, 2.5])
def test_isolated_parts_are_scaled_scores_mixed_with_plain_ctc(score_scale: float) -> None:
    log_probs = frame_logits().log_softmax(-1)
    lengths, target = torch.tensor(LENGTHS), torch.tensor([4, 0, 2])
    scores = single_gloss_scores(log_probs, lengths)
    scale = score_scale / lengths[:, None] if score_scale else torch.ones(3, 1)
    loss = isolated(label_smoothing=0.0, ctc_weight=0.25, frame_weight=0.0)
    plain = sample_of(log_probs, SIGNS)
    result = loss(attrs.evolve(plain, output=CtcOutput(log_probs, lengths, score_scale)))
    mmi = F.nll_loss((scores * scale).log_softmax(-1), target)
    assert float(result.parts["ctc-ce"]) == pytest.approx(0.75 * float(mmi))
    assert float(result.parts["ctc"]) == pytest.approx(0.25 * float(F.nll_loss(scores, target)))
    assert float(result.total) == pytest.approx(float(result.parts["ctc-ce"] + result.parts["ctc"]))


def test_isolated_frames_part_is_mean_pooled_cross_entropy() -> None:
    logits = frame_logits()
    result = isolated(label_smoothing=0.1, frame_weight=0.5)(sample_of(logits.log_softmax(-1), SIGNS))
    pooled = torch.stack([logits[i, :n, 1:].mean(0) for i, n in enumerate(LENGTHS)])
    expected = F.cross_entropy(pooled, torch.tensor([4, 0, 2]), label_smoothing=0.1)
    assert float(result.parts["frame-ce"]) == pytest.approx(0.5 * float(expected))
    assert set(result.parts) == {"ctc-ce", "frame-ce"}


def test_isolated_with_ctc_weight_one_is_plain_ctc() -> None:
    logits = frame_logits().requires_grad_()
    mixed = isolated(ctc_weight=1.0, blank_penalty=0.5)(sample_of(logits.log_softmax(-1), SIGNS))
    plain = CtcLoss(CtcOptions(blank_penalty=0.5))(sample_of(logits.log_softmax(-1), SIGNS))
    torch.testing.assert_close(mixed.total, plain.total)
    torch.testing.assert_close(torch.autograd.grad(mixed.total, logits), torch.autograd.grad(plain.total, logits))


def test_isolated_learns_where_plain_ctc_first_learns_blank() -> None:
    # From a uniform start the first step of plain CTC raises blank on the frames; the normalised form does not.
    def push_on_blank(loss: Loss) -> float:
        logits = torch.zeros(3, 12, CLASSES + 1, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss(sample_of(logits.log_softmax(-1), SIGNS)).total, logits)
        return float(-gradient[0, :, 0].sum())

    assert push_on_blank(CtcLoss(CtcOptions(blank_penalty=0))) > 1.0
    assert push_on_blank(isolated()) == pytest.approx(0.0, abs=1e-9)


def test_isolated_refuses_a_sentence() -> None:
    with pytest.raises(ValueError, match="more than one"):
        isolated()(sample_of(frame_logits().log_softmax(-1), SENTENCES))


def test_ctc_names_the_clip_that_is_too_short_for_its_label() -> None:
    log_probs = frame_logits().log_softmax(-1)
    labels = [[2, 3], *SENTENCES[:1], [3, 0]]  # the first has just enough frames
    with pytest.raises(DataError, match=r"clip 'clip1' has 4 encoder frames.* 4 glosses need at least 5"):
        CtcLoss(CtcOptions())(sample_of(log_probs, labels, [2, 4, 3]))


def test_a_broken_model_is_not_mistaken_for_a_long_label() -> None:
    log_probs = torch.full((3, 12, CLASSES + 1), -math.inf, dtype=torch.float64)
    assert CtcLoss(CtcOptions(blank_penalty=0))(sample_of(log_probs, SENTENCES)).total == math.inf


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy(smoothing: float) -> None:
    logits = frame_logits()[:, 0, :CLASSES]
    target = F.one_hot(torch.tensor([4, 0, 2]), CLASSES) * (1 - smoothing) + smoothing / CLASSES
    loss = CrossEntropyLoss(CrossEntropyOptions(label_smoothing=smoothing))
    result = loss(sample_of(logits, SIGNS))
    assert float(result.total) == pytest.approx(float(-(target * logits.log_softmax(-1)).sum(-1).mean()))
    assert loss(sample_of(logits.bfloat16(), SIGNS)).total.dtype == torch.float32
