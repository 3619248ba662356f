"""Views and corrupted copies are stacked, the encoder runs once, and each loss sees the rows that are its own."""

from __future__ import annotations

import functools
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor
from toy_components import ClassLoss, FrameHead, LinearEncoder, MeanHead, SmallOptions, make_clips, offer, registry
from toy_components import component as toy

from asl_core import Batch, ClipRandom, ClipStore, Loss, LossResult, Sample, Vocabulary
from asl_core.config.resolve import resolve
from asl_core.config.sources import value_layer
from asl_core.model.objectives import Objective, StepResult, build_objectives, compute
from asl_core.model.recogniser import Recognizer, Standardiser


class TwoViews(Loss):
    """Distance between a clip's two views in the head's output."""

    accepts = frozenset({"classes"})
    views = 2
    labels = "none"

    def forward(self, sample: Sample) -> LossResult:
        self.seen = sample
        one, two = sample.output.values.chunk(sample.views)
        return LossResult((one - two).square().mean(), {"spread": one.std()})

    def figures(self, sample: Sample) -> dict[str, Tensor]:
        return {"norm": sample.output.values.norm(dim=1)}


class Masked(Loss):
    """The mean of the head's frames against the clean ones; hides frames, and lengthens the clips by one."""

    accepts = frozenset({"frames"})
    corrupts = True
    labels = "none"

    def __init__(self, options: Any = None, extra: int = 1):
        super().__init__()
        self.extra = extra

    def corrupt(self, batch: Batch, random: ClipRandom) -> Batch:
        keep = (random.uniform(batch.features.shape[1]) > 0.3) & batch.mask
        features = torch.nn.functional.pad(batch.features * keep[:, :, None], (0, 0, 0, self.extra))
        return batch.with_features(features, batch.lengths + self.extra)

    def forward(self, sample: Sample) -> LossResult:
        self.seen = sample
        mean = sample.output.values.mean((1, 2)) - sample.clean.features.sum((1, 2))
        return LossResult(mean.square().mean())


def shift(batch: Batch, random: ClipRandom) -> Batch:
    """An augmentation that adds one number a clip."""
    return batch.with_features((batch.features + random.uniform(1, 1)) * batch.mask[:, :, None])


def random_of(batch: Batch, purpose: str) -> ClipRandom:
    return ClipRandom.of(batch.index, 5, 1, purpose)


@pytest.fixture
def batch() -> Batch:
    store = ClipStore(make_clips([4, 2, 5], ["a", "b", "a"]), Vocabulary(("a", "b")))
    return store.batch(torch.tensor([2, 0, 1]))


@pytest.fixture
def model() -> Recognizer:
    torch.manual_seed(0)
    heads = {"main": MeanHead(None, 8, 2), "frames": FrameHead(None, 8, 2)}
    return Recognizer(Standardiser(3), LinearEncoder(SmallOptions(), 3), heads)


def run(model: Any, batch: Batch, *objectives: Objective, augments: Any = (shift,), **more: Any) -> StepResult:
    model.encoder.calls = 0
    result = compute(model, objectives, batch, functools.partial(random_of, batch), augments, **more)
    assert model.encoder.calls == 1
    return result


def view(batch: Batch, number: int) -> Batch:
    return shift(batch, random_of(batch, f"view {number} augment 0"))


def classes(model: Recognizer, batch: Batch) -> Tensor:
    frames, lengths = model.encode(batch)
    values: Tensor = model.head("main")(frames, lengths).values
    return values


def same(one: Batch, other: Batch) -> None:
    for name in ("features", "lengths", "targets", "target_lengths", "index"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert one.ids == other.ids


def test_a_plain_loss(model: Recognizer, batch: Batch) -> None:
    result = run(model, batch, Objective("class", "main", ClassLoss(), 0.5))
    expected = torch.nn.functional.cross_entropy(classes(model, view(batch, 0)), batch.targets)
    torch.testing.assert_close(result.total, 0.5 * expected)
    torch.testing.assert_close(result.parts["class"], expected.detach())
    assert not result.parts["class"].requires_grad
    assert result.figures == {}


def test_two_views(model: Recognizer, batch: Batch) -> None:
    loss = TwoViews()
    result = run(model, batch, Objective("pair", "main", loss, 2.0), figures=True)
    same(loss.seen.batch, Batch.cat([view(batch, 0), view(batch, 1)]))
    assert loss.seen.clean is loss.seen.batch
    assert not torch.equal(view(batch, 0).features, view(batch, 1).features)
    one, two = classes(model, view(batch, 0)), classes(model, view(batch, 1))
    torch.testing.assert_close(result.total, 2 * (one - two).square().mean())
    assert set(result.parts) == {"pair", "pair/spread"}
    assert result.figures["norm"].shape == (6,)


class Later:
    """An augmentation that moves a clip's frames in time, and says so or not."""

    def __init__(self, *, told: bool):
        self.changes_time = told

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        by = int(random.uniform(64).sum())  # of all clips and numbers, so that two draws are never the same
        return batch.with_features(batch.features + by * batch.mask[:, :, None])


@pytest.mark.parametrize(
    ("aligned", "told", "same_draw"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_aligned_views_share_what_changes_time_and_nothing_else(
    model: Recognizer, batch: Batch, aligned: bool, told: bool, same_draw: bool
) -> None:
    loss = TwoViews()
    loss.aligned = aligned
    run(model, batch, Objective("pair", "main", loss, 1.0), augments=(Later(told=told),))
    one, two = loss.seen.batch.features.chunk(2)
    assert torch.equal(one, two) == same_draw
    run(model, batch, Objective("pair", "main", loss, 1.0), augments=(Later(told=told), shift))
    one, two = loss.seen.batch.features.chunk(2)
    assert not torch.equal(one, two)


def test_a_corrupting_loss_sees_the_clean_copy(model: Recognizer, batch: Batch) -> None:
    loss = Masked()
    result = run(model, batch, Objective("mask", "frames", loss, 1.0))
    clean = view(batch, 0)
    shown = loss.corrupt(clean, random_of(batch, "corrupt mask"))
    same(loss.seen.batch, shown)
    assert loss.seen.clean.features.shape == shown.features.shape, "padded alike, so that frames can be compared"
    assert torch.equal(loss.seen.clean.features[:, :5], clean.features)
    assert torch.equal(loss.seen.clean.lengths, clean.lengths)
    expected = model.encode(shown)[0].mean((1, 2)) - clean.features.sum((1, 2))
    torch.testing.assert_close(result.total, expected.square().mean())


def test_all_together_equals_each_alone(model: Recognizer, batch: Batch) -> None:
    """A plain loss beside a two-view one sees both views; corrupted copies are nobody else's."""
    plain, pair, mask, other = ClassLoss(), TwoViews(), Masked(), Masked(extra=3)
    objectives = [
        Objective("mask", "frames", mask, 1.0),
        Objective("class", "main", plain, 0.5),
        Objective("pair", "main", pair, 2.0),
        Objective("other", "frames", other, 3.0),
    ]
    result = run(model, batch, *objectives)
    both = Batch.cat([view(batch, 0), view(batch, 1)])
    class_loss = torch.nn.functional.cross_entropy(classes(model, both), both.targets)
    one, two = classes(model, both).chunk(2)
    expected = {"class": class_loss, "pair": (one - two).square().mean()}
    torch.testing.assert_close({k: result.parts[k] for k in expected}, {k: v.detach() for k, v in expected.items()})
    assert (len(mask.seen.batch), len(other.seen.batch), len(pair.seen.batch)) == (3, 3, 6)
    assert mask.seen.batch.lengths.tolist() == [6, 5, 3]
    assert other.seen.batch.lengths.tolist() == [8, 7, 5]
    assert mask.seen.output.values.shape == (3, 8, 8)
    assert not torch.equal(mask.seen.batch.features[:, :5], other.seen.batch.features[:, :5]), "each has its own noise"
    for seen in (mask.seen, other.seen):
        torch.testing.assert_close(seen.output.values, model.encode(seen.batch)[0])
        assert torch.equal(seen.clean.features[:, :5], view(batch, 0).features)
    weighted = sum(o.weight * result.parts[o.name] for o in objectives)
    torch.testing.assert_close(result.total.detach(), weighted)


def test_gradients_reach_the_encoder_through_every_loss(model: Any, batch: Batch) -> None:
    for loss, head in [(ClassLoss(), "main"), (TwoViews(), "main"), (Masked(), "frames")]:
        model.zero_grad()
        run(model, batch, Objective("x", head, loss, 1.0)).total.backward()
        assert float(model.encoder.layer.weight.grad.abs().sum()) > 0


def test_frames_that_are_known_are_not_encoded_again(model: Any, batch: Batch) -> None:
    objective = Objective("class", "main", ClassLoss(), 1.0)
    expected = run(model, batch, objective, augments=()).total
    encoded = model.encode(batch)
    model.encoder.calls = 0
    result = compute(model, [objective], batch, functools.partial(random_of, batch), encoded=encoded)
    assert model.encoder.calls == 0
    assert torch.equal(result.total, expected)


def test_losses_without_views_are_plain() -> None:
    assert [Objective("x", "main", loss, 1.0).plain for loss in (ClassLoss(), TwoViews(), Masked())] == [
        True,
        False,
        False,
    ]


def test_names_and_weights_come_from_the_configuration() -> None:
    extra = offer("loss", attrs.evolve(toy("masked"), factory="test_objectives:Masked"))
    one = {"loss": "plain", "heads.main.losses.extra.name": "masked", "heads.main.losses.extra.weight": 0.25}
    objectives = build_objectives(resolve([value_layer(one, "script")], registry(extra)))
    assert [(o.name, o.head, o.weight, type(o.loss)) for o in objectives] == [
        ("plain", "main", 1.0, ClassLoss),
        ("extra", "main", 0.25, objectives[1].loss.__class__),
    ]
    assert objectives[1].loss.corrupts
    two = resolve([value_layer({**one, "head": "ctc", "heads.side.name": "ctc"}, "script")], registry(extra))
    assert [o.name for o in build_objectives(two)] == ["main.plain", "main.extra", "side.plain"]
