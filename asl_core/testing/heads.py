"""Checks of heads: an output of a declared kind and, where it ranks glosses, probabilities that sum to one."""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.contracts import Head, HeadOutput
from asl_core.registry.component import Component
from asl_core.testing.batches import CLASSES, LENGTHS, random_batch, with_other_frames
from asl_core.testing.checks import Checks, SkippedCheck, require
from asl_core.testing.components import hold_all
from asl_core.testing.modules import (
    MODULE_CHECKS,
    ModuleBench,
    repeats,
    require_module,
    same_alone_and_padded,
    weighted_sum,
)

__all__ = ["HEAD_CHECKS", "HeadBench", "check_head"]


def check_head(component: Component, *, width: int = 16, classes: int = CLASSES, **options: Any) -> None:
    """Check a head against its contract.

    Args:
        component: the head.
        width: output size of the encoder before it.
        classes: glosses.
        options: other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold_all(HEAD_CHECKS, HeadBench(component, options, width, classes))


@attrs.define(slots=False)
class HeadBench(ModuleBench):
    """A head, built as ``factory(options, input_size, classes)``; batches hold encoder frames."""

    width: int = 16
    classes: int = CLASSES

    def new(self) -> nn.Module:
        """A module with new weights."""
        module: nn.Module = self.make(self.width, self.classes)
        return module

    def head(self) -> Head:
        """In float64 and evaluation mode."""
        return self.build().eval()  # type: ignore[return-value]

    def batch(self, dtype: torch.dtype = torch.float64) -> Batch:
        """Encoder frames."""
        return random_batch(LENGTHS, self.width, self.classes, dtype=dtype)

    def output(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Values and lengths of the head's output."""
        output: HeadOutput = module(batch.features, batch.lengths)
        return output.values, output.lengths


def _builds(bench: HeadBench) -> str:
    """factory(options, input_size, classes) returns an nn.Module with kind, needs_frames, ranks and scores."""
    head: Any = bench.new()
    require_module(head)
    for name in ("kind", "needs_frames", "ranks", "scores"):
        require(hasattr(head, name), f"it has no {name}: derive from asl_core.Head, and set kind")
    require(
        isinstance(head.kind, str) and head.kind, "kind is empty: set it to the word by which losses accept the output"
    )
    return f"kind {head.kind!r}"


def _shapes(bench: HeadBench) -> None:
    """``forward`` gives a HeadOutput of (B, T', K) values and (B,) lengths, or of (B, K) and None."""
    head, batch = bench.head(), bench.batch()
    with torch.no_grad():
        output = head(batch.features, batch.lengths)
        require(isinstance(output, HeadOutput), f"forward gives a {type(output).__name__}; expected a HeadOutput")
        values, lengths = output.values, output.lengths
        require(
            values.shape[0] == len(batch) and values.ndim == (2 if lengths is None else 3),
            f"values have shape {tuple(values.shape)} for {len(batch)} clips; expected (B, T', K), or (B, K) and "
            f"lengths None where it pools over time",
        )
        if lengths is not None:
            fits = lengths.shape == (len(batch),) and int(lengths.min()) >= 1 and int(lengths.max()) <= values.shape[1]
            require(
                fits,
                f"lengths are {lengths.tolist()} for {values.shape[1]} frames; expected (B,) of 1 to that",
            )
        rows = output.rows(1, 3)
        require(
            type(rows) is type(output) and len(rows.values) == 2,
            "rows(1, 3) of the output is not the output of 2 clips",
        )
        if not head.needs_frames:
            pooled = head(batch.features[:, 0], None)
            require(len(pooled.values) == len(batch), "needs_frames is False, and a pooled (B, F) does not give B rows")


def _scores(bench: HeadBench) -> None:
    """``scores`` gives (B, classes) log-probabilities that sum to 1."""
    head, batch = bench.head(), bench.batch()
    if not head.ranks:
        raise SkippedCheck("it ranks no glosses")
    with torch.no_grad():
        scores = head.scores(head(batch.features, batch.lengths))
    expected = (len(batch), bench.classes)
    require(scores.shape == expected, f"scores have shape {tuple(scores.shape)}; expected (B, classes) {expected}")
    total = scores.exp().sum(1)
    require(
        torch.allclose(total, torch.ones_like(total)),
        f"the probabilities of scores() do not sum to 1 but to {total[0]:.3g}: return log-probabilities (log_softmax)",
    )


def _reading(bench: HeadBench) -> str:
    """``decode`` gives lists of class numbers, and min_frames of a longer label is not smaller."""
    head, batch = bench.head(), bench.batch()
    needs = [head.min_frames(list(range(n))) for n in range(1, bench.classes)]
    require(
        all(isinstance(n, int) and n >= 1 for n in needs), f"min_frames gives {needs}; expected integers of at least 1"
    )
    require(needs == sorted(needs), f"min_frames gives {needs} for labels of 1, 2, … glosses: a longer one needs fewer")
    with torch.no_grad():
        sentences = head.decode(head(batch.features, batch.lengths))
    if sentences is None:
        return "it decodes no sentences"
    require(len(sentences) == len(batch), f"decode gives {len(sentences)} sentences for {len(batch)} clips")
    valid = all(isinstance(c, int) and 0 <= c < bench.classes for sentence in sentences for c in sentence)
    require(valid, f"decode gives {sentences}; expected lists of class numbers 0 to {bench.classes - 1}")
    return ""


def _aligns(bench: HeadBench) -> None:
    """``align`` gives spans that cover all frames of a clip in order and, through a label, spell that label."""
    head, batch = bench.head(), bench.batch()
    labels = [[index % bench.classes] for index in range(len(batch))]
    with torch.no_grad():
        output = head(batch.features, batch.lengths)
        alignments = [head.align(output), head.align(output, labels)]
    if None in alignments:
        raise SkippedCheck("it does not align glosses with frames")
    require(output.lengths is not None, "align gives frames, and the output has no time: return None from align")
    for clips in alignments:
        require(len(clips or ()) == len(batch), f"align gives {len(clips or ())} clips for {len(batch)}")
        for spans, length in zip(clips or (), output.frame_lengths.tolist(), strict=True):
            ends = [0, *(span.end for span in spans)]
            joined = ends[-1] == length and [span.start for span in spans] == ends[:-1]
            require(joined, f"align gives {spans} for {length} frames; expected consecutive spans up to the last frame")
            require(all(span.start < span.end for span in spans), f"align gives spans without a frame: {spans}")
    for spans, label in zip(alignments[1] or (), labels, strict=True):
        read = [span.gloss for span in spans if span.gloss is not None]
        require(read == label, f"align through {label} reads as {read}")


def _figures(bench: HeadBench) -> str:
    """``figures`` gives (B,) per name, and diagnose a text or None."""
    head, batch = bench.head(), bench.batch()
    with torch.no_grad():
        figures = head.figures(head(batch.features, batch.lengths))
    for name, figure in figures.items():
        require(figure.shape == (len(batch),), f"figure {name} has shape {tuple(figure.shape)}; expected (B,)")
    text = head.diagnose({name: float(value.mean()) for name, value in figures.items()})
    require(text is None or isinstance(text, str), f"diagnose gives a {type(text).__name__}; expected text or None")
    return ", ".join(figures)


def _input(bench: HeadBench) -> None:
    """The output depends on the input."""
    head, batch = bench.head(), bench.batch()
    with torch.no_grad():
        before = bench.total(head, batch)
        after = bench.total(head, with_other_frames(batch))
    require(not torch.allclose(before, after), "other frames give the same output: the head ignores its input")


def _padding(bench: HeadBench) -> None:
    """A clip's output and scores are the same alone, in a batch, and with more padding."""
    head = bench.head()
    same_alone_and_padded(lambda batch: bench.output(head, batch), bench.batch())
    if head.ranks:
        same_alone_and_padded(lambda b: (head.scores(head(b.features, b.lengths)), None), bench.batch())


def _encoder_gradient(bench: HeadBench) -> None:
    """The encoder's frames get a gradient."""
    head, batch = bench.build().train(), bench.batch()
    frames = batch.features.clone().requires_grad_()
    values, lengths = bench.output(head, batch.with_features(frames))
    require(
        values.requires_grad,
        "the output has no gradient: the encoder would never be trained; remove the detach() or no_grad()",
    )
    weighted_sum(values, lengths).backward()  # type: ignore[no-untyped-call]
    reached = frames.grad is not None and bool(frames.grad.abs().sum() > 0)
    require(reached, "no gradient reaches the encoder's frames: the encoder would never be trained")


HEAD_CHECKS: Checks[HeadBench] = {
    "builds": _builds,
    "shapes": _shapes,
    "repeats": repeats,
    "scores": _scores,
    "reading": _reading,
    "aligns": _aligns,
    "figures": _figures,
    "input": _input,
    "padding": _padding,
    "encoder gradient": _encoder_gradient,
    **MODULE_CHECKS,
}
