"""Checks of augmentations: changes drawn for each clip by itself, and padding that stays zero."""

from __future__ import annotations

from typing import Any

import attrs
import torch

from asl_core.clips.batch import Batch
from asl_core.compute.seeding import ClipRandom
from asl_core.contracts import Augment
from asl_core.registry.component import Component
from asl_core.testing.batches import LENGTHS, WIDTH, alone, padded, random_batch
from asl_core.testing.checks import Bench, Checks, SkippedCheck, require
from asl_core.testing.components import hold_all
from asl_core.testing.modules import other_devices

__all__ = ["AUGMENT_CHECKS", "AugmentBench", "WidthBench", "check_augment", "require_fit"]

_TRIES = 64  #: epochs, in one of which an augmentation must change something


def check_augment(component: Component, *, width: int = WIDTH, **options: Any) -> None:
    """Check an augmentation against its contract.

    Args:
        component: the augmentation.
        width: features per frame of the clips to try it on.
        options: other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold_all(AUGMENT_CHECKS, AugmentBench(component, options, width))


@attrs.define(slots=False)
class WidthBench(Bench):
    """A component tried on random clips of a width."""

    width: int = WIDTH

    @property
    def tried_on(self) -> str:
        """The options and the clips."""
        lengths = ", ".join(map(str, LENGTHS))
        return f"{super().tried_on}; random clips of {lengths} frames with {self.width} features per frame"


@attrs.define(slots=False)
class AugmentBench(WidthBench):
    """An augmentation, built as ``factory(options)``."""

    def batch(self) -> Batch:
        """The batch it is tried on: float32, as in a run."""
        return random_batch(width=self.width, dtype=torch.float32)

    def apply(self, batch: Batch, epoch: int = 1) -> Batch:
        """The batch as a new instance augments it in an epoch."""
        augment: Augment = self.make()
        return augment(batch, ClipRandom.of(batch.index, 3, epoch, "view"))


def _builds(bench: AugmentBench) -> None:
    """factory(options) returns a callable; raw, where it has it, is a bool."""
    augment = bench.make()
    require(callable(augment), f"the factory returns a {type(augment).__name__}, which cannot be called with a batch")
    raw = getattr(augment, "raw", False)
    require(isinstance(raw, bool), f"raw is {raw!r}; expected True or False")
    require_fit(augment, bench.width)


def require_fit(component: Any, width: int) -> None:
    """Skip a component whose ``unfit`` says that it cannot take frames of this width."""
    reason = component.unfit(width) if hasattr(component, "unfit") else None
    require(reason is None or isinstance(reason, str), f"unfit gives {reason!r}; expected a text, or None")
    if reason is not None:
        raise SkippedCheck(
            f"it does not take clips of {width} features per frame: {reason}; check it with another width (--width N)"
        )


def _shapes(bench: AugmentBench) -> None:
    """A batch becomes a float32 batch of the same clips and width; only the number of frames may change."""
    batch = bench.batch()
    for epoch in range(1, 5):
        out = bench.apply(batch, epoch)
        require(isinstance(out, Batch), f"it gives a {type(out).__name__}; expected a Batch")
        features, lengths = out.features, out.lengths
        before, after = tuple(batch.features.shape), tuple(features.shape)
        fits = len(after) == 3 and after[::2] == before[::2]
        require(fits, f"{before} became {after}: only the number of frames may change")
        require(features.dtype == torch.float32, f"float32 frames became {features.dtype}: keep the dtype of the input")
        require(
            lengths.shape == batch.lengths.shape and not lengths.is_floating_point(),
            f"lengths have become {lengths.dtype} of shape {tuple(lengths.shape)}; expected (B,) integers",
        )
        require((lengths >= 1).all(), f"a clip lost all its frames: lengths {lengths.tolist()}")
        require(features.shape[1] >= int(lengths.max()), "the lengths exceed the number of frames")
        require((features[~out.mask] == 0).all(), "padding is no longer zero: multiply by batch.mask[:, :, None]")
        require(features.isfinite().all(), "the frames have NaN or infinite values")
        same = out.ids == batch.ids and torch.equal(out.targets, batch.targets) and torch.equal(out.index, batch.index)
        require(same, "ids, labels or order of the clips have changed: return batch.with_features(features, lengths)")


def _input_unchanged(bench: AugmentBench) -> None:
    """The batch given to it is not changed in place: a second view of a clip starts from the same batch."""
    batch = bench.batch()
    features, lengths = batch.features.clone(), batch.lengths.clone()
    for epoch in range(1, 5):
        bench.apply(batch, epoch)
    unchanged = torch.equal(features, batch.features) and torch.equal(lengths, batch.lengths)
    require(unchanged, "the batch given to it has changed: work on a copy")


def _random(bench: AugmentBench) -> None:
    """The change of a clip depends only on (seed, epoch, clip), not on other clips, padding or global generators."""
    batch = bench.batch()
    out = bench.apply(batch)
    torch.rand(3)  # other draws in between must not matter
    again = bench.apply(batch)
    require(_equal(out, again), "the same (seed, epoch, clip) gave other frames: draw from the ClipRandom alone")
    for index in range(len(batch)):
        one, wide = bench.apply(alone(batch, index)), bench.apply(padded(batch, 9))
        for name, other, row in (("alone", one, 0), ("with more padding", wide, index)):
            same = _equal(alone(other, row), alone(out, index))
            require(
                same, f"clip {index} is augmented differently {name} than in a batch: draw from ClipRandom per clip"
            )


def _changes(bench: AugmentBench) -> str:
    """Within 64 epochs it changes some clip."""
    batch = bench.batch()
    changed = [not _equal(bench.apply(batch, epoch), batch) for epoch in range(1, _TRIES + 1)]
    require(any(changed), f"no clip was changed in {_TRIES} epochs: it does nothing")
    return f"changes the batch in {sum(changed)} of {_TRIES} epochs"


def _views(bench: AugmentBench) -> str:
    """A view draws nothing, and changes a clip in the same way alone and in a batch."""
    views = bench.make().views() if hasattr(bench.make(), "views") else {}
    if not views:
        raise SkippedCheck("it has no views for test-time augmentation")
    batch = bench.batch()
    before = batch.features.clone()
    for name, change in views.items():
        out = change(batch)
        require(isinstance(out, Batch), f"view {name} gives a {type(out).__name__}; expected a Batch")
        require(torch.equal(before, batch.features), f"view {name} changed the batch given to it: work on a copy")
        require(out.features.shape[::2] == before.shape[::2], f"view {name}: only the number of frames may change")
        require((out.lengths >= 1).all(), f"view {name}: a clip lost all its frames")
        require(
            (out.features[~out.mask] == 0).all(),
            f"view {name}: padding is no longer zero: multiply by batch.mask[:, :, None]",
        )
        require(_equal(out, change(batch)), f"view {name} gave other frames the second time: draw nothing in it")
        for index in range(len(batch)):
            same = _equal(change(alone(batch, index)), alone(out, index))
            require(same, f"view {name} changes clip {index} differently alone than in a batch")
    return ", ".join(views)


def _device(bench: AugmentBench) -> str:
    """On CUDA or MPS it gives the frames that it gives on the CPU."""
    others = other_devices()
    batch = bench.batch()
    expected = bench.apply(batch)
    for device in others:
        out = bench.apply(batch.to(device))
        require(out.features.device.type == device.type, f"frames on {device} came back on {out.features.device}")
        same = torch.equal(out.lengths.cpu(), expected.lengths)
        same = same and torch.allclose(out.features.cpu(), expected.features, rtol=1e-3, atol=1e-4)
        require(same, f"on {device} it gives other frames than on the CPU")
    return ", ".join(map(str, others))


def _equal(one: Batch, other: Batch) -> bool:
    """Whether two batches have the same real frames."""
    if not torch.equal(one.lengths, other.lengths):
        return False
    longest = int(one.lengths.max())
    return torch.equal(one.features[:, :longest], other.features[:, :longest])


AUGMENT_CHECKS: Checks[AugmentBench] = {
    "builds": _builds,
    "shapes": _shapes,
    "input unchanged": _input_unchanged,
    "random": _random,
    "changes": _changes,
    "views": _views,
    "device": _device,
}
