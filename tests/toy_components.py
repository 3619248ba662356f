"""Small components with known behaviour, and a registry of them, so that core tests stand on no real plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from asl_core import Clip, Component, Encoder, Finding, Head, HeadOutput, Loss, LossResult, Sample, option
from asl_core.registry.component import BUILTIN, Offer, Registry


@attrs.frozen
class ToyDataOptions:
    root: str | None = option(None, env="TOY_DATA", help="folder")
    glosses: int | tuple[str, ...] | None = option(None, ge=1, help="which")


@attrs.frozen
class SmallOptions:
    hidden_size: int = option(8, ge=1, le=4096, help="units")
    dropout: float = option(0.1, ge=0, lt=1, help="share")
    bidirectional: bool = option(True, help="backwards too")
    kind: str = option("plain", choices=("plain", "fancy"), help="which kind")


@attrs.frozen
class WideOptions:
    hidden_size: int = option(16, ge=1, help="units")
    layers: int = option(2, ge=1, le=12, help="stacked")


@attrs.frozen
class LossOptions:
    smoothing: float = option(0.0, ge=0, lt=1, help="share")


@attrs.frozen
class NeedyOptions:
    power: float = option(gt=0, help="watts")


@attrs.frozen
class MaskOptions:
    share: float = option(0.2, ge=0, le=1, help="share of frames")


class ToyDataset:
    """Two glosses of known clips; ``train`` and ``val``."""

    def __init__(self, options: ToyDataOptions):
        self.options = options

    def splits(self) -> Sequence[str]:
        return ("train", "val")

    def clips(self, split: str) -> Iterable[Clip]:
        return make_clips([5, 3, 4, 6], ["a", "b", "a", "b"], prefix=split)

    def findings(self) -> Sequence[Finding]:
        return ()


class LinearEncoder(Encoder):
    """One linear map a frame; counts how often it ran."""

    def __init__(self, options: Any, input_size: int):
        super().__init__()
        self.output_size = options.hidden_size
        self.layer = nn.Linear(input_size, options.hidden_size)
        self.calls = 0

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        self.calls += 1
        out: Tensor = self.layer(features)
        return out


class PoolingEncoder(LinearEncoder):
    frames = False

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(features, lengths).sum(1) / lengths[:, None]


class MeanHead(Head):
    """Mean over real frames, then log-softmax."""

    kind = "classes"
    needs_frames = False

    def __init__(self, options: Any, input_size: int, classes: int):
        super().__init__()
        self.layer = nn.Linear(input_size, max(classes, 1))

    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        if lengths is None:
            return HeadOutput(self.layer(frames), None)
        inside = torch.arange(frames.shape[1])[None, :] < lengths[:, None]
        return HeadOutput(self.layer((frames * inside[:, :, None]).sum(1) / lengths[:, None]), None)

    def scores(self, output: HeadOutput) -> Tensor:
        return output.values.log_softmax(-1)


class FrameHead(Head):
    kind = "frames"
    needs_frames = True
    ranks = False

    def __init__(self, options: Any, input_size: int, classes: int):
        super().__init__()

    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        return HeadOutput(frames, lengths)

    def min_frames(self, targets: Sequence[int]) -> int:
        return 4


class ClassLoss(Loss):
    accepts = frozenset({"classes"})

    def __init__(self, options: Any = None):
        super().__init__()

    def forward(self, sample: Sample) -> LossResult:
        return LossResult(nn.functional.cross_entropy(sample.output.values, sample.batch.single))


def make_clips(
    lengths: Sequence[int],
    glosses: Sequence[str | tuple[str, ...]] | None = None,
    *,
    width: int = 3,
    prefix: str = "clip",
    signers: Sequence[str | None] | None = None,
) -> list[Clip]:
    """Clips of random frames that depend on prefix, place and length alone."""
    glosses = glosses or ["a"] * len(lengths)
    return [
        Clip(
            id=f"{prefix}-{i}",
            features=np.random.default_rng([len(prefix), *prefix.encode(), i, n])
            .standard_normal((n, width))
            .astype(np.float32),
            glosses=g if isinstance(g, tuple) else (g,),
            signer=signers[i] if signers else None,
            source=f"{prefix}.pkl",
        )
        for i, (n, g) in enumerate(zip(lengths, glosses, strict=True))
    ]


def component(name: str, target: str = "LinearEncoder", options: type | None = None, **more: Any) -> Component:
    chosen: dict[str, Any] = {} if options is None else {"options": options}
    return Component(name=name, factory=f"toy_components:{target}", summary=f"the {name}", **chosen, **more)


def offer(slot: str, made: Component, distribution: str = BUILTIN, plugin: str = "toy") -> Offer:
    return Offer(slot, made, distribution, plugin)


def registry(*extra: Offer, suggests: Mapping[str, Mapping[str, Any]] | None = None) -> Registry:
    """The toy components, with the names that a run has by default (``demo``, ``gru``, ``ctc``)."""
    own: Callable[[str], dict[str, Any]] = lambda name: {"suggests": (suggests or {}).get(name, {})}  # noqa: E731
    return Registry(
        [
            offer("dataset", component("demo", "ToyDataset", ToyDataOptions, **own("demo"))),
            offer("dataset", component("files", "ToyDataset", ToyDataOptions, **own("files"))),
            offer("encoder", component("gru", options=SmallOptions, **own("gru"))),
            offer("encoder", component("wide", options=WideOptions, **own("wide"))),
            offer("encoder", component("pool", "PoolingEncoder", SmallOptions, **own("pool"))),
            offer(
                "head",
                component("ctc", "MeanHead", SmallOptions, suggests={"loss.name": "plain"} | own("ctc")["suggests"]),
            ),
            offer("head", component("frames", "FrameHead", SmallOptions, **own("frames"))),
            offer("loss", component("plain", "ClassLoss", LossOptions)),
            offer("loss", component("other", "ClassLoss", LossOptions)),
            offer("loss", component("needy", "ClassLoss", NeedyOptions)),
            offer("augment", component("mask", "LinearEncoder", MaskOptions)),
            offer("augment", component("speed", "LinearEncoder", MaskOptions)),
            *extra,
        ]
    )
