"""Code books, and the losses that look at standardised features: codes and masked frames."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

from asl_core import Batch, Clip, ClipRandom, ClipStore, ConfigError, DataError, Facts, HeadOutput, Sample, Vocabulary
from asl_core.model.recogniser import Standardiser
from asl_stages.codebooks import Block, CodeBooks, k_means, parse_blocks
from asl_stages.codes import CodesHead, PhonologyLoss
from asl_stages.objective_options import CodesOptions, MaskedFramesOptions, PhonologyOptions
from asl_stages.reconstruct import MaskedFramesLoss
from asl_stages.statistics import FrameStatistics

BLOCKS = ("one=0:2", "two=2:3", "still=3:5")


def store(width: int = 5, clips: int = 12, seed: int = 0) -> ClipStore:
    """Three places for block one, two for block two, nothing for the rest; far from mean 0 and deviation 1."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(clips):
        frames = np.full((6 + i, width), 0.1, np.float32)
        frames[:, :2] = np.array([[10, 0], [10, 4], [12, 0]])[rng.integers(0, 3, 6 + i)]
        frames[:, 2] = rng.integers(0, 2, 6 + i) * 0.01
        frames[:, :3] += rng.normal(0, 1e-4, (6 + i, 3))
        made.append(Clip(id=f"c{i}", features=frames))
    return ClipStore(made, Vocabulary(()))


def standardised(clips: ClipStore) -> Batch:
    scale = Standardiser(clips.width)
    scale.fit(clips.features)
    return scale(clips.batch(torch.arange(len(clips))))


def phonology(clips: ClipStore | None = None, *, standardised: bool = True, **options: Any) -> PhonologyLoss:
    facts = Facts(5, 5, 1, standardised)
    loss = PhonologyLoss(PhonologyOptions(blocks=BLOCKS, codes=4, **options), facts=facts)
    if clips is not None:
        loss.prepare(clips)
    return loss


def sample(loss: PhonologyLoss | MaskedFramesLoss, batch: Batch, width: int, lengths: Tensor | None = None) -> Sample:
    lengths = batch.lengths if lengths is None else lengths
    shown = loss.corrupt(batch, ClipRandom.of(batch.index, 0)) if loss.corrupts else batch
    values = torch.randn(len(batch), int(lengths.max()), width, generator=torch.Generator().manual_seed(1))
    return Sample(HeadOutput(values.requires_grad_(), lengths), shown, batch, 1)


def test_k_means_finds_the_places_there_are() -> None:
    rng = torch.Generator().manual_seed(0)
    places = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], dtype=torch.float64)
    kind = torch.randint(3, (600,), generator=rng)
    points = places[kind] + 0.1 * torch.randn(600, 2, generator=rng, dtype=torch.float64)
    centres, codes = k_means(points, 3, 20)
    for k in range(3):
        assert len(codes[kind == k].unique()) == 1
        mean = points[kind == k].mean(0)
        torch.testing.assert_close(centres[codes[kind == k][0]], mean)
    again, same = k_means(points, 3, 20)
    assert torch.equal(centres, again)
    assert torch.equal(codes, same)


def test_k_means_with_fewer_points_than_centres() -> None:
    points = torch.tensor([[1.0], [1.0], [2.0]], dtype=torch.float64)
    centres, codes = k_means(points, 5, 10)
    assert centres.isfinite().all()
    assert torch.equal(centres[codes], points)


def test_codes_are_the_places_and_constant_blocks_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    clips = store()
    with caplog.at_level(logging.WARNING):
        loss = phonology(clips)
    assert "leaves out still" in caplog.text
    batch = standardised(clips)
    raw = clips.batch(torch.arange(len(clips))).features
    codes = loss.books(loss.statistics.scaled(batch.features))[batch.mask]
    kinds = (raw[:, :, 0] > 11).long() * 2 + (raw[:, :, 1] > 2).long()
    found = [set(codes[kinds[batch.mask] == kind, 0].tolist()) for kind in range(3)]
    assert all(found)
    assert sum(map(len, found)) == len(set.union(*found))  # no code of two places
    result = loss(sample(loss, batch, 12))
    assert set(result.parts) == {"one", "two"}
    torch.testing.assert_close(result.total, torch.stack(list(result.parts.values())).mean())
    majority = loss.figures(sample(loss, batch, 12))["code-majority"].mean()
    assert 0.2 < float(majority) < 0.9


def test_raw_frames_get_the_codes_of_standardised_ones() -> None:
    clips = store()
    as_standard, as_raw = phonology(clips), phonology(clips, standardised=False)
    batch = standardised(clips)
    raw = clips.batch(torch.arange(len(clips)))
    one = as_standard.books(as_standard.statistics.scaled(batch.features))[batch.mask]
    other = as_raw.books(as_raw.statistics.scaled(raw.features))[batch.mask]
    assert torch.equal(one, other)
    # A hidden frame holds the mean train frame, wherever that stands.
    shown = as_raw.corrupt(raw, ClipRandom.of(raw.index, 0)).features
    hidden = (shown != raw.features).any(2)
    torch.testing.assert_close(shown[hidden], clips.features.mean(0).expand(int(hidden.sum()), -1))


def test_statistics_are_those_of_the_standardiser() -> None:
    clips = store()
    mine, theirs = FrameStatistics(), Standardiser(5)
    mine.fit(clips.features)
    theirs.fit(clips.features)
    torch.testing.assert_close(mine.mean, theirs.mean)
    torch.testing.assert_close(mine.scale, theirs.scale)
    assert mine.varying.tolist() == [True, True, True, False, False]


def test_the_answer_is_right_and_a_gradient_reaches_hidden_frames_only() -> None:
    clips = store()
    loss = phonology(clips, visible_weight=0.0)
    batch = standardised(clips)
    seen = sample(loss, batch, 12)
    loss(seen).total.backward()
    assert seen.output.values.grad is not None
    touched = (seen.output.values.grad != 0).any(2)
    assert torch.equal(touched, (seen.batch.features != batch.features).any(2))
    codes = loss.books(loss.statistics.scaled(batch.features))
    answers = torch.nn.functional.one_hot(codes, 4).flatten(2) * 50.0
    perfect = attrs.evolve(seen, output=HeadOutput(answers, batch.lengths))
    assert float(loss(perfect).total) < 1e-6
    assert loss.figures(perfect)["code-accuracy"].tolist() == [1.0] * len(batch)


def test_ahead_asks_for_the_frame_ahead() -> None:
    clips = store()
    loss = phonology(clips, predict="ahead", shift=2)
    assert not loss.corrupts
    batch = standardised(clips)
    codes = loss.books(loss.statistics.scaled(batch.features))
    ahead = torch.nn.functional.one_hot(codes.roll(-2, 1), 4).flatten(2) * 50.0
    shifted = Sample(HeadOutput(ahead.requires_grad_(), batch.lengths), batch, batch, 1)
    total = loss(shifted).total
    total.backward()
    assert float(total.detach()) < 1e-6
    assert loss.figures(shifted)["code-accuracy"].tolist() == [1.0] * len(batch)
    copies = [
        float((codes[i, : n - 2, :2] == codes[i, 2:n, :2]).double().mean())
        for i, n in enumerate(clips.lengths.tolist())
    ]
    assert loss.figures(shifted)["code-copy"].tolist() == pytest.approx(copies)


def test_half_the_frames_are_asked_for_their_centres() -> None:
    clips = store()
    loss = phonology(clips, predict="same")
    batch = standardised(clips)
    after = (batch.lengths + 1) // 2
    codes = loss.books(loss.statistics.scaled(batch.features))
    answers = torch.zeros(len(batch), int(after.max()), 12)
    for i, (n, m) in enumerate(zip(batch.lengths.tolist(), after.tolist(), strict=True)):
        for j in range(m):
            t = (2 * j + 1) * n // (2 * m)
            answers[i, j] = torch.nn.functional.one_hot(codes[i, t], 4).flatten() * 50.0
    assert float(loss(Sample(HeadOutput(answers, after), batch, batch, 1)).total) < 1e-6


def test_code_books_are_part_of_the_state() -> None:
    fitted, other = phonology(store()), phonology(store(seed=1))
    batch = standardised(store())
    expected = fitted.books(fitted.statistics.scaled(batch.features))
    assert not torch.equal(fitted.books.centres, other.books.centres)
    other.load_state_dict(fitted.state_dict())
    assert torch.equal(other.books(other.statistics.scaled(batch.features)), expected)
    assert torch.equal(other.books.used, torch.tensor([True, True, False]))


@pytest.mark.parametrize("text", ["one", "one=2", "one=3:3", "one=4:2", "=0:2", "one=a:b", "one=-1:2"])
def test_blocks_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="expected name=first:end"):
        parse_blocks([text, "fine=0:2"])


def test_faults_of_blocks() -> None:
    with pytest.raises(ConfigError, match="empty"):
        parse_blocks([])
    with pytest.raises(ConfigError, match="twice"):
        parse_blocks(["a=0:1", "a=1:2"])
    books = CodeBooks([Block("far", 3, 9)], 4)
    with pytest.raises(ConfigError, match=r"far=3:9.*5 features per frame"):
        books.fit(store().features, FrameStatistics())
    still = PhonologyLoss(PhonologyOptions(blocks=("still=3:5",)))
    with pytest.raises(DataError, match="are constant in train"):
        still.prepare(store())


def test_a_head_of_other_books_is_named_with_the_flags_that_fit() -> None:
    loss, batch = phonology(store()), standardised(store())
    head = CodesHead(CodesOptions(blocks=3, codes=5), 5, 1)
    output = head(batch.features, batch.lengths)
    with pytest.raises(ConfigError, match=r"--head.blocks 3 --head.codes 4"):
        loss(Sample(output, batch, batch, 1))


def masked_frames(clips: ClipStore, **options: Any) -> MaskedFramesLoss:
    loss = MaskedFramesLoss(MaskedFramesOptions(**options))
    loss.prepare(clips)
    return loss


@pytest.mark.parametrize("error", ["absolute", "squared"])
def test_masked_frames_counts_hidden_frames_and_varying_numbers(error: str) -> None:
    clips = store()
    loss, batch = masked_frames(clips, error=error, visible_weight=0.0), standardised(clips)
    seen = sample(loss, batch, 5)
    hidden = (seen.batch.features != batch.features).any(2)
    result = loss(seen)
    result.total.backward()
    assert seen.output.values.grad is not None
    touched = seen.output.values.grad != 0
    assert torch.equal(touched.any(2), hidden)
    assert not touched[:, :, 3:].any()
    power = 1 if error == "absolute" else 2
    values = seen.output.values.detach()
    clipwise = [
        float((values[i, hidden[i], :3] - batch.features[i, hidden[i], :3]).abs().pow(power).mean())
        for i in range(len(batch))
    ]
    assert float(result.total.detach()) == pytest.approx(sum(clipwise) / len(clipwise), rel=1e-5)


def test_masked_figures_compare_with_guesses() -> None:
    clips = store()
    loss, batch = masked_frames(clips), standardised(clips)
    seen = sample(loss, batch, 5)
    mean_guess = attrs.evolve(seen, output=HeadOutput(torch.zeros_like(batch.features), batch.lengths))
    assert float(loss.figures(mean_guess)["masked-error"].mean()) == pytest.approx(1.0, rel=1e-5)
    perfect = attrs.evolve(seen, output=HeadOutput(batch.features, batch.lengths))
    assert float(loss.figures(perfect)["masked-error"].mean()) == 0.0
    assert float(loss.figures(perfect)["masked-vs-line"].mean()) == 0.0
    line = torch.stack([torch.linspace(0, 1, 12), torch.linspace(2, -2, 12)], 1)[None]
    straight = attrs.evolve(batch.rows(0, 1), features=line, lengths=torch.tensor([12]))
    free = MaskedFramesLoss(MaskedFramesOptions(span=2, share=0.3))
    draws = (free.corrupt(straight, ClipRandom.of(straight.index, seed)) for seed in range(99))
    shown = next(b for b in draws if torch.equal(b.features[:, [0, -1]], line[:, [0, -1]]))
    guess = Sample(HeadOutput(line + 0.1, straight.lengths), shown, straight, 1)
    # Between visible frames the line is the clip, so that any error at all is far worse than the guess.
    assert float(free.figures(guess)["masked-vs-line"]) > 1e3


def test_a_head_with_other_features_is_refused() -> None:
    loss, batch = masked_frames(store()), standardised(store())
    with pytest.raises(ConfigError, match=r"reconstructs 5 features per frame, and its head gives 36"):
        loss(sample(loss, batch, 36))
