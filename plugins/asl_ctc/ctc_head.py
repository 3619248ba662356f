"""Head ``ctc``: a distribution over blank and the glosses on every frame; ranking, reading and alignment from it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import attrs
import torch
from torch import Tensor, nn

from asl_core import Head, HeadOutput, Span, at_least_float32, frame_mask
from asl_ctc.alignment import best_path, spans_of, through
from asl_ctc.frames import mean_over_frames
from asl_ctc.options import CtcHeadOptions
from asl_ctc.scores import single_gloss_scores

__all__ = ["BLANK", "CtcHead", "CtcOutput", "competing", "label_frames"]

BLANK = 0  #: column of blank; class c has column c + 1

# CTC is peaky: a trained model may emit a sign on one frame and blank on all others. In clips of some tens of frames,
# one peak per clip leaves 95 to 98 % blank; more means clips without a peak.
COLLAPSED = 0.98
RANKS_WELL = 3.0  #: top-1 in multiples of chance from which blanks do not harm ranking


@attrs.frozen(eq=False)
class CtcOutput(HeadOutput):
    """Log-probabilities of the frames, and the scale of their scores."""

    score_scale: float = 0.0


def competing(output: HeadOutput, scores: Tensor) -> Tensor:
    """(B, C) scores multiplied by ``score-scale`` / T, as if every clip had that many frames.

    CTC multiplies frames as if they were independent, so scores grow with T and a softmax over them saturates. The
    acoustic scale of speech recognition (Woodland and Povey, Computer Speech & Language 2002) corrects that. It is one
    factor per clip, so the ranking of the glosses does not change.
    """
    scale = output.score_scale if isinstance(output, CtcOutput) else 0.0
    return scores * (scale / output.frame_lengths[:, None].to(scores)) if scale > 0 else scores


class CtcHead(Head):
    """Dropout, a linear layer, and a log-softmax over blank and the classes.

    Output values are log-probabilities (B, T', 1 + classes), blank in column 0 and class c in column c + 1.
    """

    kind = "ctc"
    needs_frames = True

    def __init__(self, options: CtcHeadOptions, input_size: int, classes: int):
        super().__init__()
        self.dropout = nn.Dropout(options.dropout)
        self.linear = nn.Linear(input_size, classes + 1)
        with torch.no_grad():
            self.linear.bias[BLANK] = options.blank_bias
        self.decode_blank_penalty = options.decode_blank_penalty
        self.score_scale = options.score_scale

    def forward(self, frames: Tensor, lengths: Tensor | None) -> HeadOutput:
        """Log-probabilities of every frame, at least float32 under autocast.

        Raises:
            ValueError: the encoder pools time away.
        """
        if lengths is None or frames.ndim != 3:
            raise ValueError(f"head ctc got {tuple(frames.shape)} without lengths; expected frames (B, T, F)")
        logits = at_least_float32(self.linear(self.dropout(frames)))
        return CtcOutput(logits.log_softmax(-1), lengths, self.score_scale)

    def scores(self, output: HeadOutput) -> Tensor:
        """(B, classes) exact CTC scores, scaled by :func:`competing` and normalised over the classes.

        With ``score-scale`` 0 this is the posterior of the gloss given that the clip holds exactly one sign. It sums
        over all paths, so it ranks well even if blank wins every frame. Computed in float64 where the device has it:
        scores of a hundred nats differ by a few.
        """
        values = output.values if output.values.device.type == "mps" else output.values.double()
        scores = competing(output, single_gloss_scores(values, output.frame_lengths))
        return scores.log_softmax(-1).to(output.values.dtype)

    def decode(self, output: HeadOutput) -> list[list[int]]:
        """Greedy decoding: the best symbol of each frame, repeats merged, blanks dropped; class numbers from 0."""
        values = output.values.detach()
        blank = values[..., :1] - self.decode_blank_penalty
        best = torch.cat([blank, values[..., 1:]], -1).argmax(-1)
        new = best != BLANK
        new[:, 1:] &= best[:, 1:] != best[:, :-1]
        new &= frame_mask(output.frame_lengths, best.shape[1])
        return [(row[keep] - 1).tolist() for row, keep in zip(best.cpu(), new.cpu(), strict=True)]

    def align(self, output: HeadOutput, labels: Sequence[Sequence[int]] | None = None) -> list[list[Span]]:
        """Runs of one symbol, on the best path through each clip's label or of the best symbol of each frame."""
        spans = []
        for n, length in enumerate(output.frame_lengths.tolist()):
            frames = output.values[n, :length].detach()
            if labels is None:
                path = symbols = best_path(frames, self.decode_blank_penalty)
            else:
                path = through(frames, labels[n])
                symbols = [labels[n][s // 2] + 1 if s % 2 else BLANK for s in path]
            spans.append(spans_of(path, symbols, frames))
        return spans

    def min_frames(self, targets: Sequence[int]) -> int:
        """See :func:`label_frames`."""
        return label_frames(targets)

    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        """``blank``: share (B,) of real frames that blank wins; ``blank-prob``: its mean probability on them."""
        values, lengths = output.values.detach(), output.frame_lengths
        return {
            "blank": mean_over_frames((values.argmax(-1) == BLANK).to(values.dtype), lengths),
            "blank-prob": mean_over_frames(values[..., BLANK].exp(), lengths),
        }

    def diagnose(self, figures: Mapping[str, float]) -> str | None:
        """Name blank collapse: hardly any frame emits a gloss.

        Silent if ``top1`` is well above ``chance``: peaks may be rare because clips are long, or too low to win a
        frame, without harm to the ranking.
        """
        blank, top1, chance = figures.get("blank", 0.0), figures.get("top1"), figures.get("chance")
        if not blank > COLLAPSED:
            return None
        if top1 is not None and chance is not None and top1 > RANKS_WELL * chance:
            return None
        return (
            f"blank collapse: blank wins {blank:.1%} of the frames, so almost every clip decodes to nothing; "
            "try --loss ctc-isolated where clips hold one sign, else a larger --loss.blank-penalty or "
            "--head.blank-bias -4."
        )


def label_frames(targets: Sequence[int]) -> int:
    """Fewest frames that carry a label: one a gloss, and one blank between equal neighbours."""
    repeats = sum(a == b for a, b in itertools.pairwise(targets))
    return max(1, len(targets) + repeats)
