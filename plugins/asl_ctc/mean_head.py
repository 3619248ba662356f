"""Head ``mean`` and loss ``cross-entropy``: a classifier on the mean of a clip's frames, the plain baseline."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from asl_core import Head, HeadOutput, LossResult, Sample, at_least_float32
from asl_ctc.consistency import ConsistentLoss, between_views
from asl_ctc.frames import mean_over_frames
from asl_ctc.options import CrossEntropyOptions, MeanHeadOptions

__all__ = ["CrossEntropyLoss", "MeanHead"]


class MeanHead(Head):
    """The mean over real frames, dropout, and a linear layer. Output values are logits (B, classes)."""

    kind = "logits"
    needs_frames = False

    def __init__(self, options: MeanHeadOptions, input_size: int, classes: int):
        super().__init__()
        self.dropout = nn.Dropout(options.dropout)
        self.linear = nn.Linear(input_size, classes)

    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        """Logits of frames (B, T', input_size), or of an encoder's own pooling (B, input_size).

        Raises:
            ValueError: frames without lengths.
        """
        if frames.ndim == 3:
            if lengths is None:
                raise ValueError("head mean got frames without lengths; expected (B,) lengths, or a pooled (B, F)")
            frames = mean_over_frames(frames, lengths)
        return HeadOutput(self.linear(self.dropout(frames)), None)

    def scores(self, output: HeadOutput) -> Tensor:
        """(B, classes) log-probabilities of the glosses."""
        return at_least_float32(output.values).log_softmax(-1)


class CrossEntropyLoss(ConsistentLoss):
    """Cross-entropy of the one gloss of each clip; with a consistency, of two views plus their divergence."""

    accepts = frozenset({"logits"})
    labels = "one"

    def __init__(self, options: CrossEntropyOptions):
        super().__init__(options.consistency, aligned=False)
        self.label_smoothing = options.label_smoothing

    def forward(self, sample: Sample) -> LossResult:
        """Mean over clips; the parts add up to the total."""
        logits = at_least_float32(sample.output.values)
        loss = F.cross_entropy(logits, sample.batch.single, label_smoothing=self.label_smoothing)
        if sample.views == 1:
            return LossResult(loss, {"cross-entropy": loss})
        consistency = self.consistency * between_views(logits.log_softmax(-1)).mean()
        return LossResult(loss + consistency, {"cross-entropy": loss, "consistency": consistency})
