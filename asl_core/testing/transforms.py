"""Checks of transforms: the same clip always becomes the same clip, with its id, glosses, signer and source."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import torch

from asl_core.clips.batch import Batch
from asl_core.clips.clip import Clip
from asl_core.contracts import BatchTransform, Transform
from asl_core.registry.component import Component
from asl_core.testing.augments import WidthBench, require_fit
from asl_core.testing.batches import LENGTHS, WIDTH, alone, padded, random_batch
from asl_core.testing.checks import Checks, require
from asl_core.testing.components import hold_all

__all__ = ["TRANSFORM_CHECKS", "TransformBench", "check_transform"]


def check_transform(component: Component, *, width: int = WIDTH, **options: Any) -> None:
    """Check a transform against its contract.

    Args:
        component: the transform.
        width: features per frame of the clips to try it on.
        options: other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold_all(TRANSFORM_CHECKS, TransformBench(component, options, width))


@attrs.define(slots=False)
class TransformBench(WidthBench):
    """A transform, built as ``factory(options)``."""

    @property
    def batchwise(self) -> bool:
        """Whether it is a batch transform."""
        return bool(getattr(self.make(), "batchwise", False))

    def clips(self) -> list[Clip]:
        """Random clips, one of a single frame."""
        random = np.random.default_rng(0)
        return [
            Clip(id=str(i), features=random.standard_normal((n, self.width)), glosses=("a",), signer="s", source="x")
            for i, n in enumerate(LENGTHS)
        ]


def _builds(bench: TransformBench) -> None:
    """factory(options) returns a callable."""
    transform = bench.make()
    require(
        callable(transform), f"the factory returns a {type(transform).__name__}, which cannot be called with a clip"
    )
    require_fit(transform, bench.width)


def _shapes(bench: TransformBench) -> str:
    """A finite clip becomes a finite clip with one frame or more; every clip gets the same width.

    A batch becomes one of as many frames and of width output_width(width), whose padding is zero.
    """
    if bench.batchwise:
        return _batch_shapes(bench)
    transform: Transform = bench.make()
    widths = set()
    for clip in bench.clips():
        out = transform(clip)
        require(isinstance(out, Clip), f"it gives a {type(out).__name__}; expected a Clip")
        where = f"a clip of {len(clip.features)} frames"
        shape = out.features.shape
        require(len(shape) == 2 and min(shape) > 0, f"{where} became {shape}; expected (frames, features per frame)")
        require(np.isfinite(out.features).all(), f"{where} became NaN or infinite")
        changed = [n for n in ("id", "glosses", "signer", "source") if getattr(out, n) != getattr(clip, n)]
        require(not changed, f"{', '.join(changed)} of the clip changed: use attrs.evolve(clip, features=…)")
        widths.add(shape[1])
    require(len(widths) == 1, f"clips of one width become clips of {sorted(widths)} features per frame")
    return f"{bench.width} features per frame become {widths.pop()}"


def _pure(bench: TransformBench) -> None:
    """The result depends on the clip alone, whatever was transformed before, and the input is not changed in place."""
    if bench.batchwise:
        _batch_pure(bench)
        return
    transform: Transform = bench.make()
    clips = bench.clips()
    before = [c.features.copy() for c in clips]
    first = [transform(c).features for c in clips]
    unchanged = all(np.array_equal(a, c.features) for a, c in zip(before, clips, strict=True))
    require(unchanged, "the clip given to it has changed: work on a copy")
    again = [transform(c).features for c in reversed(clips)][::-1]
    fresh = [bench.make()(c).features for c in clips]
    for name, other in (("again, in another order", again), ("by another instance", fresh)):
        same = all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
        require(same, f"a clip transformed {name} has other features: keep no state between clips, and draw nothing")


def _batch_shapes(bench: TransformBench) -> str:
    transform: BatchTransform = bench.make()
    batch = random_batch(width=bench.width, dtype=torch.float32)
    out, width = transform(batch), transform.output_width(bench.width)
    require(isinstance(out, Batch), f"it gives a {type(out).__name__}; expected a Batch")
    shape, expected = tuple(out.features.shape), (*batch.features.shape[:2], width)
    require(shape == expected, f"a batch became {shape}; output_width says {expected}")
    require(torch.equal(out.lengths, batch.lengths), "the lengths changed: batch transforms keep every frame")
    require(
        out.ids == batch.ids and torch.equal(out.targets, batch.targets),
        "the clips changed: return batch.with_features(features)",
    )
    require(bool(torch.isfinite(out.features).all()), "finite frames became NaN or infinite")
    require(bool((out.features[~out.mask] == 0).all()), "padding is no longer zero: multiply by batch.mask[:, :, None]")
    return f"{bench.width} features per frame become {width}"


def _batch_pure(bench: TransformBench) -> None:
    transform: BatchTransform = bench.make()
    batch = random_batch(width=bench.width, dtype=torch.float32)
    before = batch.features.clone()
    out = transform(batch).features
    require(torch.equal(before, batch.features), "the batch given to it has changed: work on a copy")
    require(
        torch.equal(out, bench.make()(batch).features),
        "another instance gives other features for the same batch: draw nothing",
    )
    wider = transform(padded(batch, 9)).features[:, : out.shape[1]]
    for index, length in enumerate(batch.lengths.tolist()):
        single = transform(alone(batch, index)).features[0]
        for name, other in (("alone", single), ("with more padding", wider[index])):
            same = torch.allclose(other[:length], out[index, :length], rtol=1e-5, atol=1e-5)
            require(same, f"a clip of {length} frames has other features {name} than in a batch: mask the padding")


TRANSFORM_CHECKS: Checks[TransformBench] = {
    "builds": _builds,
    "shapes": _shapes,
    "pure": _pure,
}
