"""Base of the stage-1 heads: they keep the encoder's frames and detect collapse.

A representation has collapsed when all frames are alike, or differ along one line only; it is useless for the next
stage, whatever the loss. Two figures show it, of the encoder frames h over the real frames of a batch:

    spread = sqrt( tr C / E|h|² ),        effective-rank = (tr C)² / tr C²,        C = cov(h).

Spread is 0 where all frames are equal, and 1 where their mean is 0; for unit vectors it is the root of 1 - |mean|². The
rank is the participation ratio of the eigenvalues of C (Bretherton et al., J. Climate 1999): n where n directions share
the variance evenly. It takes one product and no eigenvalues.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import torch
from torch import Tensor

from asl_core import Head, HeadOutput, at_least_float32, frame_mask

__all__ = ["EncodedOutput", "EncodingHead", "effective_rank", "spread"]

COLLAPSED_SPREAD = 0.05  #: an untrained GRU has at least 0.6
COLLAPSED_RANK = 1.1  #: directions; trained encoders use at least ten, early in a run two


@attrs.frozen(eq=False)
class EncodedOutput(HeadOutput):
    """A head's output with the encoder frames behind it."""

    encoded: Tensor = attrs.field(kw_only=True)  #: (B, T', F), detached

    def rows(self, start: int, end: int) -> EncodedOutput:
        """The output of clips ``start`` to ``end`` (exclusive)."""
        part = super().rows(start, end)
        return attrs.evolve(self, values=part.values, lengths=part.lengths, encoded=self.encoded[start:end])


class EncodingHead(Head):
    """A head that only trains its encoder; it ranks no glosses."""

    needs_frames = True
    ranks = False

    def forward(self, frames: Tensor, lengths: Tensor | None) -> EncodedOutput:
        """Values (B, T', K) of encoder frames (B, T', F), at least float32.

        Raises:
            ValueError: the encoder pools time.
        """
        if lengths is None or frames.ndim != 3:
            raise ValueError(f"head {self.kind} got {tuple(frames.shape)} and no time; expected frames (B, T, F)")
        return EncodedOutput(self.values(frames), lengths, encoded=frames.detach())

    def values(self, frames: Tensor) -> Tensor:
        """(B, T', K) from (B, T', F), frame by frame; each head defines it."""
        raise TypeError(f"{type(self).__name__} does not define values()")

    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        """``spread`` and ``effective-rank`` of the encoder's frames: one value per batch, for each clip (B,)."""
        if not isinstance(output, EncodedOutput):
            raise TypeError(f"head {self.kind} got the output of another head; expected its own")
        mask = frame_mask(output.frame_lengths, output.encoded.shape[1])
        frames = at_least_float32(output.encoded)[mask]
        each = frames.new_ones(len(output.values))
        return {"spread": each * spread(frames), "effective-rank": each * effective_rank(frames)}

    def diagnose(self, figures: Mapping[str, float]) -> str | None:
        """Name a collapsed representation."""
        wide, rank = figures.get("spread"), figures.get("effective-rank")
        if wide is not None and wide < COLLAPSED_SPREAD:
            what = f"all encoder frames are alike (spread {wide:.3f} of 1)"
        elif rank is not None and rank < COLLAPSED_RANK:
            what = f"encoder frames differ in {rank:.1f} directions only"
        else:
            return None
        return (
            f"collapsed representation: {what}, so these weights are useless for the next stage; try a lower "
            f"--learning-rate, a larger --batch-size{self.remedy}."
        )

    #: what else to try, at the end of a sentence
    remedy = ""


def spread(frames: Tensor) -> Tensor:
    """() root of the share of variance in the mean square of (N, F) frames: 0 collapsed, 1 centred."""
    variance = (frames - frames.mean(0)).square().sum(1).mean()
    return (variance / frames.square().sum(1).mean().clamp(min=torch.finfo(frames.dtype).tiny)).sqrt()


def effective_rank(frames: Tensor) -> Tensor:
    """() participation ratio of the covariance of (N, F) frames; 0 where they have no variance."""
    centred = frames - frames.mean(0)
    # The product over the smaller side has the same trace, and so has its square.
    gram = centred.t() @ centred if len(centred) > centred.shape[1] else centred @ centred.t()
    return gram.trace().square() / gram.square().sum().clamp(min=torch.finfo(frames.dtype).tiny)
