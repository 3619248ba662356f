"""What is trained."""

from __future__ import annotations

from pathlib import Path

import torch
from asl_core import (
    CheckpointError,
    Encoder,
    Foreign,
    Head,
    HeadOutput,
    Loss,
    LossResult,
    Sample,
    frame_mask,
)
from torch import Tensor, nn

from asl_frozen.options import EncoderOptions, LossOptions


class Encode(Encoder):
    """One linear map a frame; every second frame is dropped."""

    def __init__(self, options: EncoderOptions, input_size: int):
        super().__init__()
        self.output_size = options.hidden_size
        self.map = nn.Linear(input_size, options.hidden_size, bias=options.bias)
        self.after = nn.Tanh() if options.activation == "tanh" else nn.Identity()

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + 1) // 2

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        out: Tensor = self.after(self.map(features[:, ::2]))
        return out


class Classify(Head):
    """The mean frame, mapped to the glosses."""

    kind = "frozen"
    needs_frames = True
    ranks = True

    def __init__(self, options: object, input_size: int, classes: int):
        super().__init__()
        self.map = nn.Linear(input_size, classes)

    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        if lengths is None:
            return HeadOutput(self.map(frames), None)
        inside = frame_mask(lengths, frames.shape[1])[:, :, None]
        mean = frames.masked_fill(~inside, 0.0).sum(1) / lengths[:, None]
        return HeadOutput(self.map(mean), None)

    def scores(self, output: HeadOutput) -> Tensor:
        return output.values.log_softmax(1)

    def min_frames(self, targets: object) -> int:
        return 1

    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        return {"margin": output.values.max(1).values - output.values.min(1).values}

    def diagnose(self, figures: object) -> str | None:
        return None


class Entropy(Loss):
    """Cross-entropy of the gloss."""

    accepts = frozenset({"frozen"})
    labels = "one"

    def __init__(self, options: LossOptions):
        super().__init__()
        self.smoothing = options.smoothing

    def forward(self, sample: Sample) -> LossResult:
        total = nn.functional.cross_entropy(
            sample.output.values, sample.batch.single, label_smoothing=self.smoothing
        )
        return LossResult(total, {"entropy": total})


class Loader:
    """Bias of the map from a text file."""

    def __init__(self, options: object):
        pass

    def recognises(self, path: Path) -> bool:
        return path.suffix == ".frozen"

    def load(self, path: Path) -> Foreign:
        try:
            numbers = [float(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as fault:
            raise CheckpointError(f"{path}: expected one number a line ({fault}).") from fault
        return Foreign(tensors={"map.bias": torch.tensor(numbers)}, source="one number a line")
