"""The label prior against a sum over all paths, its gradients, its running mean, and what it does to blank."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from small import StopAfter
from torch import Tensor

import asl_core as asl
from asl_core.compute.distributed import Processes
from asl_core.data.splits import load_data
from asl_core.model.objectives import build_objectives
from asl_core.model.recogniser import build_model
from asl_core.training.prepare import coupling_notes
from asl_core.training.trainer import Trainer
from asl_ctc.ctc_head import CtcOutput
from asl_ctc.ctc_loss import CtcIsolatedLoss, CtcLoss
from asl_ctc.options import CtcIsolatedOptions, CtcOptions
from asl_ctc.prior import DECAY, LEAST, LabelPrior

L = TypeVar("L", CtcLoss, CtcIsolatedLoss)
CLASSES, FRAMES, ALPHA = 3, 5, 0.4
LENGTHS = [5, 4]
PRIOR = torch.tensor([0.7, 0.05, 0.2, 0.05], dtype=torch.float64)
SETTINGS: dict[str, Any] = {
    "dataset": "demo", "dataset.glosses": 4, "dataset.train": 4, "dataset.val": 2, "encoder.hidden-size": 8,
    "encoder.front-size": 8, "train.epochs": 3, "train.batch-size": 8, "run.device": "cpu", "run.threads": 1,
}  # fmt: skip


def logits(seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, FRAMES, CLASSES + 1, generator=generator, dtype=torch.float64)


def sample_of(values: Tensor, labels: list[list[int]]) -> asl.Sample:
    lengths = torch.tensor(LENGTHS)
    batch = asl.Batch(
        features=torch.zeros(2, FRAMES, 2),
        lengths=lengths,
        targets=torch.tensor([c for label in labels for c in label]),
        target_lengths=torch.tensor([len(label) for label in labels]),
        index=torch.arange(2),
        ids=("a", "b"),
    )
    return asl.Sample(CtcOutput(values, lengths), batch, batch, 1)


def with_prior(loss: L) -> L:
    """In evaluation mode, so that the prior stays what it is here."""
    loss.prior.begin(CLASSES)
    loss.prior.mean = PRIOR.clone()
    loss.eval()
    return loss


def ctc(alpha: float = ALPHA) -> CtcLoss:
    return with_prior(CtcLoss(CtcOptions(label_prior=alpha, blank_penalty=0)))


def isolated(**more: Any) -> CtcIsolatedLoss:
    return with_prior(CtcIsolatedLoss(CtcIsolatedOptions(label_prior=ALPHA, **more)))


def over_all_paths(log_probs: Tensor, label: list[int]) -> float:
    """-log Σ Π p(k) w(k) over all paths that read as the label, with w = prior^-α scaled to Σ prior · log w = 0."""
    weights = PRIOR**-ALPHA
    weights = weights / (PRIOR * weights.log()).sum().exp()
    total = 0.0
    for path in itertools.product(range(CLASSES + 1), repeat=len(log_probs)):
        if [k - 1 for k, _ in itertools.groupby(path) if k] == label:
            total += math.prod(float(log_probs[t, k].exp() * weights[k]) for t, k in enumerate(path))
    return -math.log(total)


@pytest.mark.parametrize("labels", [[[0], [2]], [[0, 1], [1]], [[2, 2], [0, 2]], [[], [1]]])
def test_ctc_is_the_sum_over_all_paths(labels: list[list[int]]) -> None:
    log_probs = logits().log_softmax(-1)
    expected = [over_all_paths(log_probs[i, :n], labels[i]) for i, n in enumerate(LENGTHS)]
    found = ctc()(sample_of(log_probs, labels)).total
    assert float(found) == pytest.approx(sum(expected) / 2, rel=1e-9)


def test_isolated_lets_the_weighed_scores_compete() -> None:
    log_probs = logits().log_softmax(-1)
    expected = 0.0
    for i, (n, gloss) in enumerate(zip(LENGTHS, (0, 2), strict=True)):
        scores = torch.tensor([-over_all_paths(log_probs[i, :n], [c]) for c in range(CLASSES)])
        expected -= float(scores.log_softmax(0)[gloss]) / 2
    found = isolated(frame_weight=0.0, label_smoothing=0.0)(sample_of(log_probs, [[0], [2]])).total
    assert float(found) == pytest.approx(expected)


@pytest.mark.parametrize("loss", [ctc(), isolated(ctc_weight=0.3, blank_penalty=0.2)], ids=["ctc", "isolated"])
def test_gradients_are_exact(loss: CtcLoss | CtcIsolatedLoss) -> None:
    scores = logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(sample_of(x.log_softmax(-1), [[0], [2]])).total, (scores,))


def test_a_flat_prior_is_none() -> None:
    scores = logits().requires_grad_()
    found = []
    for loss in (ctc(), ctc(0.0)):
        if loss.prior.alpha:
            loss.prior.begin(CLASSES)
        total = loss(sample_of(scores.log_softmax(-1), [[0, 1], [2]])).total
        found.append((total.detach(), *torch.autograd.grad(total, scores)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-7)  # begun in float32


def test_blank_pays_for_being_everywhere() -> None:
    """Where blank is common, the loss pushes its share down from what it would be without the prior."""
    scores = logits().requires_grad_()
    pushed = [
        float(torch.autograd.grad(loss(sample_of(scores.log_softmax(-1), [[0], [2]])).total, scores)[0][..., 0].sum())
        for loss in (ctc(), ctc(0.0))
    ]
    assert pushed[0] > pushed[1] + 0.1


def test_padding_changes_neither_loss_nor_gradient_nor_prior() -> None:
    found = []
    for fill in (0.0, 50.0, math.nan):
        scores = logits().log_softmax(-1)
        scores[1, LENGTHS[1] :] = fill
        loss: Any = ctc().train()
        total = loss(sample_of(scores.requires_grad_(), [[0, 1], [2]])).total
        gradient = torch.autograd.grad(total, scores)[0]
        found.append((total.detach(), gradient[0], gradient[1, : LENGTHS[1]], loss.prior.mean.clone()))
    for other in found[1:]:
        torch.testing.assert_close(found[0], other, rtol=1e-12, atol=1e-14)


def test_the_running_mean_is_over_real_frames_and_of_training_only() -> None:
    prior = LabelPrior(0.3)
    prior.begin(CLASSES)
    output = sample_of(logits().log_softmax(-1), [[0], [2]]).output
    expected = torch.full((CLASSES + 1,), 1 / (CLASSES + 1))
    probs = logits().softmax(-1).float()
    frames = torch.cat([probs[0, :5], probs[1, :4]]).mean(0)
    for n in range(300):
        prior.train(n % 2 == 0).see(output)
        if n % 2 == 0:
            kept = min(DECAY, (1 + n // 2) / (10 + n // 2))
            expected = kept * expected + (1 - kept) * frames
        torch.testing.assert_close(prior.mean, expected)
    torch.testing.assert_close(prior.mean, frames, rtol=2e-2, atol=1e-3)
    assert float(prior.mean.sum()) == pytest.approx(1)


def test_a_symbol_that_is_never_said_has_a_finite_weight() -> None:
    prior = LabelPrior(1.0)
    prior.begin(2)
    prior.mean = torch.tensor([1.0, 0.0, 0.0])
    weighed = prior.weighed(torch.zeros(1, 1, 3))
    assert weighed.isfinite().all()
    assert float(weighed[0, 0, 1] - weighed[0, 0, 0]) == pytest.approx(-math.log(LEAST))


def test_no_prior_has_no_state() -> None:
    assert not CtcLoss(CtcOptions()).state_dict()
    assert not CtcIsolatedLoss(CtcIsolatedOptions()).state_dict()
    assert {"prior.mean", "prior.batches"} == set(CtcLoss(CtcOptions(label_prior=0.3)).state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["ctc", "ctc-isolated"])
def test_a_run_that_was_cut_off_goes_on_from_its_prior(tmp_path: Path, loss: str) -> None:
    settings = {**SETTINGS, "loss": loss, "loss.label-prior": 0.3, "run.out": str(tmp_path)}

    def config(name: str) -> Any:
        return asl.configure({**settings, "run.name": name}, project_file=False, environ={})

    whole = asl.run(config("whole"))
    with pytest.raises(KeyboardInterrupt):
        asl.run(config("cut"), [StopAfter(2)])
    cut = asl.resume(tmp_path / "cut")
    for name in ("metrics.jsonl", "final.safetensors", "last/state.safetensors"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes(), name
    mean = asl.load_tensors(cut.path / "last" / "state.safetensors").under("objectives")["0.loss.prior.mean"]
    assert not torch.allclose(mean, torch.full((5,), 0.2), atol=0.01)


@pytest.mark.slow
def test_several_processes_are_told_that_each_has_a_mean_of_its_own(tmp_path: Path) -> None:
    told = []
    for alpha in (0.0, 0.3):
        settings = {**SETTINGS, "loss.label-prior": alpha, "run.out": str(tmp_path)}
        config = asl.configure(settings, project_file=False, environ={})
        data = load_data(config)
        model = build_model(config, data.train.width, len(data.vocabulary))
        objectives = build_objectives(config)
        objectives[0].loss.prepare(data.train)
        trainer = Trainer.new(config, data, model, objectives, torch.device("cpu"), (), Processes(0, 2))
        told.append([note.partition(",")[0] for note in coupling_notes(trainer)])
    assert told == [[], ["loss ctc-isolated takes its running mean over the clips of a batch"]]
