"""The recogniser: one encoder under one or more named heads, and the check that they fit together."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.clips.frames import gathered
from asl_core.clips.store import ClipStore
from asl_core.compute.progress import track
from asl_core.config.run_config import HeadChoice, RunConfig
from asl_core.contracts import BatchTransform, Encoder, Facts, Head, HeadOutput
from asl_core.data.outliers import DEVIATIONS
from asl_core.data.pipeline import Pipeline
from asl_core.errors import ConfigError, RunError
from asl_core.model.statistics import frame_statistics
from asl_core.registry.contract_checks import calling, returned

__all__ = ["Recognizer", "Standardiser", "build_model", "facts_of"]


class Standardiser(nn.Module):
    """Features to mean 0 and deviation 1 by the statistics of the train frames, which travel with the weights.

    Args:
        width: features per frame as they are stored.
        transforms: batchwise, applied before the scaling, in this order.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, transforms: Sequence[BatchTransform] = ()):
        super().__init__()
        self.transforms = tuple(transforms)
        self.stored_width = width
        self.width = functools.reduce(lambda w, transform: transform.output_width(w), self.transforms, width)
        self.bounded = True  #: whether values are clamped to so many deviations; not for features as stored
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("scale", torch.ones(self.width))

    def described(self, store: ClipStore) -> ClipStore:
        """The clips after the batchwise transforms, before scaling: what statistics are taken from."""
        if not self.transforms:
            return store
        indices = track(torch.split(torch.arange(len(store)), 256), "describing train")
        batches = (self._transformed(store.batch(index)) for index in indices)
        parts = (batch.features[batch.mask].numpy() for batch in batches)
        return store.with_features(torch.from_numpy(gathered(parts, len(store.features), self.width)))

    def _transformed(self, batch: Batch) -> Batch:
        for transform in self.transforms:
            before = batch
            batch = transform(before)
            given = tuple(batch.features.shape) if isinstance(batch, Batch) else type(batch).__name__
            expected = (*before.features.shape[:2], transform.output_width(before.features.shape[2]))
            if given != expected:
                raise RunError(
                    f"batchwise transform {_named(transform)} gave {given} for a batch of "
                    f"{tuple(before.features.shape)}; its output_width and the batch say {expected}. This is a fault "
                    f"of the plugin it comes from: `asl plugins check {_package(transform)}` shows it."
                )
        return batch

    def fit(self, frames: Tensor) -> None:
        """Take the statistics of (N, D) frames; a constant feature is only centred."""
        mean, scale, _ = frame_statistics(frames)
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def deviations(self, batch: Batch) -> Tensor:
        """(B, T, D) distance of the transformed frames from the mean, in deviations; padding holds anything."""
        return (self._transformed(batch).features - self.mean) / self.scale

    def forward(self, batch: Batch) -> Batch:
        """The batch with transformed and scaled frames; padding stays zero."""
        batch = self._transformed(batch)
        features = (batch.features - self.mean) / self.scale
        if self.bounded:
            clamped = features.clamp(-DEVIATIONS, DEVIATIONS)
            features = torch.where(features.isinf(), features, clamped)  # infinite values are a fault to be found
        return batch.with_features(features * batch.mask[:, :, None])


class Recognizer(nn.Module):
    """Standardiser, encoder, heads.

    Attributes:
        standardiser: applied once, before augmentation; :meth:`encode` takes standardised batches.
        encoder: the component's module.
        heads: name -> head.
    """

    def __init__(self, standardiser: Standardiser, encoder: Encoder, heads: Mapping[str, Head]):
        super().__init__()
        self.standardiser = standardiser
        self.encoder = encoder
        self.heads = nn.ModuleDict(heads)

    def head(self, name: str) -> Head:
        """One head, typed."""
        return self.heads[name]  # type: ignore[return-value]

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Encoder frames (B, T', F) and their lengths (B,), or (B, F) and None, of a standardised batch."""
        with calling("encoder", self.encoder):
            frames = self.encoder(batch.features, batch.lengths)
            lengths = self.encoder.output_lengths(batch.lengths) if self.encoder.frames else None
        returned("encoder", self.encoder, frames, Tensor, "a tensor (B, T', output_size)")
        if lengths is None:
            return frames, None
        returned("encoder", self.encoder, lengths, Tensor, "a tensor (B,) of its output_lengths")
        size, longest = self.encoder.output_size, int(lengths.max())
        if frames.ndim != 3 or frames.shape[1] < longest or frames.shape[2] != size:
            raise RunError(
                f"encoder {_named(self.encoder)} gave frames of shape {tuple(frames.shape)} and says that there are "
                f"{longest} of {size} numbers (output_lengths, output_size): clips would be read past their ends. This "
                f"is a fault of the plugin it comes from: `asl plugins check {_package(self.encoder)}` shows it."
            )
        return frames, lengths

    def forward(self, batch: Batch) -> dict[str, HeadOutput]:
        """Every head's output for a batch of raw features."""
        frames, lengths = self.encode(self.standardiser(batch))
        return {name: self.read(name, frames, lengths) for name in self.heads}

    def read(self, name: str, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        """One head's output for what :meth:`encode` gave."""
        head = self.head(name)
        with calling("head", head):
            output = head(frames, lengths)
        return cast("HeadOutput", returned("head", head, output, HeadOutput, "asl_core.HeadOutput(values, lengths)"))

    @property
    def ranking_head(self) -> str | None:
        """The first head that ranks glosses, whose scores evaluation and prediction use."""
        return next((name for name in self.heads if self.head(name).ranks), None)

    def parameter_count(self) -> int:
        """Number of trained parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def _named(component: object) -> str:
    return f"{type(component).__module__}.{type(component).__qualname__}"


def _package(component: object) -> str:
    return type(component).__module__.partition(".")[0]


def build_model(
    config: RunConfig, width: int, classes: int, *, sentences: bool | None = None, fps: float | None = None
) -> Recognizer:
    """A freshly initialised recogniser.

    Args:
        config: as it fits the clips.
        width: features per frame as the clips are stored.
        classes: glosses.
        sentences: whether clips hold several glosses; None where unknown.
        fps: frames per second of the clips; None where unknown or uneven.

    Raises:
        ConfigError: encoder and heads, or heads and losses, do not fit; all mismatches at once.
    """
    standardiser = Standardiser(width, Pipeline.of(config).batchwise)
    standardiser.bounded = config.train.standardise
    facts = facts_of(config, standardiser, classes, sentences, fps)
    encoder: Encoder = config.encoder.build(standardiser.width, facts=facts)
    heads = {
        name: choice.choice.build(encoder.output_size, classes, facts=facts) for name, choice in config.heads.items()
    }
    problems = []
    for name, head in heads.items():
        if head.needs_frames and not encoder.frames:
            problems.append(
                f"head {config.heads[name].choice.name!r} needs one output a frame, and encoder "
                f"{config.encoder.name!r} pools over time: choose another encoder, or a head such as mean"
            )
        problems += _loss_problems(name, head, config.heads[name])
    if problems:
        raise ConfigError(problems)
    return Recognizer(standardiser, encoder, heads)


def facts_of(
    config: RunConfig, standardiser: Standardiser, classes: int, sentences: bool | None, fps: float | None
) -> Facts:
    """What factories are told of a run's clips."""
    return Facts(
        feature_size=standardiser.width,
        stored_size=standardiser.stored_width,
        classes=classes,
        standardised=config.train.standardise,
        sentences=sentences,
        fps=fps,
    )


def _loss_problems(name: str, head: Head, choice: HeadChoice) -> list[str]:
    problems = []
    for loss_choice in choice.losses.values():
        accepts = getattr(loss_choice.choice.component.load(), "accepts", None)
        if accepts and head.kind not in accepts:  # one that accepts nothing is refused when it is made
            problems.append(
                f"loss {loss_choice.choice.name!r} is for {' or '.join(sorted(accepts))} heads, and head {name!r} "
                f"({choice.choice.name}) is of kind {head.kind!r}: choose another with --loss"
            )
    return problems
