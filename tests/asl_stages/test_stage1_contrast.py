"""Losses ``contrast-time`` and ``contrast-views`` against loops written from their definitions."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from asl_core import Batch, ConfigError, HeadOutput, Sample
from asl_core.testing import random_batch
from asl_stages.contrast import ContrastTimeLoss, ContrastViewsLoss
from asl_stages.objective_options import ContrastTimeOptions, ContrastViewsOptions, ProjectionOptions
from asl_stages.projection import ProjectionHead

LENGTHS = (9, 4, 1, 6)


def embeddings(lengths: tuple[int, ...] = LENGTHS, size: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random unit frames, with rubbish where padded."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(len(lengths), max(lengths), size, generator=generator, dtype=torch.float64)
    return F.normalize(frames, dim=-1), torch.tensor(lengths)


def sample(frames: Tensor, lengths: Tensor, batch: Batch | None = None, views: int = 1) -> Sample:
    batch = random_batch(lengths.tolist()) if batch is None else batch
    return Sample(HeadOutput(frames, lengths), batch, batch, views)


def slow_contrast_time(
    frames: Tensor, lengths: Tensor, temperature: float, max_shift: int, own_beyond: int = 0
) -> tuple[float, list[float]]:
    """Every frame an anchor: mean over clips of the mean over anchors and shifts; and the share retrieved."""
    clips = [frames[i, :n] for i, n in enumerate(lengths.tolist())]
    losses, found = [], []
    for i, clip in enumerate(clips):
        others = torch.cat([c for j, c in enumerate(clips) if j != i])
        nll, first = [], []
        for t in range(len(clip)):
            own = [s for s in range(len(clip)) if own_beyond and abs(s - t) > own_beyond]
            negatives = torch.cat([others, clip[own]])
            for shift in range(1, max_shift + 1):
                if t + shift < len(clip):
                    near = clip[t] @ clip[t + shift] / temperature
                    far = negatives @ clip[t] / temperature
                    nll.append(float(torch.cat([near[None], far]).logsumexp(0) - near))
                    first.append(float(near > far.max()))
        if nll:
            losses.append(sum(nll) / len(nll))
            found.append(sum(first) / len(first))
    return sum(losses) / len(losses), found


@pytest.mark.parametrize(("temperature", "own_beyond"), [(0.1, 0), (1.0, 0), (0.1, 4)])
def test_contrast_time_is_what_its_definition_says(temperature: float, own_beyond: int) -> None:
    frames, lengths = embeddings()
    options = ContrastTimeOptions(temperature=temperature, max_shift=3, anchors=9, own_beyond=own_beyond)
    loss = ContrastTimeLoss(options)
    expected, found = slow_contrast_time(frames, lengths, temperature, 3, own_beyond)
    assert float(loss(sample(frames, lengths)).total) == pytest.approx(expected, rel=1e-12)
    retrieval = loss.figures(sample(frames, lengths))["time-retrieval"]
    assert retrieval[[0, 1, 3]].tolist() == pytest.approx(found)
    # The clip of one frame has no figure of its own and leaves the average as it is.
    assert float(retrieval[2]) == pytest.approx(sum(found) / 3)


def test_long_clips_are_compared_at_evenly_spaced_anchors() -> None:
    frames, lengths = embeddings((40, 30))
    few = ContrastTimeLoss(ContrastTimeOptions(anchors=4, max_shift=2))
    anchors = {0: [5, 15, 25, 35], 1: [3, 11, 18, 26]}
    nll = []
    for clip, other in ((0, 1), (1, 0)):
        own = []
        for t in anchors[clip]:
            far = torch.stack([frames[clip, t] @ frames[other, s] for s in anchors[other]]) / 0.1
            for shift in (1, 2):
                near = (frames[clip, t] @ frames[clip, t + shift] / 0.1)[None]
                own.append(torch.cat([near, far]).logsumexp(0) - near[0])
        nll.append(torch.stack(own).mean())
    assert float(few(sample(frames, lengths)).total) == pytest.approx(float(torch.stack(nll).mean()), rel=1e-12)


def test_another_view_of_the_same_clip_is_no_negative() -> None:
    frames, lengths = embeddings((6, 6))
    batch = random_batch((6, 6))
    twice = Batch.cat([batch, batch])
    loss = ContrastTimeLoss(ContrastTimeOptions(anchors=6))
    doubled = sample(torch.cat([frames, frames]), lengths.repeat(2), twice)
    expected, _ = slow_contrast_time(torch.cat([frames[:1], frames[1:], frames[1:]]), torch.tensor([6, 6, 6]), 0.1, 5)
    # For clip 0 the negatives are clip 1 twice: its own other view is left out.
    one = loss(sample(frames, lengths)).total
    both = loss(doubled).total
    assert float(both) > float(one)  # twice as many negatives
    assert float(both) < expected + math.log(2)
    aligned = F.normalize(torch.ones(2, 6, 8, dtype=torch.float64), dim=-1) * torch.tensor([1.0, -1.0])[:, None, None]
    opposite = sample(torch.cat([aligned, aligned]), lengths.repeat(2), twice)
    # All frames of a clip are equal: with its other view as a negative this would be log 13 and not about 0.
    assert float(loss(opposite).total) < 1e-6
    assert loss.figures(opposite)["time-retrieval"].tolist() == [1.0] * 4


def test_a_collapsed_embedding_retrieves_nothing() -> None:
    frames = F.normalize(torch.ones(4, 9, 8, dtype=torch.float64), dim=-1)
    loss = ContrastTimeLoss(ContrastTimeOptions(anchors=9))
    assert loss.figures(sample(frames, torch.tensor(LENGTHS)))["time-retrieval"].tolist() == [0.0] * 4


@pytest.mark.parametrize("lengths", [(7,), (1, 1), (1,)])
def test_nothing_to_contrast_gives_no_loss_and_no_nan(lengths: tuple[int, ...]) -> None:
    frames, n = embeddings(lengths)
    frames.requires_grad_()
    total = ContrastTimeLoss(ContrastTimeOptions())(sample(frames, n)).total
    total.backward()
    assert float(total.detach()) == pytest.approx(0.0, abs=1e-12)
    assert frames.grad is not None
    assert torch.equal(frames.grad, torch.zeros_like(frames))


def test_contrast_views_is_nt_xent() -> None:
    frames, lengths = embeddings()
    other, _ = embeddings(seed=1)
    batch = Batch.cat([random_batch(LENGTHS), random_batch(LENGTHS, seed=1)])
    loss = ContrastViewsLoss(ContrastViewsOptions(temperature=0.2))
    seen = sample(torch.cat([frames, other]), lengths.repeat(2), batch, views=2)
    clips = [v[i, :n].mean(0) for v in (frames, other) for i, n in enumerate(LENGTHS)]
    clips = [c / c.norm() for c in clips]
    nll, found = [], []
    for i, clip in enumerate(clips):
        cosines = {j: float(clip @ c) for j, c in enumerate(clips) if j != i}
        own = cosines[(i + 4) % 8]
        nll.append(math.log(sum(math.exp(c / 0.2) for c in cosines.values())) - own / 0.2)
        found.append(float(own == max(cosines.values())))
    assert float(loss(seen).total) == pytest.approx(sum(nll) / 8, rel=1e-9)
    figures = loss.figures(seen)
    assert figures["view-retrieval"].tolist() == found
    assert figures["views-alike"].tolist() == [0.0] * 8


def test_views_without_augmentation_are_told() -> None:
    frames, lengths = embeddings()
    batch = Batch.cat([random_batch(LENGTHS)] * 2)
    loss = ContrastViewsLoss(ContrastViewsOptions())
    figures = loss.figures(sample(frames.repeat(2, 1, 1), lengths.repeat(2), batch, views=2))
    assert figures["views-alike"].tolist() == [1.0] * 8
    head = ProjectionHead(ProjectionOptions(), 16, 1)
    text = head.diagnose({"views-alike": 1.0, "spread": 0.9, "effective-rank": 12.0})
    assert text is not None
    assert "--augment" in text
    assert head.diagnose({"views-alike": 0.0, "spread": 0.9, "effective-rank": 12.0}) is None


def test_a_near_frame_cannot_also_be_far() -> None:
    with pytest.raises(ConfigError, match="at least 5"):
        ContrastTimeLoss(ContrastTimeOptions(own_beyond=3))


@pytest.mark.parametrize("views", [1, 2])
def test_autocast_does_not_blunt_the_cosines(views: int) -> None:
    frames, lengths = embeddings()
    frames = torch.cat([frames, embeddings(seed=1)[0]][:views]).float()
    batch = Batch.cat([random_batch(LENGTHS), random_batch(LENGTHS, seed=1)][:views])
    loss = ContrastTimeLoss(ContrastTimeOptions()) if views == 1 else ContrastViewsLoss(ContrastViewsOptions())
    seen = sample(frames, lengths.repeat(views), batch, views)
    expected = loss(seen).total
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(seen).total
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
