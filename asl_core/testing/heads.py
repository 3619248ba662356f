"""What a head promises: an output of a kind, and where it ranks glosses, probabilities that sum to one."""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.contracts import Head, HeadOutput
from asl_core.registry.component import Component
from asl_core.testing.batches import CLASSES, LENGTHS, random_batch
from asl_core.testing.checks import Checks, SkippedCheck, hold, require
from asl_core.testing.components import COMPONENT_CHECKS
from asl_core.testing.modules import MODULE_CHECKS, ModuleBench, repeats, same_alone_and_padded, weighted_sum

__all__ = ["HEAD_CHECKS", "HeadBench", "check_head"]


def check_head(component: Component, *, width: int = 16, classes: int = CLASSES, **options: Any) -> None:
    """Every promise of a head; see :data:`HEAD_CHECKS`.

    Args:
        component: the head.
        width: output size of the encoder before it.
        classes: glosses.
        options: other than the defaults.

    Raises:
        ContractError: the first promise that is broken.
    """
    bench = HeadBench(component, options, width, classes)
    hold(COMPONENT_CHECKS, bench)
    hold(HEAD_CHECKS, bench)


@attrs.define(slots=False)
class HeadBench(ModuleBench):
    """A head, built as ``factory(options, input_size, classes)``; batches hold encoder frames."""

    width: int = 16
    classes: int = CLASSES

    def new(self) -> nn.Module:
        """A module with fresh weights."""
        module: nn.Module = self.make(self.width, self.classes)
        return module

    def head(self) -> Head:
        """In float64, as it is evaluated."""
        return self.build().eval()  # type: ignore[return-value]

    def batch(self, dtype: torch.dtype = torch.float64) -> Batch:
        """Encoder frames."""
        return random_batch(LENGTHS, self.width, self.classes, dtype=dtype)

    def output(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Values and lengths of the head's output."""
        found: HeadOutput = module(batch.features, batch.lengths)
        return found.values, found.lengths


def _builds(bench: HeadBench) -> str:
    head: Any = bench.new()
    require(isinstance(head, nn.Module), f"the factory gives a {type(head).__name__}; expected an nn.Module")
    for name in ("kind", "needs_frames", "ranks", "scores"):
        require(hasattr(head, name), f"it has no {name}: derive from asl_core.Head, and set kind")
    require(isinstance(head.kind, str) and head.kind, "kind is empty: losses choose by it")
    return f"kind {head.kind!r}"


def _shapes(bench: HeadBench) -> None:
    head, batch = bench.head(), bench.batch()
    with torch.no_grad():
        output = head(batch.features, batch.lengths)
        require(isinstance(output, HeadOutput), f"forward gives a {type(output).__name__}; expected a HeadOutput")
        values, lengths = output.values, output.lengths
        require(
            values.shape[0] == len(batch) and values.ndim == (2 if lengths is None else 3),
            f"values have shape {tuple(values.shape)} for {len(batch)} clips; expected (B, T', K), or (B, K) and no "
            f"lengths where time is gone",
        )
        if lengths is not None:
            fits = lengths.shape == (len(batch),) and int(lengths.min()) >= 1 and int(lengths.max()) <= values.shape[1]
            require(fits, f"lengths are {lengths.tolist()} for {values.shape[1]} frames; expected (B,) of 1 to that")
        rows = output.rows(1, 3)
        require(type(rows) is type(output) and len(rows.values) == 2, "rows(1, 3) does not give the output of 2 clips")
        if not head.needs_frames:
            pooled = head(batch.features[:, 0], None)
            require(len(pooled.values) == len(batch), "needs_frames is False, and pooled (B, F) do not give B rows")


def _scores(bench: HeadBench) -> None:
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
        f"the probabilities of scores() do not sum to 1 but to {total[0]:.3g}: scores are log-probabilities",
    )


def _reading(bench: HeadBench) -> str:
    """What is read from a clip are class numbers, and a longer label needs no fewer frames."""
    head, batch = bench.head(), bench.batch()
    needs = [head.min_frames(list(range(n))) for n in range(1, bench.classes)]
    require(all(isinstance(n, int) and n >= 1 for n in needs), f"min_frames gives {needs}; expected at least 1")
    require(needs == sorted(needs), f"min_frames gives {needs} for labels of 1, 2, … glosses: a longer one needs fewer")
    with torch.no_grad():
        texts = head.decode(head(batch.features, batch.lengths))
    if texts is None:
        return "it reads no sentences"
    require(len(texts) == len(batch), f"decode gives {len(texts)} texts for {len(batch)} clips")
    inside = all(isinstance(c, int) and 0 <= c < bench.classes for text in texts for c in text)
    require(inside, f"decode gives {texts}; expected lists of class numbers 0 to {bench.classes - 1}")
    return ""


def _aligns(bench: HeadBench) -> None:
    """Glosses placed in time cover a clip's frames without a gap, and read as what they were asked for."""
    head, batch = bench.head(), bench.batch()
    labels = [[place % bench.classes] for place in range(len(batch))]
    with torch.no_grad():
        output = head(batch.features, batch.lengths)
        found = [head.align(output), head.align(output, labels)]
    if None in found:
        raise SkippedCheck("it does not say where a gloss stands in time")
    require(output.lengths is not None, "align places glosses on frames, and the output keeps no time")
    for clips in found:
        require(len(clips or ()) == len(batch), f"align gives {len(clips or ())} clips for {len(batch)}")
        for spans, length in zip(clips or (), output.frame_lengths.tolist(), strict=True):
            ends = [0, *(span.end for span in spans)]
            joined = ends[-1] == length and [span.start for span in spans] == ends[:-1]
            require(joined, f"align gives {spans} for {length} frames; expected one after the other, to the last frame")
            require(all(span.start < span.end for span in spans), f"align gives spans without a frame: {spans}")
    for spans, label in zip(found[1] or (), labels, strict=True):
        read = [span.gloss for span in spans if span.gloss is not None]
        require(read == label, f"align through {label} reads as {read}")


def _figures(bench: HeadBench) -> str:
    head, batch = bench.head(), bench.batch()
    with torch.no_grad():
        found = head.figures(head(batch.features, batch.lengths))
    for name, figure in found.items():
        require(figure.shape == (len(batch),), f"figure {name} has shape {tuple(figure.shape)}; expected (B,)")
    text = head.diagnose({name: float(value.mean()) for name, value in found.items()})
    require(text is None or isinstance(text, str), f"diagnose gives a {type(text).__name__}; expected text or None")
    return ", ".join(found)


def _input(bench: HeadBench) -> None:
    head, batch = bench.head(), bench.batch()
    with torch.no_grad():
        before = bench.total(head, batch)
        after = bench.total(head, batch.with_features((batch.features.flip(2) + 1) * batch.mask[:, :, None]))
    require(not torch.allclose(before, after), "other frames give the same output: the head ignores its input")


def _padding(bench: HeadBench) -> None:
    head = bench.head()
    same_alone_and_padded(lambda batch: bench.output(head, batch), bench.batch())
    if head.ranks:
        same_alone_and_padded(lambda b: (head.scores(head(b.features, b.lengths)), None), bench.batch())


def _reaches_the_encoder(bench: HeadBench) -> None:
    head, batch = bench.build().train(), bench.batch()
    frames = batch.features.clone().requires_grad_()
    values, lengths = bench.output(head, batch.with_features(frames))
    require(values.requires_grad, "no gradient comes out of the head: the encoder would never be trained")
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
    "encoder gradient": _reaches_the_encoder,
    **MODULE_CHECKS,
}
