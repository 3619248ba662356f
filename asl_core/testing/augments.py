"""What an augmentation promises: changes drawn for each clip by itself, and padding that stays zero."""

from __future__ import annotations

from typing import Any

import attrs
import torch

from asl_core.clips.batch import Batch
from asl_core.compute.seeding import ClipRandom
from asl_core.contracts import Augment
from asl_core.registry.component import Component
from asl_core.testing import batches
from asl_core.testing.batches import WIDTH, alone, padded, random_batch
from asl_core.testing.checks import Bench, Checks, SkippedCheck, hold, require
from asl_core.testing.components import COMPONENT_CHECKS

__all__ = ["AUGMENT_CHECKS", "AugmentBench", "check_augment"]

_TRIES = 64  #: epochs after which an augmentation that is ever to do something has done it


def check_augment(component: Component, *, width: int = WIDTH, **options: Any) -> None:
    """Every promise of an augmentation; see :data:`AUGMENT_CHECKS`.

    Args:
        component: the augmentation.
        width: numbers a frame of the clips to try it on.
        options: other than the defaults.

    Raises:
        ContractError: the first promise that is broken.
    """
    bench = AugmentBench(component, options, width)
    hold(COMPONENT_CHECKS, bench)
    hold(AUGMENT_CHECKS, bench)


@attrs.define(slots=False)
class AugmentBench(Bench):
    """An augmentation, built as ``factory(options)``."""

    width: int = WIDTH

    def batch(self) -> Batch:
        """What it is tried on: float32, as in a run."""
        return random_batch(width=self.width, dtype=torch.float32)

    def apply(self, batch: Batch, epoch: int = 1) -> Batch:
        """The batch as a freshly built augmentation changes it in an epoch."""
        augment: Augment = self.make()
        return augment(batch, ClipRandom.of(batch.index, 3, epoch, "view"))


def _builds(bench: AugmentBench) -> None:
    augment = bench.make()
    require(callable(augment), f"the factory gives a {type(augment).__name__}, which cannot be called with a batch")
    raw = getattr(augment, "raw", False)
    require(isinstance(raw, bool), f"raw is {raw!r}; expected true or false")
    require_fit(augment, bench.width)


def require_fit(component: Any, width: int) -> None:
    """Skip what says that it cannot take frames of this width."""
    reason = component.unfit(width) if hasattr(component, "unfit") else None
    require(reason is None or isinstance(reason, str), f"unfit gives {reason!r}; expected a reason, or None")
    if reason is not None:
        raise SkippedCheck(
            f"it does not fit clips of {width} numbers a frame: {reason}; check it on others (--width N)"
        )


def _shapes(bench: AugmentBench) -> None:
    batch = bench.batch()
    for epoch in range(1, 5):
        out = bench.apply(batch, epoch)
        require(isinstance(out, Batch), f"it gives a {type(out).__name__}; expected a Batch")
        features, lengths = out.features, out.lengths
        before, after = tuple(batch.features.shape), tuple(features.shape)
        fits = len(after) == 3 and after[::2] == before[::2]
        require(fits, f"{before} became {after}: only the number of frames may change")
        require(features.dtype == torch.float32, f"float32 frames became {features.dtype}")
        require(
            lengths.shape == batch.lengths.shape and not lengths.is_floating_point(),
            f"lengths have become {lengths.dtype} of shape {tuple(lengths.shape)}; expected (B,) whole numbers",
        )
        require((lengths >= 1).all(), f"a clip lost all its frames: lengths {lengths.tolist()}")
        require(features.shape[1] >= int(lengths.max()), "lengths promise more frames than there are")
        require((features[~out.mask] == 0).all(), "padding is no longer zero")
        require(features.isfinite().all(), "the frames hold NaN or infinite numbers")
        same = out.ids == batch.ids and torch.equal(out.targets, batch.targets) and torch.equal(out.index, batch.index)
        require(same, "ids, labels or places of the clips have changed; give batch.with_features(features, lengths)")


def _input_kept(bench: AugmentBench) -> None:
    """The second view of a clip starts from the same batch."""
    batch = bench.batch()
    features, lengths = batch.features.clone(), batch.lengths.clone()
    for epoch in range(1, 5):
        bench.apply(batch, epoch)
    kept = torch.equal(features, batch.features) and torch.equal(lengths, batch.lengths)
    require(kept, "the batch that came in has changed: work on a copy")


def _random(bench: AugmentBench) -> None:
    batch = bench.batch()
    out = bench.apply(batch)
    torch.rand(3)  # what else was drawn in between must not matter
    again = bench.apply(batch)
    require(_equal(out, again), "the same (seed, epoch, clip) gave other frames: draw from the ClipRandom alone")
    for place in range(len(batch)):
        one, wide = bench.apply(alone(batch, place)), bench.apply(padded(batch, 9))
        after = int(out.lengths[place])
        for name, shown, row in (("alone", one, 0), ("under more padding", wide, place)):
            same = after == int(shown.lengths[row])
            same = same and torch.equal(shown.features[row, :after], out.features[place, :after])
            require(same, f"clip {place} is augmented otherwise {name} than in a batch: draw from ClipRandom per clip")


def _changes(bench: AugmentBench) -> str:
    batch = bench.batch()
    changed = [not _equal(bench.apply(batch, epoch), batch) for epoch in range(1, _TRIES + 1)]
    require(any(changed), f"no clip was changed in {_TRIES} epochs: it does nothing")
    return f"changes the batch in {sum(changed)} of {_TRIES} epochs"


def _views(bench: AugmentBench) -> str:
    """What predictions are averaged over: as for any prediction, padding and company must not matter."""
    offered = bench.make().views() if hasattr(bench.make(), "views") else {}
    if not offered:
        raise SkippedCheck("it has no views to average over")
    batch = bench.batch()
    before = batch.features.clone()
    for name, change in offered.items():
        out = change(batch)
        require(isinstance(out, Batch), f"view {name} gives a {type(out).__name__}; expected a Batch")
        require(torch.equal(before, batch.features), f"view {name} changed the batch that came in: work on a copy")
        require(out.features.shape[::2] == before.shape[::2], f"view {name}: only the number of frames may change")
        require((out.lengths >= 1).all(), f"view {name}: a clip lost all its frames")
        require((out.features[~out.mask] == 0).all(), f"view {name}: padding is no longer zero")
        require(_equal(out, change(batch)), f"view {name} gave other frames the second time: draw nothing in it")
        for place in range(len(batch)):
            shown, after = change(alone(batch, place)), int(out.lengths[place])
            same = after == int(shown.lengths[0])
            same = same and torch.equal(shown.features[0, :after], out.features[place, :after])
            require(same, f"view {name}: clip {place} is changed otherwise alone than in a batch")
    return ", ".join(offered)


def _device(bench: AugmentBench) -> str:
    others = batches.devices()[1:]
    if not others:
        raise SkippedCheck("there is no CUDA or MPS device here")
    batch = bench.batch()
    expected = bench.apply(batch)
    for device in others:
        there = bench.apply(batch.to(device))
        require(there.features.device.type == device.type, f"frames on {device} came back on {there.features.device}")
        same = torch.equal(there.lengths.cpu(), expected.lengths)
        same = same and torch.allclose(there.features.cpu(), expected.features, rtol=1e-3, atol=1e-4)
        require(same, f"on {device} it gives other frames than on the CPU")
    return ", ".join(map(str, others))


def _equal(one: Batch, other: Batch) -> bool:
    """Whether two batches hold the same frames, whatever their padding."""
    if not torch.equal(one.lengths, other.lengths):
        return False
    longest = int(one.lengths.max())
    return torch.equal(one.features[:, :longest], other.features[:, :longest])


AUGMENT_CHECKS: Checks[AugmentBench] = {
    "builds": _builds,
    "shapes": _shapes,
    "input kept": _input_kept,
    "random": _random,
    "changes": _changes,
    "views": _views,
    "device": _device,
}
