"""Consistency of two views (CR-CTC): its value and gradient, when it is nothing, and what the two views share."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

import asl_core as asl
from asl_core.model.objectives import Objective, build_objectives, compute
from asl_core.model.recogniser import build_model
from asl_ctc.consistency import ConsistentLoss, between_views
from asl_ctc.ctc_head import CtcOutput
from asl_ctc.ctc_loss import CtcIsolatedLoss, CtcLoss
from asl_ctc.mean_head import CrossEntropyLoss
from asl_ctc.options import CrossEntropyOptions, CtcIsolatedOptions, CtcOptions
from asl_ctc.scores import single_gloss_scores

CLASSES, FRAMES = 4, 9
LENGTHS = [9, 4]
SETTINGS: dict[str, Any] = {
    "dataset": "demo", "dataset.glosses": 4, "dataset.train": 4, "dataset.val": 2, "encoder.hidden-size": 8,
    "encoder.front-size": 8, "train.epochs": 2, "train.batch-size": 8, "run.device": "cpu", "run.threads": 1,
}  # fmt: skip


def logits(seed: int, pooled: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (4, CLASSES) if pooled else (4, FRAMES, CLASSES + 1)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def pair_of(values: Tensor, evidence: float = 0.0) -> asl.Sample:
    """Two clips in two views: rows 0 and 1, then 2 and 3."""
    lengths = torch.tensor(LENGTHS * 2)
    batch = asl.Batch(
        features=torch.zeros(4, FRAMES, 2), lengths=lengths, targets=torch.tensor([1, 3] * 2),
        target_lengths=torch.ones(4, dtype=torch.int64), index=torch.arange(2).repeat(2), ids=("a", "b") * 2,
    )  # fmt: skip
    output = CtcOutput(values, lengths, evidence) if values.ndim == 3 else asl.HeadOutput(values, None)
    return asl.Sample(output, batch, batch, 2)


def losses(weight: float) -> dict[str, ConsistentLoss]:
    return {
        "ctc": CtcLoss(CtcOptions(consistency=weight)),
        "ctc-isolated": CtcIsolatedLoss(CtcIsolatedOptions(consistency=weight)),
        "clips": CtcIsolatedLoss(CtcIsolatedOptions(consistency=weight, consistency_of="clips")),
        "cross-entropy": CrossEntropyLoss(CrossEntropyOptions(consistency=weight)),
    }


NAMES = tuple(losses(0))


def values_of(name: str, scores: Tensor) -> Tensor:
    return scores if name == "cross-entropy" else scores.log_softmax(-1)


def divergence(p: Tensor, q: Tensor) -> float:
    return float((p * (p.log() - q.log())).sum())


def test_ctc_adds_the_divergence_of_every_frame_both_ways() -> None:
    probs = logits(1).softmax(-1)
    found = losses(0.2)["ctc"](pair_of(probs.log()))
    expected = 0.0
    for clip, length in enumerate(LENGTHS):
        for t in range(length):
            one, two = probs[clip, t], probs[clip + 2, t]
            expected += 0.5 * (divergence(one, two) + divergence(two, one)) / len(LENGTHS)
    assert float(found.parts["consistency"]) == pytest.approx(0.2 * expected)
    plain = losses(0)["ctc"](attrs.evolve(pair_of(probs.log()), views=1))
    assert float(found.total) == pytest.approx(float(plain.total) + 0.2 * expected), "and averages the views' losses"


@pytest.mark.slow
def test_isolated_weighs_frames_as_it_weighs_their_scores() -> None:
    values = logits(1).log_softmax(-1)
    loss = losses(1.0)
    every = loss["ctc-isolated"](pair_of(values)).parts["consistency"]
    torch.testing.assert_close(every, loss["ctc"](pair_of(values)).parts["consistency"])
    scaled = loss["ctc-isolated"](pair_of(values, evidence=3.0)).parts["consistency"]
    alone = [between_views(values)[i, :n].sum() * 3 / n for i, n in enumerate(LENGTHS)]
    torch.testing.assert_close(scaled, torch.stack(alone).mean())


@pytest.mark.parametrize("name", NAMES)
def test_equal_views_are_consistent(name: str) -> None:
    half = logits(2, name == "cross-entropy")[:2]
    result = losses(0.7)[name](pair_of(values_of(name, torch.cat([half, half]))))
    assert float(result.parts["consistency"]) == pytest.approx(0, abs=1e-12)


@pytest.mark.slow
def test_the_gradient_pulls_each_view_to_the_other() -> None:
    """Of logits a against a fixed target p, the gradient of KL(p ‖ softmax a) is softmax a - p."""
    scores = logits(3).requires_grad_()
    part = losses(1.0)["ctc"](pair_of(scores.log_softmax(-1))).parts["consistency"]
    (gradient,) = torch.autograd.grad(len(LENGTHS) * part, scores)
    probs = scores.detach().softmax(-1)
    for clip, length in enumerate(LENGTHS):
        apart = 0.5 * (probs[clip] - probs[clip + 2])
        torch.testing.assert_close(gradient[clip, :length], apart[:length])
        torch.testing.assert_close(gradient[clip + 2, :length], -apart[:length])
        assert not gradient[clip, length:].any()


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_targets_that_do_not_move(name: str) -> None:
    loss, start = losses(1.0)[name], logits(4, name == "cross-entropy")

    def distributions(scores: Tensor) -> Tensor:
        """What the two views of each clip say, as log-probabilities: of frames that count, or of clips."""
        said = scores.log_softmax(-1)
        if name == "cross-entropy":
            return said
        if name == "clips":
            return single_gloss_scores(said, torch.tensor(LENGTHS * 2)).log_softmax(-1)
        return torch.cat([said[i, : LENGTHS[i % 2]] for i in range(4)])

    target = torch.cat(distributions(start).chunk(2)[::-1]).exp()  # each view's target is the other

    def fixed(scores: Tensor) -> Tensor:
        return 0.5 * (target * (target.log() - distributions(scores))).sum() / len(LENGTHS)

    start.requires_grad_()
    assert torch.autograd.gradcheck(fixed, (start,))
    part = loss(pair_of(values_of(name, start))).parts["consistency"]
    torch.testing.assert_close(part, fixed(start))
    torch.testing.assert_close(torch.autograd.grad(part, start), torch.autograd.grad(fixed(start), start))


@pytest.mark.parametrize("name", NAMES[:3])
@pytest.mark.parametrize("fill", [50.0, float("nan")])
def test_padding_changes_nothing(name: str, fill: float) -> None:
    found = []
    for value in (0.0, fill):
        scores = logits(6).log_softmax(-1)
        scores[1::2, LENGTHS[1] :] = value
        scores.requires_grad_()
        result = losses(0.5)[name](pair_of(scores))
        found.append((result.total.detach(), torch.autograd.grad(result.total, scores)[0][0::2]))
        assert result.total.isfinite()
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_two_views_only_while_it_is_trained(name: str) -> None:
    loss, none = losses(0.2)[name], losses(0)[name]
    assert (loss.views, loss.eval().views, loss.train().views) == (2, 1, 2)
    assert (none.views, none.eval().views, none.train().views, none.aligned) == (1, 1, 1, False)
    assert loss.aligned == (name in ("ctc", "ctc-isolated"))
    shown = attrs.evolve(pair_of(values_of(name, logits(7, name == "cross-entropy"))), views=1)
    assert "consistency" not in none(shown).parts


def test_lengths_that_differ_are_named() -> None:
    sample = pair_of(logits(1).log_softmax(-1))
    changed = attrs.evolve(sample, output=attrs.evolve(sample.output, lengths=torch.tensor([9, 4, 9, 3])))
    with pytest.raises(asl.RunError, match=r"two views of clip 'b'.*changes_time"):
        losses(0.2)["ctc"](changed)


def step(augments: list[str], seed: Any = 3, **options: Any) -> tuple[Any, list[asl.Sample]]:
    """A training step on made-up signs, and what the loss saw."""
    config = asl.configure({**SETTINGS, "augment": augments, **options}, project_file=False, environ={})
    dataset = config.dataset.build()
    clips = list(dataset.clips("train"))
    store = asl.ClipStore(clips, asl.Vocabulary(tuple(sorted({g for c in clips for g in c.glosses}))))
    torch.manual_seed(0)
    model = build_model(config, store.width, len(store.vocabulary))
    objectives = build_objectives(config)
    seen = [_watch(o) for o in objectives]
    batch = store.batch(torch.arange(8))
    random = functools.partial(_random, batch, seed)
    built = [a.build() for a in config.augments]
    return compute(model, objectives, batch, random, built, mixup=config.train.mixup), seen[0]


def _random(batch: asl.Batch, seed: int, purpose: str) -> asl.ClipRandom:
    return asl.ClipRandom.of(batch.index, seed, purpose)


def _watch(objective: Objective) -> list[asl.Sample]:
    seen: list[asl.Sample] = []
    objective.loss.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    return seen


def test_frames_stay_in_line_where_frames_are_compared() -> None:
    _, (seen,) = step(["speed", "crop", "noise"], **{"loss.consistency": 0.2})
    lengths, others = seen.batch.lengths.chunk(2)
    assert torch.equal(lengths, others)
    one, two = seen.batch.features.chunk(2)
    assert not torch.equal(one, two)
    apart = (one - two)[0, : lengths[0]]
    assert float(apart.std()) == pytest.approx(0.1 * 2**0.5, rel=0.2), "only the noise differs"
    _, (seen,) = step(["speed", "crop"], **{"loss.consistency": 0.2, "loss.consistency-of": "clips"})
    lengths, others = seen.batch.lengths.chunk(2)
    assert not torch.equal(lengths, others)


@pytest.mark.slow
def test_mixup_mixes_both_views_alike() -> None:
    options = {"loss.consistency": 0.2, "train.mixup": 0.4}
    tries = [step(["noise"], seed, **options) for seed in range(12)]
    pairs = [(*seen, result) for result, seen in tries if len(seen) == 2]  # half of the batches are mixed
    first, second, result = next(p for p in pairs if not torch.equal(p[0].batch.targets, p[1].batch.targets))
    assert torch.equal(*first.batch.targets.chunk(2))
    assert torch.equal(*second.batch.targets.chunk(2))
    assert torch.equal(first.batch.features, second.batch.features)
    assert result.parts["ctc-isolated/consistency"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("head", ["ctc", "mean"])
def test_a_run_with_consistency_learns_and_evaluates_on_clips_as_they_are(tmp_path: Path, head: str) -> None:
    settings = {**SETTINGS, "head": head, "augment": ["noise"], "run.out": str(tmp_path), "loss.consistency": 0.2}
    done = asl.run(asl.configure(settings, project_file=False, environ={}))
    name = {"ctc": "ctc-isolated", "mean": "cross-entropy"}[head]
    entry = json.loads((done.path / "metrics.jsonl").read_text().splitlines()[-1])
    assert entry["train"][f"{name}/consistency"] > 0
    assert f"{name}/consistency" not in entry["val"]
