"""What transforms promise: a clip is transformed the same wherever it stands, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import torch

from asl_core.clips.batch import Batch
from asl_core.clips.clip import Clip
from asl_core.contracts import BatchTransform, Transform
from asl_core.registry.component import Component
from asl_core.testing.augments import require_fit
from asl_core.testing.batches import LENGTHS, WIDTH, alone, padded, random_batch
from asl_core.testing.checks import Bench, Checks, hold, require
from asl_core.testing.components import COMPONENT_CHECKS

__all__ = ["TRANSFORM_CHECKS", "TransformBench", "check_transform"]


def check_transform(component: Component, *, width: int = WIDTH, **options: Any) -> None:
    """Every promise of a transform; see :data:`TRANSFORM_CHECKS`.

    Args:
        component: the transform.
        width: numbers a frame of the clips to try it on.
        options: other than the defaults.

    Raises:
        ContractError: the first promise that is broken.
    """
    bench = TransformBench(component, options, width)
    hold(COMPONENT_CHECKS, bench)
    hold(TRANSFORM_CHECKS, bench)


@attrs.define(slots=False)
class TransformBench(Bench):
    """A transform, built as ``factory(options)``."""

    width: int = WIDTH

    @property
    def batchwise(self) -> bool:
        """Whether it takes batches, in the model, rather than clips."""
        return bool(getattr(self.make(), "batchwise", False))

    def clips(self) -> list[Clip]:
        """Random clips, one of a single frame."""
        random = np.random.default_rng(0)
        return [
            Clip(id=str(i), features=random.standard_normal((n, self.width)), glosses=("a",), signer="s", source="x")
            for i, n in enumerate(LENGTHS)
        ]


def _transform_builds(bench: TransformBench) -> None:
    transform = bench.make()
    require(callable(transform), f"the factory gives a {type(transform).__name__}, which cannot be called with a clip")
    require_fit(transform, bench.width)


def _transform_shapes(bench: TransformBench) -> str:
    if bench.batchwise:
        return _batch_shapes(bench)
    transform: Transform = bench.make()
    widths = set()
    for clip in bench.clips():
        out = transform(clip)
        require(isinstance(out, Clip), f"it gives a {type(out).__name__}; expected a Clip")
        where = f"a clip of {len(clip.features)} frames"
        shape = out.features.shape
        require(len(shape) == 2 and min(shape) > 0, f"{where} became {shape}; expected (frames, numbers a frame)")
        require(np.isfinite(out.features).all(), f"{where} became NaN or infinite")
        named = ("id", "glosses", "signer", "source")
        lost = [n for n in named if getattr(out, n) != getattr(clip, n)]
        require(not lost, f"{', '.join(lost)} of the clip changed: use attrs.evolve(clip, features=…)")
        widths.add(shape[1])
    require(len(widths) == 1, f"clips of one width become clips of {sorted(widths)} numbers a frame")
    return f"{bench.width} numbers a frame become {widths.pop()}"


def _transform_pure(bench: TransformBench) -> None:
    """Training and prediction see one clip alike, whatever was transformed before it."""
    if bench.batchwise:
        _batch_pure(bench)
        return
    transform: Transform = bench.make()
    clips = bench.clips()
    before = [c.features.copy() for c in clips]
    first = [transform(c).features for c in clips]
    kept = all(np.array_equal(a, c.features) for a, c in zip(before, clips, strict=True))
    require(kept, "the clip that came in has changed: work on a copy")
    again = [transform(c).features for c in reversed(clips)][::-1]
    fresh = [bench.make()(c).features for c in clips]
    for name, other in (("again, in another order", again), ("by another instance", fresh)):
        same = all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
        require(same, f"a clip transformed {name} gives other numbers: it must depend on the clip alone")


def _batch_shapes(bench: TransformBench) -> str:
    transform: BatchTransform = bench.make()
    batch = random_batch(width=bench.width, dtype=torch.float32)
    out, width = transform(batch), transform.output_width(bench.width)
    require(isinstance(out, Batch), f"it gives a {type(out).__name__}; expected a Batch")
    shape, expected = tuple(out.features.shape), (*batch.features.shape[:2], width)
    require(shape == expected, f"a batch became {shape}; output_width says {expected}")
    require(torch.equal(out.lengths, batch.lengths), "the lengths changed: transforms of batches keep every frame")
    require(out.ids == batch.ids and torch.equal(out.targets, batch.targets), "the clips changed: use with_features")
    require(bool(torch.isfinite(out.features).all()), "finite frames became NaN or infinite")
    require(bool((out.features[~out.mask] == 0).all()), "padding is no longer zero")
    return f"{bench.width} numbers a frame become {width}"


def _batch_pure(bench: TransformBench) -> None:
    transform: BatchTransform = bench.make()
    batch = random_batch(width=bench.width, dtype=torch.float32)
    before = batch.features.clone()
    out = transform(batch).features
    require(torch.equal(before, batch.features), "the batch that came in has changed: work on a copy")
    require(torch.equal(out, bench.make()(batch).features), "another instance gives other numbers for the same batch")
    wider = transform(padded(batch, 9)).features[:, : out.shape[1]]
    for place, length in enumerate(batch.lengths.tolist()):
        single = transform(alone(batch, place)).features[0]
        for name, other in (("alone", single), ("under more padding", wider[place])):
            same = torch.allclose(other[:length], out[place, :length], rtol=1e-5, atol=1e-5)
            require(same, f"a clip of {length} frames gives other numbers {name} than in a batch: mask the padding")


TRANSFORM_CHECKS: Checks[TransformBench] = {
    "builds": _transform_builds,
    "shapes": _transform_shapes,
    "pure": _transform_pure,
}
