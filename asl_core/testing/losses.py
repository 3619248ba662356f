"""What a loss promises: a finite scalar that trains the head below it, whatever the padding.

A loss stands on a head, so the two are tried together: their weights, gradients and states are those of one module.
"""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.compute.seeding import ClipRandom
from asl_core.contracts import Head, Loss, LossResult, Sample
from asl_core.registry.component import Component
from asl_core.testing.batches import CLASSES, LENGTHS, alone, padded, random_batch, store_of
from asl_core.testing.checks import Bench, Checks, SkippedCheck, hold, require
from asl_core.testing.components import COMPONENT_CHECKS
from asl_core.testing.modules import EXACT, MODULE_CHECKS, ModuleBench, repeats

__all__ = ["LOSS_CHECKS", "LossBench", "check_loss"]

_LABELS = ("one", "any", "none")


def check_loss(component: Component, head: Component, *, width: int = 16, **options: Any) -> None:
    """Every promise of a loss; see :data:`LOSS_CHECKS`.

    Args:
        component: the loss.
        head: a head of a kind that it accepts, tried with its defaults.
        width: numbers a frame of the clips, which the head reads as they are.
        options: of the loss, other than the defaults.

    Raises:
        ContractError: the first promise that is broken.
    """
    bench = LossBench(component, options, width, head=Bench(head))
    hold(COMPONENT_CHECKS, bench)
    hold(LOSS_CHECKS, bench)


class Pair(nn.Module):
    """A head and the loss on it."""

    def __init__(self, head: Head, loss: Loss):
        super().__init__()
        self.head, self.loss = head, loss


@attrs.define(slots=False)
class LossBench(ModuleBench):
    """A loss, built as ``factory(options)`` and prepared, on a head."""

    width: int = 16
    head: Bench = attrs.field(kw_only=True)

    def new(self) -> nn.Module:
        """The head with fresh weights, and the loss that has seen the clips."""
        head = self.head.make(self.width, CLASSES)
        loss = self.make()
        loss.prepare(store_of(self.batch(torch.float32)))
        return Pair(head, loss)

    def pair(self) -> Pair:
        """In float64, as it is evaluated."""
        return self.build().eval()  # type: ignore[return-value]

    def output(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The scalar."""
        return self.result(module, batch).total, None

    def result(self, module: nn.Module, batch: Batch) -> LossResult:
        """What the loss says of a batch, seen as it asks for."""
        pair: Pair = module  # type: ignore[assignment]
        sample = self.sample(pair, batch)
        found: LossResult = pair.loss(sample)
        return found

    def sample(self, pair: Pair, batch: Batch) -> Sample:
        """A training step without an encoder: views stacked, or the batch corrupted."""
        loss = pair.loss
        shown = loss.corrupt(batch, ClipRandom.of(batch.index, 0)) if loss.corrupts else batch
        shown, clean = Batch.cat([shown] * loss.views), Batch.cat([batch] * loss.views)
        return Sample(pair.head(shown.features, shown.lengths), shown, clean, loss.views)


def _builds(bench: LossBench) -> str:
    loss: Any = bench.make()
    require(isinstance(loss, nn.Module), f"the factory gives a {type(loss).__name__}; expected an nn.Module")
    require(loss.accepts, "accepts is empty: name the kinds of head output that it takes")
    accepted = ", ".join(sorted(loss.accepts))
    head = bench.pair().head
    require(head.kind in loss.accepts, f"it does not accept head kind {head.kind!r}, only {accepted}")
    require(loss.labels in _LABELS, f"labels is {loss.labels!r}; expected one of {', '.join(_LABELS)}")
    require(not (loss.corrupts and loss.views > 1), f"it asks for {loss.views} views and corrupts the batch")
    return f"on head {bench.head.component.name}"


def _scalar(bench: LossBench) -> None:
    pair, batch = bench.pair(), bench.batch()
    labels = [batch, alone(batch, 2), alone(batch, 1)]
    if pair.loss.labels == "any":
        long = random_batch((9, 23, 30), bench.width, CLASSES, glosses=2)
        labels.append(long)
    with torch.no_grad():
        for shown in labels:
            result = bench.result(pair, shown)
            require(isinstance(result, LossResult), f"forward gives a {type(result).__name__}; expected a LossResult")
            named = {"the total": result.total, **{f"part {k!r}": v for k, v in result.parts.items()}}
            for name, value in named.items():
                require(value.ndim == 0, f"{name} has shape {tuple(value.shape)}; expected a scalar")
                require(value.isfinite(), f"{name} of {len(shown)} clips of random frames is {float(value)}")


def _figures(bench: LossBench) -> str:
    pair = bench.pair()
    with torch.no_grad():
        sample = bench.sample(pair, bench.batch())
        found = pair.loss.figures(sample)
    for name, figure in found.items():
        expected = (len(sample.batch),)
        require(figure.shape == expected, f"figure {name} has shape {tuple(figure.shape)}; expected {expected}")
    return ", ".join(found)


def _input(bench: LossBench) -> None:
    pair, batch = bench.pair(), bench.batch()
    with torch.no_grad():
        before = bench.total(pair, batch)
        after = bench.total(pair, batch.with_features((batch.features.flip(2) + 1) * batch.mask[:, :, None]))
        require(not torch.equal(before, after), "the loss is the same whatever the head says: it trains nothing")
        if pair.loss.labels != "none":
            turned = attrs.evolve(batch, targets=(batch.targets + 1) % CLASSES)
            require(not torch.equal(before, bench.total(pair, turned)), "the loss is the same whatever the labels are")


def _padding(bench: LossBench) -> None:
    pair, batch = bench.pair(), bench.batch()
    with torch.no_grad():
        before, after = bench.total(pair, batch), bench.total(pair, padded(batch, 9))
    require(
        torch.isclose(before, after, rtol=EXACT, atol=1e-12),
        f"the loss changes with padding: {float(before)!r} and {float(after)!r} for the same clips",
    )


def _corrupts(bench: LossBench) -> None:
    """What is hidden of a clip is drawn for that clip: the same alone, again, and under more padding."""
    pair, batch = bench.pair(), bench.batch()
    if not pair.loss.corrupts:
        raise SkippedCheck("it shows the encoder the clips as they are")

    def corrupt(shown: Batch) -> Batch:
        return pair.loss.corrupt(shown, ClipRandom.of(shown.index, 3, 1))

    out = corrupt(batch)
    require(torch.equal(out.lengths, batch.lengths), "corrupt changes the number of frames, so that clean has others")
    require(not torch.equal(out.features, batch.features), "corrupts is True, and corrupt changes no clip")
    for place, length in enumerate(LENGTHS):
        for other in (corrupt(alone(batch, place)).features[0], corrupt(padded(batch, 9)).features[place]):
            same = torch.equal(other[:length], out.features[place, :length])
            require(same, f"clip {place} is corrupted otherwise in another batch: draw from ClipRandom, by clip")


LOSS_CHECKS: Checks[LossBench] = {
    "builds": _builds,
    "scalar": _scalar,
    "repeats": repeats,
    "corruption": _corrupts,
    "figures": _figures,
    "input": _input,
    "padding": _padding,
    **MODULE_CHECKS,
}
