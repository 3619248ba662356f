"""The kit that plugin authors test with: each check says in its failure what a user of the component would see.

from asl_core import testing
def test_my_encoder():
    testing.check_encoder(my_component)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from asl_core.component import Component
from asl_core.contracts import Augment, Dataset, Encoder, Head, Loss, Sample
from asl_core.data import Batch, frame_mask
from asl_core.options import option_specs
from asl_core.random import ClipRandom

__all__ = [
    "check_augment",
    "check_component",
    "check_dataset",
    "check_encoder",
    "check_head",
    "check_loss",
    "options_of",
    "random_batch",
]

LENGTHS = (7, 23, 1, 12)
CLASSES = 5
WIDTH = 36


class ContractError(AssertionError):
    """A component does not keep what its slot promises."""


def _require(holds: bool, text: str) -> None:
    if not holds:
        raise ContractError(text)


def options_of(component: Component, **values: Any) -> Any:
    """The component's options with these values and defaults for the rest."""
    return component.options(**values)


def random_batch(
    lengths: Sequence[int] = LENGTHS,
    width: int = WIDTH,
    classes: int = CLASSES,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    frames: int | None = None,
) -> Batch:
    """A batch of random frames, one gloss a clip.

    Args:
        lengths: frames of each clip.
        width: numbers a frame.
        classes: glosses.
        seed: of the numbers; a clip's numbers depend on it and on the clip's place alone.
        dtype: of the frames.
        frames: pad to this many instead of the longest.
    """
    longest = frames or max(lengths)
    features = torch.zeros(len(lengths), longest, width, dtype=dtype)
    for place, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(1000 * seed + place)
        features[place, :length] = torch.randn(length, width, generator=generator, dtype=dtype)
    return Batch(
        features=features,
        lengths=torch.tensor(lengths),
        targets=torch.arange(len(lengths)) % classes,
        target_lengths=torch.ones(len(lengths), dtype=torch.int64),
        index=torch.arange(len(lengths)),
        ids=tuple(f"clip-{i}" for i in range(len(lengths))),
    )


def check_component(component: Component) -> None:
    """Its options are documented, and its defaults pass their own checks."""
    for spec in option_specs(component.options):
        _require(bool(spec.help), f"option {spec.key} of {component.name!r} has no help: users read it in asl show")
    _require(bool(component.summary), f"component {component.name!r} has no summary: it stands in asl ls")
    if not any(s.required for s in option_specs(component.options)):
        component.options()
    _require(callable(component.load()), f"the factory of {component.name!r} is not callable")


def check_encoder(component: Component, *, width: int = WIDTH, **options: Any) -> None:
    """Shapes, declared lengths, padding invariance, gradients, state, determinism."""
    check_component(component)

    def build(seed: int = 0) -> Encoder:
        torch.manual_seed(seed)
        encoder: Encoder = component.load()(options_of(component, **options), width)
        return encoder.double()

    encoder = build().eval()
    batch = random_batch(width=width)
    out = encoder(batch.features, batch.lengths)
    _require(
        out.shape[-1] == encoder.output_size,
        f"the encoder says output_size {encoder.output_size} and gives {out.shape[-1]} numbers a frame",
    )
    if not encoder.frames:
        _require(out.ndim == 2, f"frames is False, and the output has shape {tuple(out.shape)}; expected (B, F)")
        lengths = None
    else:
        lengths = encoder.output_lengths(batch.lengths)
        _require(out.ndim == 3, f"the output has shape {tuple(out.shape)}; expected (B, T', output_size)")
        _require(bool((lengths >= 1).all()), f"output_lengths gives {lengths.tolist()}: a clip lost all its frames")
        _require(
            out.shape[1] >= int(lengths.max()),
            f"output_lengths promises {int(lengths.max())} frames and the output has {out.shape[1]}",
        )
    _check_padding(lambda b: encoder(b.features, b.lengths), encoder.output_lengths, batch, encoder.frames)
    _check_frames_matter(encoder, batch, lengths)
    _check_gradients(build().train(), lambda m: _real_sum(m(batch.features, batch.lengths), lengths))
    _check_state(build(0), build(1), lambda m: m(batch.features, batch.lengths), lengths)


def check_head(component: Component, *, width: int = 16, classes: int = CLASSES, **options: Any) -> None:
    """Shapes, scores that are log-probabilities, padding invariance, gradients, state."""
    check_component(component)

    def build(seed: int = 0) -> Head:
        torch.manual_seed(seed)
        head: Head = component.load()(options_of(component, **options), width, classes)
        return head.double()

    head = build().eval()
    batch = random_batch(width=width, classes=classes)
    output = head(batch.features, batch.lengths)
    _require(bool(head.kind), "kind is empty: losses choose by it")
    _require(output.values.shape[0] == len(batch), f"values have {output.values.shape[0]} rows for {len(batch)} clips")
    if head.ranks:
        scores = head.scores(output)
        _require(
            scores.shape == (len(batch), classes), f"scores have shape {tuple(scores.shape)}; expected (B, classes)"
        )
        total = scores.exp().sum(1)
        _require(bool(torch.allclose(total, torch.ones_like(total))), "the probabilities of scores() do not sum to 1")

        def ranked(b: Batch) -> Tensor:
            return head.scores(head(b.features, b.lengths))

        _check_padding(ranked, lambda n: n, batch, frames=False)
    _check_gradients(build().train(), lambda m: _real_sum(m(batch.features, batch.lengths).values, output.lengths))
    _check_state(build(0), build(1), lambda m: m(batch.features, batch.lengths).values, output.lengths)
    for name, figure in head.figures(output).items():
        _require(figure.shape == (len(batch),), f"figure {name} has shape {tuple(figure.shape)}; expected (B,)")


def check_loss(component: Component, head: Component, *, width: int = 16, **options: Any) -> None:
    """A finite scalar whose gradient reaches the head, whose parts are told, and which padding does not change."""
    check_component(component)
    torch.manual_seed(0)
    module: Head = head.load()(options_of(head), width, CLASSES).double()
    loss: Loss = component.load()(options_of(component, **options)).double()
    _require(module.kind in loss.accepts, f"loss {component.name!r} does not accept head kind {module.kind!r}")

    def compute(batch: Batch) -> Tensor:
        shown = loss.corrupt(batch, ClipRandom.of(batch.index, 0)) if loss.corrupts else batch
        shown = Batch.cat([shown] * loss.views)
        clean = Batch.cat([batch] * loss.views)
        result = loss(Sample(module(shown.features, shown.lengths), shown, clean, loss.views))
        _require(result.total.ndim == 0, f"the total has shape {tuple(result.total.shape)}; expected a scalar")
        for name, part in result.parts.items():
            _require(part.ndim == 0, f"part {name!r} has shape {tuple(part.shape)}; expected a scalar")
        total: Tensor = result.total
        return total

    batch = random_batch(width=width)
    scalar = compute(batch)
    scalar.backward()  # type: ignore[no-untyped-call]
    total = scalar.detach()
    _require(bool(torch.isfinite(total)), f"the loss of random frames is {float(total)}")
    dead = [n for n, p in module.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    _require(not dead, f"no gradient of the loss reaches {', '.join(dead)} of the head")
    wider = compute(random_batch(width=width, frames=max(LENGTHS) + 9)).detach()
    _require(
        bool(torch.isclose(total, wider, rtol=1e-9, atol=1e-12)),
        f"the loss changes with padding: {float(total)!r} and {float(wider)!r} for the same clips",
    )


def check_augment(component: Component, **options: Any) -> None:
    """Pure in (seed, epoch, clip), whatever batch a clip is in; padding stays zero; no clip loses all frames."""
    check_component(component)
    augment: Augment = component.load()(options_of(component, **options))
    batch = random_batch(dtype=torch.float32)

    def apply(b: Batch) -> Batch:
        return augment(b, ClipRandom.of(b.index, 3, 1, "view"))

    out = apply(batch)
    _require(bool((out.lengths >= 1).all()), f"a clip lost all its frames: lengths {out.lengths.tolist()}")
    _require(out.features.shape[1] >= int(out.lengths.max()), "lengths promise more frames than there are")
    _require(bool((out.features[~out.mask] == 0).all()), "padding is no longer zero")
    again = apply(batch)
    _require(bool(torch.equal(out.features, again.features)), "the same (seed, epoch, clip) gave other frames")
    for place in range(len(batch)):
        length = int(batch.lengths[place])
        alone = apply(batch.rows(place, place + 1).with_features(batch.features[place : place + 1, :length]))
        after = int(alone.lengths[0])
        same = after == int(out.lengths[place]) and torch.equal(alone.features[0, :after], out.features[place, :after])
        _require(same, f"clip {place} is augmented otherwise alone than in a batch: draw from ClipRandom per clip")


def check_dataset(dataset: Dataset, most: int = 50) -> None:
    """Splits, unique ids, finite frames of one width, and the same clips at every reading."""
    names = dataset.splits()
    _require("train" in names, f"splits() gives {list(names)}: there is nothing to train on")
    for split in names:
        ids, width = [], None
        for clip, again in zip(dataset.clips(split), dataset.clips(split), strict=True):
            where = f"clip {clip.id!r} of {split}"
            _require(clip.features.ndim == 2 and len(clip.features) > 0, f"{where} has shape {clip.features.shape}")
            _require(clip.features.dtype == "float32", f"{where} is {clip.features.dtype}; expected float32")
            width = width or clip.features.shape[1]
            _require(clip.features.shape[1] == width, f"{where} has another width than the clips before it")
            _require(
                clip.id == again.id and (clip.features == again.features).all(), f"{where} differs when read again"
            )
            ids.append(clip.id)
            if len(ids) == most:
                break
        _require(len(set(ids)) == len(ids), f"ids of {split} are not unique")


def _check_padding(
    run: Callable[[Batch], Tensor], output_lengths: Callable[[Tensor], Tensor], batch: Batch, frames: bool
) -> None:
    """Every clip alone, in the batch, and in a batch padded further: one result."""
    with torch.no_grad():
        together = run(batch)
        wider = run(random_batch(batch.lengths.tolist(), batch.features.shape[2], frames=max(LENGTHS) + 11))
        for place in range(len(batch)):
            length = int(batch.lengths[place])
            one = batch.rows(place, place + 1).with_features(batch.features[place : place + 1, :length])
            alone = run(one)
            kept = int(output_lengths(one.lengths)[0]) if frames else None
            for name, other in (("in a batch with longer clips", together), ("padded further", wider)):
                a, b = alone[0][:kept], other[place][:kept]
                worst = float(((a - b).abs() / b.abs().clamp(min=1e-3)).max())
                _require(
                    worst < 1e-9,
                    f"a clip of {length} frames gives other numbers alone than {name} (relative difference "
                    f"{worst:.1e}): padding leaks; mask it, or pack the sequences",
                )


def _check_frames_matter(encoder: Encoder, batch: Batch, lengths: Tensor | None) -> None:
    """An encoder that returns constants, or ignores its input, is caught here."""
    with torch.no_grad():
        before = _real_sum(encoder(batch.features, batch.lengths), lengths)
        after = _real_sum(encoder(batch.features.flip(2) + 1, batch.lengths), lengths)
    _require(not torch.allclose(before, after), "other frames give the same output: the encoder ignores its input")


def _check_gradients(module: nn.Module, scalar: Callable[[Any], Tensor]) -> None:
    torch.manual_seed(0)
    scalar(module).backward()  # type: ignore[no-untyped-call]
    dead = [n for n, p in module.named_parameters() if p.requires_grad and p.grad is None]
    _require(not dead, f"no gradient reaches {', '.join(dead)}: they would never be trained")


def _check_state(one: nn.Module, other: nn.Module, run: Callable[[Any], Tensor], lengths: Tensor | None) -> None:
    """A state dict carries all that matters, and evaluation is deterministic."""
    one.eval()
    other.eval()
    with torch.no_grad():
        expected = _real_sum(run(one), lengths)
        _require(bool(torch.equal(expected, _real_sum(run(one), lengths))), "evaluating twice gives two results")
        other.load_state_dict(copy.deepcopy(one.state_dict()))
        same = torch.allclose(expected, _real_sum(run(other), lengths), rtol=1e-12)
    _require(same, "a module loaded from the state dict gives other numbers: something it needs is not in the state")


def _real_sum(values: Tensor, lengths: Tensor | None) -> Tensor:
    """A scalar of the real frames, weighted so that a swap of frames shows."""
    if lengths is not None and values.ndim == 3:
        values = values.masked_fill(~frame_mask(lengths, values.shape[1])[:, :, None], 0.0)
    weights = torch.linspace(0.5, 1.5, values.numel(), dtype=values.dtype).view_as(values)
    return (values * weights).sum()
