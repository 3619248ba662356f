"""Encoders, heads and losses that break one promise each, beside a sound one of each that they differ from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asl_core import Batch, ClipRandom, Encoder, Head, HeadOutput, Loss, LossResult, Sample, frame_mask

SIZE = 6


class GoodEncoder(Encoder):
    """A masked convolution."""

    def __init__(self, options: Any, input_size: int):
        super().__init__()
        self.output_size = SIZE
        self.project = nn.Linear(input_size, SIZE)
        self.convolution = nn.Conv1d(SIZE, SIZE, 3, padding=1)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        frames = self.project(features) * frame_mask(lengths, features.shape[1])[:, :, None]
        return self.convolution(frames.transpose(1, 2)).transpose(1, 2)


class ConstantEncoder(GoodEncoder):
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(torch.zeros_like(features), lengths)


class IdleEncoder(Encoder):
    def __init__(self, options: Any, input_size: int):
        super().__init__()
        self.output_size = input_size

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return features


class LyingEncoder(GoodEncoder):
    """Halves the frames and does not say so."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(features, lengths)[:, ::2]


class HalvingEncoder(LyingEncoder):
    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths // 2


class UndeclaredEncoder(GoodEncoder):
    """Keeps all frames and declares half of them."""

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + 1) // 2


class TruncatingEncoder(GoodEncoder):
    """Reads the first half of each clip."""

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + 1) // 2

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        half = self.output_lengths(lengths)
        return super().forward(features[:, : int(half.max())], half)


class CompanyEncoder(GoodEncoder):
    """A clip has as many frames as the longest of its batch."""

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return torch.full_like(lengths, int(lengths.max()))


class LeakyEncoder(GoodEncoder):
    """Takes the mean over all frames, the padded ones too."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        frames = super().forward(features, lengths)
        return frames - frames.mean(1, keepdim=True)


class UnmaskedEncoder(GoodEncoder):
    """Forgets that the bias of the projection fills padding."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return self.convolution(self.project(features).transpose(1, 2)).transpose(1, 2)


class WideEncoder(GoodEncoder):
    def __init__(self, options: Any, input_size: int):
        super().__init__(options, input_size)
        self.output_size = SIZE + 1


class FlatEncoder(GoodEncoder):
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(features, lengths).sum(1)


class SpareEncoder(GoodEncoder):
    def __init__(self, options: Any, input_size: int):
        super().__init__(options, input_size)
        self.spare = nn.Linear(3, 3)


class DetachedEncoder(GoodEncoder):
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(features, lengths).detach()


class ForgetfulEncoder(GoodEncoder):
    """Its offset is no buffer, so no checkpoint has it."""

    def __init__(self, options: Any, input_size: int):
        super().__init__(options, input_size)
        self.offset = torch.randn(())

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(features, lengths) + self.offset.to(features.dtype)


class NoisyEncoder(GoodEncoder):
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(features, lengths), 0.5, training=True)


class UnseededEncoder(GoodEncoder):
    def __init__(self, options: Any, input_size: int):
        super().__init__(options, input_size)
        nn.init.constant_(self.project.bias, float(np.random.default_rng().random()))


class ForeignNoiseEncoder(GoodEncoder):
    generator = np.random.default_rng(0)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        frames = super().forward(features, lengths)
        return frames * self.generator.random() if self.training else frames


class DoubleEncoder(GoodEncoder):
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(features, lengths).double()


class OverflowingEncoder(GoodEncoder):
    """Fine in float64."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(features, lengths) * (features.new_tensor(1e30) ** 2) / 1e60


class OneTypeEncoder(GoodEncoder):
    """Writes into a tensor of the input's type, which under autocast is not the output's."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        frames = super().forward(features, lengths)
        mask = frame_mask(lengths, features.shape[1])
        out = features.new_zeros(frames.shape)
        out[mask] = frames[mask]
        return out


class StuckEncoder(GoodEncoder):
    """Cannot be moved."""

    def to(self, *arguments: Any, **named: Any) -> Any:
        if arguments and isinstance(arguments[0], torch.device) and arguments[0].type == "cpu":
            raise RuntimeError("expected all tensors to be on the same device")
        return super().to(*arguments, **named)


class ResumingEncoder(GoodEncoder):
    """Counts its steps in an attribute, and changes with them."""

    def __init__(self, options: Any, input_size: int):
        super().__init__(options, input_size)
        self.steps = 0

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        frames = super().forward(features, lengths)
        if not self.training:
            return frames
        self.steps += 1
        return frames * (1 + 1 / self.steps)


def no_module(options: Any, *sizes: int) -> Any:
    return sum


class GoodHead(Head):
    """Mean over real frames."""

    kind = "toy"
    needs_frames = False

    def __init__(self, options: Any, input_size: int, classes: int):
        super().__init__()
        self.linear = nn.Linear(input_size, classes)

    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        if lengths is not None:
            mask = frame_mask(lengths, frames.shape[1])[:, :, None]
            frames = (frames * mask).sum(1) / lengths[:, None]
        return HeadOutput(self.linear(frames), None)

    def scores(self, output: HeadOutput) -> Tensor:
        return output.values.log_softmax(-1)


class KindlessHead(GoodHead):
    kind = ""


class LogitHead(GoodHead):
    def scores(self, output: HeadOutput) -> Tensor:
        return output.values


class LeakyHead(GoodHead):
    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        return HeadOutput(self.linear(frames.mean(1) if frames.ndim == 3 else frames), None)


class BlindHead(GoodHead):
    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        return super().forward(torch.ones_like(frames), lengths)


class BlockingHead(GoodHead):
    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        return super().forward(frames.detach(), lengths)


class FramesOnlyHead(GoodHead):
    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        return HeadOutput(super().forward(frames, lengths).values[None], None)


class WrongReadingHead(GoodHead):
    def decode(self, output: HeadOutput) -> list[list[int]] | None:
        return [[output.values.shape[1]]] * len(output.values)


class ImpatientHead(GoodHead):
    def min_frames(self, targets: Any) -> int:
        return 9 - len(targets)


class FigureHead(GoodHead):
    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        return {"confidence": output.values.mean()}


class GoodLoss(Loss):
    """Cross-entropy, with a weight of its own that is trained."""

    accepts = frozenset({"toy"})

    def __init__(self, options: Any):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, sample: Sample) -> LossResult:
        loss = nn.functional.cross_entropy(sample.output.values * self.scale, sample.batch.single)
        return LossResult(loss, {"toy": loss})


class VectorLoss(GoodLoss):
    def forward(self, sample: Sample) -> LossResult:
        return LossResult(super().forward(sample).total[None])


class InfiniteLoss(GoodLoss):
    def forward(self, sample: Sample) -> LossResult:
        return LossResult(super().forward(sample).total / (len(sample.batch) - 1))


class LabelBlindLoss(GoodLoss):
    def forward(self, sample: Sample) -> LossResult:
        return LossResult((sample.output.values * self.scale).square().mean())


class HeadBlindLoss(GoodLoss):
    def forward(self, sample: Sample) -> LossResult:
        return LossResult(self.scale * sample.batch.targets.sum())


class PaddedLoss(GoodLoss):
    def forward(self, sample: Sample) -> LossResult:
        return LossResult(super().forward(sample).total * sample.batch.features.shape[1])


class PickyLoss(GoodLoss):
    accepts = frozenset({"nothing"})


class MislabelledLoss(GoodLoss):
    labels = "two"


class FigureLoss(GoodLoss):
    def figures(self, sample: Sample) -> dict[str, Tensor]:
        return {"right": sample.output.values.mean()}


class GreedyLoss(GoodLoss):
    views = 2
    corrupts = True


class HidingLoss(GoodLoss):
    """Hides frames that are drawn for the whole batch."""

    corrupts = True

    def corrupt(self, batch: Batch, random: ClipRandom) -> Batch:
        place = torch.arange(batch.features.shape[1] * len(batch)).view(len(batch), -1, 1)
        return batch.with_features(batch.features * (place % 3 > 0))


class IdlyHidingLoss(GoodLoss):
    corrupts = True
