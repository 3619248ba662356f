"""Checks of encoders: frames of the declared size and number, computed from the clip's own frames alone."""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.contracts import Encoder
from asl_core.registry.component import Component
from asl_core.testing.batches import WIDTH, alone, padded, random_batch, with_other_frames
from asl_core.testing.checks import Checks, require
from asl_core.testing.components import hold_all
from asl_core.testing.modules import (
    MODULE_CHECKS,
    ModuleBench,
    repeats,
    require_module,
    same_alone_and_padded,
    weighted_sum,
)

__all__ = ["ENCODER_CHECKS", "EncoderBench", "check_encoder"]

LONG = 128  #: frames of a clip long enough to show what an encoder leaves out
SPARE = 1.25  #: most output frames per declared one; blocks of fixed size may leave a few more


def check_encoder(component: Component, *, width: int = WIDTH, **options: Any) -> None:
    """Check an encoder against its contract.

    Args:
        component: the encoder.
        width: features per frame of the clips to try it on.
        options: other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold_all(ENCODER_CHECKS, EncoderBench(component, options, width))


@attrs.define(slots=False)
class EncoderBench(ModuleBench):
    """An encoder, built as ``factory(options, input_size)``."""

    def encoder(self) -> Encoder:
        """In float64 and evaluation mode."""
        return self.build().eval()  # type: ignore[return-value]

    def output(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Frames (B, T', F) and their lengths (B,), or (B, F) and None."""
        encoder: Encoder = module  # type: ignore[assignment]
        values = encoder(batch.features, batch.lengths)
        return values, encoder.output_lengths(batch.lengths) if encoder.frames else None


def _builds(bench: EncoderBench) -> str:
    """factory(options, input_size) returns an nn.Module with output_size, frames and output_lengths."""
    encoder: Any = bench.new()
    require_module(encoder)
    for name in ("output_size", "frames", "output_lengths"):
        require(hasattr(encoder, name), f"it has no {name}: derive from asl_core.Encoder, and set output_size")
    size = encoder.output_size
    require(isinstance(size, int) and size >= 1, f"output_size is {size!r}; expected a whole number of at least 1")
    return f"{sum(p.numel() for p in encoder.parameters()):,} parameters for {bench.width} features per frame"


def _shapes(bench: EncoderBench) -> None:
    """``forward`` gives (B, T', output_size), or (B, output_size) where frames is False."""
    encoder = bench.encoder()
    batch = bench.batch()
    expected = "(B, T', output_size)" if encoder.frames else "(B, output_size), since frames is False"
    for shown in (batch, alone(batch, 2), padded(batch, 5)):
        with torch.no_grad():
            out = encoder(shown.features, shown.lengths)
        shape = tuple(out.shape)
        clips = f"{len(shown)} clip{'s' * (len(shown) > 1)}"
        require(out.ndim == (3 if encoder.frames else 2), f"the output has shape {shape}; expected {expected}")
        require(shape[0] == len(shown), f"{clips} give an output of shape {shape}; expected {expected}")
        require(
            shape[-1] == encoder.output_size,
            f"the encoder declares output_size {encoder.output_size} and gives {shape[-1]} features per frame",
        )


def _lengths(bench: EncoderBench) -> str:
    """``output_lengths`` depends on each clip's own length, is at least 1, and the output has that many frames."""
    encoder = bench.encoder()
    if not encoder.frames:
        return "it pools over time"
    before = torch.arange(1, LONG + 1)
    copy = before.clone()
    lengths = encoder.output_lengths(before)
    require(torch.equal(before, copy), "output_lengths changes its argument in place: work on a copy")
    require(
        isinstance(lengths, Tensor) and lengths.shape == before.shape and not lengths.is_floating_point(),
        f"output_lengths gives {type(lengths).__name__} for (B,) lengths; expected a (B,) tensor of integers",
    )
    require(
        (lengths >= 1).all(),
        f"output_lengths gives {int(lengths.min())} for a clip: it lost all its frames; expected 1 or more",
    )
    require((lengths[1:] >= lengths[:-1]).all(), "output_lengths gives a longer clip fewer frames than a shorter one")
    each = torch.cat([encoder.output_lengths(n) for n in before.chunk(LONG)])
    require(torch.equal(each, lengths), "output_lengths of a clip depends on the other clips of the batch")
    batch = bench.batch()
    with torch.no_grad():
        for shown in (batch, *(alone(batch, i) for i in range(len(batch)))):
            out = encoder(shown.features, shown.lengths)
            declared = int(encoder.output_lengths(shown.lengths).max())
            require(
                out.shape[1] >= declared,
                f"output_lengths declares {declared} frames for clips of {shown.lengths.tolist()}, and the output "
                f"has {out.shape[1]}",
            )
        long = random_batch((LONG,), bench.width)
        given, declared = encoder(long.features, long.lengths).shape[1], int(lengths[-1])
    require(
        given <= SPARE * declared,
        f"a clip of {LONG} frames gives {given} and declares {declared}: what is not declared is dropped",
    )
    return f"{LONG} frames become {declared}"


def _input(bench: EncoderBench) -> None:
    """The output depends on the input, and is not the input itself."""
    encoder, batch = bench.encoder(), bench.batch()
    with torch.no_grad():
        out, lengths = bench.output(encoder, batch)
        other, _ = bench.output(encoder, with_other_frames(batch))
    same = torch.allclose(weighted_sum(out, lengths), weighted_sum(other, lengths))
    require(not same, "other frames give the same output: the encoder ignores its input")
    unchanged = out.shape == batch.features.shape and torch.equal(out * batch.mask[:, :, None], batch.features)
    require(not unchanged, "the output is the input: the encoder does nothing")


def _whole_clip(bench: EncoderBench) -> None:
    """Every part of a clip counts: its first and its last quarter change the declared output frames."""
    encoder, batch = bench.encoder(), random_batch((LONG,), bench.width)
    quarter = LONG // 4
    with torch.no_grad():
        before = weighted_sum(*bench.output(encoder, batch))
        for name, part in (("first", slice(0, quarter)), ("last", slice(LONG - quarter, LONG))):
            features = batch.features.clone()
            features[:, part] = features[:, part].flip(2) + 1
            after = weighted_sum(*bench.output(encoder, batch.with_features(features)))
            require(
                not torch.equal(before, after),
                f"the {name} {quarter} frames of a clip of {LONG} change nothing in the frames that output_lengths "
                f"declares: they are dropped",
            )


def _padding(bench: EncoderBench) -> None:
    """A clip's output is the same alone, in a batch, and with more padding."""
    encoder = bench.encoder()
    same_alone_and_padded(lambda batch: bench.output(encoder, batch), bench.batch())


ENCODER_CHECKS: Checks[EncoderBench] = {
    "builds": _builds,
    "shapes": _shapes,
    "lengths": _lengths,
    "repeats": repeats,
    "input": _input,
    "whole clip": _whole_clip,
    "padding": _padding,
    **MODULE_CHECKS,
}
