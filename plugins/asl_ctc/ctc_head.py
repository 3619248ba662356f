"""Head ``ctc``: on every frame a distribution over blank and the glosses, and what can be read from it."""

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

# CTC peaks: a trained model may say one sign on one frame and blank on all others. Clips of isolated signs hold
# some tens of frames, so one peak a clip leaves 95 to 98 % of blank, and more than this means clips without any.
COLLAPSED = 0.98
RANKS_WELL = 3.0  #: times chance from which top-1 shows that the blanks do no harm to ranking


@attrs.frozen(eq=False)
class CtcOutput(HeadOutput):
    """Log-probabilities of the frames, and how their evidence is to be weighed against other glosses'."""

    score_scale: float = 0.0


def competing(output: HeadOutput, scores: Tensor) -> Tensor:
    """(B, C) scores as they compete with each other: scaled to the evidence of a fixed number of frames.

    CTC multiplies frames as if they were independent, so raw scores grow with the clip and a softmax over them
    saturates. As in speech (the acoustic scale of Woodland and Povey, Computer Speech & Language 2002) they are
    scaled down first. The scale is one number a clip, so the order of the glosses is that of the exact model.
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
            raise ValueError(f"head ctc got {tuple(frames.shape)} and no time; expected frames (B, T, F)")
        logits = at_least_float32(self.linear(self.dropout(frames)))
        return CtcOutput(logits.log_softmax(-1), lengths, self.score_scale)

    def scores(self, output: HeadOutput) -> Tensor:
        """(B, classes) exact CTC scores, made to compete by :func:`competing` and normalised over the classes.

        With ``score-scale`` 0 this is the posterior of the gloss given that the clip holds exactly one sign.
        It ranks well even where blank wins every frame, since it counts all paths and not the best symbol of each
        frame. Computed in float64 where there is one: scores of a hundred nats differ by a few.
        """
        values = output.values if output.values.device.type == "mps" else output.values.double()
        scores = competing(output, single_gloss_scores(values, output.frame_lengths))
        return scores.log_softmax(-1).to(output.values.dtype)

    def decode(self, output: HeadOutput) -> list[list[int]]:
        """Greedy reading: the best symbol of each frame, repeats merged, blanks dropped; class numbers from 0."""
        values = output.values.detach()
        blank = values[..., :1] - self.decode_blank_penalty
        best = torch.cat([blank, values[..., 1:]], -1).argmax(-1)
        new = best != BLANK
        new[:, 1:] &= best[:, 1:] != best[:, :-1]
        new &= frame_mask(output.frame_lengths, best.shape[1])
        return [(row[keep] - 1).tolist() for row, keep in zip(best.cpu(), new.cpu(), strict=True)]

    def align(self, output: HeadOutput, labels: Sequence[Sequence[int]] | None = None) -> list[list[Span]]:
        """Runs of one symbol: on the path through each clip's label, or of the best symbol of each frame."""
        found = []
        for n, length in enumerate(output.frame_lengths.tolist()):
            frames = output.values[n, :length].detach()
            if labels is None:
                path = symbols = best_path(frames, self.decode_blank_penalty)
            else:
                path = through(frames, labels[n])
                symbols = [labels[n][s // 2] + 1 if s % 2 else BLANK for s in path]
            found.append(spans_of(path, symbols, frames))
        return found

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
        """Name blank collapse: hardly a frame of any clip says a gloss.

        Silent where ``top1`` is known to be well above ``chance``: peaks may then be rare because clips are long,
        or too low to win a frame, and the ranking does not suffer.
        """
        blank, top1, chance = figures.get("blank", 0.0), figures.get("top1"), figures.get("chance")
        if not blank > COLLAPSED:
            return None
        if top1 is not None and chance is not None and top1 > RANKS_WELL * chance:
            return None
        return (
            f"blank collapse: blank wins {blank:.1%} of the frames, so that almost every clip reads as empty; "
            "try --loss ctc-isolated where clips hold one sign, else a larger --loss.blank-penalty or "
            "--head.blank-bias -4."
        )


def label_frames(targets: Sequence[int]) -> int:
    """Fewest frames that carry a label: one a gloss, and one blank between equal neighbours."""
    repeats = sum(a == b for a, b in itertools.pairwise(targets))
    return max(1, len(targets) + repeats)
