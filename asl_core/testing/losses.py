"""Checks of losses: a finite scalar that trains the head, whatever the padding.

A loss is tried together with a head: their weights, gradients and states are those of one module.
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
from asl_core.testing.batches import CLASSES, LENGTHS, alone, padded, random_batch, store_of, with_other_frames
from asl_core.testing.checks import Bench, Checks, SkippedCheck, require
from asl_core.testing.components import hold_all
from asl_core.testing.modules import EXACT, MODULE_CHECKS, ModuleBench, repeats, require_module

__all__ = ["LOSS_CHECKS", "LossBench", "check_loss"]

_LABELS = ("one", "any", "none")


def check_loss(component: Component, head: Component, *, width: int = 16, **options: Any) -> None:
    """Check a loss against its contract.

    Args:
        component: the loss.
        head: a head of a kind that it accepts, with its default options.
        width: features per frame of the input of the head.
        options: of the loss, other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold_all(LOSS_CHECKS, LossBench(component, options, width, head=Bench(head)))


class Pair(nn.Module):
    """A head and its loss."""

    def __init__(self, head: Head, loss: Loss):
        super().__init__()
        self.head, self.loss = head, loss


@attrs.define(slots=False)
class LossBench(ModuleBench):
    """A loss, built as ``factory(options)`` and prepared, with a head."""

    width: int = 16
    head: Bench = attrs.field(kw_only=True)

    @property
    def tried_on(self) -> str:
        """The options, the batch and the head."""
        return f"{super().tried_on}; on head {self.head.component.name!r}"

    def new(self) -> nn.Module:
        """The head with new weights, and the loss prepared on the clips."""
        head = self.head.make(self.width, CLASSES)
        loss = self.make()
        loss.prepare(store_of(self.batch(torch.float32)))
        return Pair(head, loss)

    def pair(self) -> Pair:
        """In float64 and evaluation mode."""
        return self.build().eval()  # type: ignore[return-value]

    def output(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The scalar."""
        return self.result(module, batch).total, None

    def result(self, module: nn.Module, batch: Batch) -> LossResult:
        """The loss of a batch, with the views or corruption that the loss asks for."""
        pair: Pair = module  # type: ignore[assignment]
        result: LossResult = pair.loss(self.sample(pair, batch))
        return result

    def sample(self, pair: Pair, batch: Batch) -> Sample:
        """The sample of a training step without an encoder: views stacked, or the batch corrupted."""
        loss = pair.loss
        shown = loss.corrupt(batch, ClipRandom.of(batch.index, 0)) if loss.corrupts else batch
        shown, clean = Batch.cat([shown] * loss.views), Batch.cat([batch] * loss.views)
        return Sample(pair.head(shown.features, shown.lengths), shown, clean, loss.views)


def _builds(bench: LossBench) -> str:
    """factory(options) returns an nn.Module with accepts, labels, and views or corrupts but not both."""
    loss: Any = bench.make()
    require_module(loss)
    require(loss.accepts, "accepts is empty: name the kinds of head output that it takes")
    accepted = ", ".join(sorted(loss.accepts))
    head = bench.pair().head
    require(head.kind in loss.accepts, f"it does not accept head kind {head.kind!r}, only {accepted}")
    require(loss.labels in _LABELS, f"labels is {loss.labels!r}; expected one of {', '.join(_LABELS)}")
    require(not (loss.corrupts and loss.views > 1), f"it asks for {loss.views} views and corrupts the batch")
    return f"on head {bench.head.component.name}"


def _couples(bench: LossBench) -> str:
    """A batch's loss is the mean of its halves' losses, unless the loss declares otherwise."""
    pair, batch = bench.pair(), random_batch((30, 24, 18, 12), bench.width, CLASSES)
    if getattr(pair.loss, "couples_clips", False):
        return "declared: couples_clips"
    with torch.no_grad():
        whole = bench.result(pair, batch).total
        halves = [bench.result(pair, batch.rows(start, start + 2)).total for start in (0, 2)]
    require(
        torch.isclose(whole, torch.stack(halves).mean(), rtol=1e-3, atol=1e-3),
        f"a batch of 4 clips has loss {float(whole):g}, and its halves {', '.join(f'{float(h):g}' for h in halves)}: a "
        f"clip's loss depends on the other clips of its batch; set couples_clips = True, so that runs on several "
        f"processes, which split batches, are refused or warned",
    )
    return "the mean of its clips' losses"


def _scalar(bench: LossBench) -> None:
    """``forward`` gives a LossResult whose total and parts are finite scalars."""
    pair, batch = bench.pair(), bench.batch()
    tried = [batch, alone(batch, 2), alone(batch, 1)]
    if pair.loss.labels == "any":
        tried.append(random_batch((9, 23, 30), bench.width, CLASSES, glosses=2))
    with torch.no_grad():
        for shown in tried:
            result = bench.result(pair, shown)
            require(isinstance(result, LossResult), f"forward gives a {type(result).__name__}; expected a LossResult")
            values = {"the total": result.total, **{f"part {k!r}": v for k, v in result.parts.items()}}
            for name, value in values.items():
                require(value.ndim == 0, f"{name} has shape {tuple(value.shape)}; expected a scalar")
                require(value.isfinite(), f"{name} of {len(shown)} clips of random frames is {float(value)}")


def _figures(bench: LossBench) -> str:
    """``figures`` gives (B,) per name."""
    pair = bench.pair()
    with torch.no_grad():
        sample = bench.sample(pair, bench.batch())
        figures = pair.loss.figures(sample)
    for name, figure in figures.items():
        expected = (len(sample.batch),)
        require(figure.shape == expected, f"figure {name} has shape {tuple(figure.shape)}; expected {expected}")
    return ", ".join(figures)


def _input(bench: LossBench) -> None:
    """The loss depends on the head's output and, where it needs labels, on them."""
    pair, batch = bench.pair(), bench.batch()
    with torch.no_grad():
        before = bench.total(pair, batch)
        after = bench.total(pair, with_other_frames(batch))
        require(not torch.equal(before, after), "the loss is the same whatever the head's output is: it trains nothing")
        if pair.loss.labels != "none":
            relabelled = attrs.evolve(batch, targets=(batch.targets + 1) % CLASSES)
            require(
                not torch.equal(before, bench.total(pair, relabelled)), "the loss is the same whatever the labels are"
            )


def _padding(bench: LossBench) -> None:
    """The loss is the same with more padding."""
    pair, batch = bench.pair(), bench.batch()
    with torch.no_grad():
        before, after = bench.total(pair, batch), bench.total(pair, padded(batch, 9))
    require(
        torch.isclose(before, after, rtol=EXACT, atol=1e-12),
        f"the loss changes with padding: {float(before)!r} and, with 9 more frames of it, {float(after)!r}; mask it",
    )


def _corrupts(bench: LossBench) -> None:
    """``corrupt`` draws for each clip by itself: the same alone, in a batch, and with more padding."""
    pair, batch = bench.pair(), bench.batch()
    if not pair.loss.corrupts:
        raise SkippedCheck("it does not corrupt clips")

    def corrupt(shown: Batch) -> Batch:
        return pair.loss.corrupt(shown, ClipRandom.of(shown.index, 3, 1))

    out = corrupt(batch)
    require(
        torch.equal(out.lengths, batch.lengths),
        "corrupt changes the lengths; clean and corrupted clips must have the same frames",
    )
    require(not torch.equal(out.features, batch.features), "corrupts is True, and corrupt changes no clip")
    for index, length in enumerate(LENGTHS):
        for other in (corrupt(alone(batch, index)).features[0], corrupt(padded(batch, 9)).features[index]):
            same = torch.equal(other[:length], out.features[index, :length])
            require(same, f"clip {index} is corrupted differently in another batch: draw from ClipRandom, clip by clip")


LOSS_CHECKS: Checks[LossBench] = {
    "builds": _builds,
    "scalar": _scalar,
    "repeats": repeats,
    "corruption": _corrupts,
    "figures": _figures,
    "input": _input,
    "padding": _padding,
    "coupling": _couples,
    **MODULE_CHECKS,
}
