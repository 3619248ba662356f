"""Losses on the frames of head ``ctc``: plain CTC for any label, and its class-normalised form for one sign.

Both are means over clips, not over glosses: the negative log-likelihood of a clip is that of its whole label, so losses
of different batches can be compared.

The blank penalty is a weight times the mean blank probability of a clip's real frames, averaged over clips: a training
loss with a gradient. What speech toolkits call a blank penalty, a number subtracted from the blank logit in decoding,
is the head's ``decode-blank-penalty``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from asl_core import Batch, ClipStore, DataError, HeadOutput, LossResult, Sample, at_least_float32, frame_mask
from asl_ctc.consistency import ConsistentLoss, between_views, over_frames
from asl_ctc.ctc_head import BLANK, competing, label_frames
from asl_ctc.frames import mean_over_frames
from asl_ctc.options import CtcIsolatedOptions, CtcOptions
from asl_ctc.prior import LabelPrior
from asl_ctc.scores import single_gloss_scores

__all__ = ["CtcIsolatedLoss", "CtcLoss", "blank_probability"]


class FrameLoss(ConsistentLoss):
    """The common part of both losses: consistency, label prior, blank penalty."""

    accepts = frozenset({"ctc"})

    def __init__(self, options: CtcOptions | CtcIsolatedOptions, *, aligned: bool = True):
        super().__init__(options.consistency, aligned=aligned)
        self.blank_penalty = options.blank_penalty
        self.prior = LabelPrior(options.label_prior)
        self.running = options.label_prior > 0

    def prepare(self, store: ClipStore) -> None:
        """Size the label prior: the glosses of the train clips, and blank."""
        self.prior.begin(len(store.vocabulary))

    def added_up(self, parts: dict[str, Tensor], output: HeadOutput) -> LossResult:
        """The parts, the blank penalty included, and their sum."""
        if self.blank_penalty > 0:
            parts = {**parts, "blank-penalty": self.blank_penalty * blank_probability(output)}
        return LossResult(torch.stack(list(parts.values())).sum(), parts)


class CtcLoss(FrameLoss):
    """CTC (Graves et al., ICML 2006) plus a blank penalty; the parts add up to the total."""

    labels = "any"

    def forward(self, sample: Sample) -> LossResult:
        """Mean over clips.

        Raises:
            DataError: augmentation left a clip fewer frames than its label needs.
        """
        self.prior.see(sample.output)
        parts = {"ctc": _label_nll(sample, self.prior).mean()}
        if sample.views == 2:
            parts["consistency"] = self.consistency * over_frames(sample).mean()
        return self.added_up(parts, sample.output)


class CtcIsolatedLoss(FrameLoss):
    """Cross-entropy over the glosses' CTC scores, for clips of exactly one sign.

    Plain CTC normalises over all sentences and silence, and first learns blank everywhere. Here the scores are
    normalised over the labels of one gloss only: maximum mutual information (Bahl et al., ICASSP 1986) with these
    labels as the competing hypotheses and a flat prior.

    The scores are scaled as in the head (:func:`asl_ctc.ctc_head.competing`), so that the head's probabilities are what
    is trained. A path may spend one frame on a sign, and then only that frame learns: the part ``frame-ce``, a
    cross-entropy on the mean over frames, gives all of them a gradient.
    """

    labels = "one"
    renamed_parts: ClassVar[Mapping[str, str]] = {"mmi": "ctc-ce", "frames": "frame-ce"}  # since 0.2

    def __init__(self, options: CtcIsolatedOptions):
        super().__init__(options, aligned=options.consistency_of == "frames")
        self.label_smoothing = options.label_smoothing
        self.frame_weight = options.frame_weight
        self.ctc_weight = options.ctc_weight

    def forward(self, sample: Sample) -> LossResult:
        """Mean over clips; the parts add up to the total."""
        self.prior.see(sample.output)
        scores = single_gloss_scores(self.prior.weighed(sample.output.values), sample.output.frame_lengths)
        target = sample.batch.single
        parts = {}
        if self.ctc_weight < 1:
            against = competing(sample.output, scores)
            matched = F.cross_entropy(against, target, label_smoothing=self.label_smoothing)
            parts["ctc-ce"] = (1 - self.ctc_weight) * (1 - self.frame_weight) * matched
        if self.ctc_weight < 1 and self.frame_weight > 0:
            # Over the glosses, log-probabilities differ from logits by one number per frame, which the softmax drops:
            # the cross-entropy of a mean-pooling head with the CTC head's weights.
            glosses = at_least_float32(sample.output.values[..., 1:])
            pooled = mean_over_frames(glosses, sample.output.frame_lengths)
            matched = F.cross_entropy(pooled, target, label_smoothing=self.label_smoothing)
            parts["frame-ce"] = (1 - self.ctc_weight) * self.frame_weight * matched
        if self.ctc_weight > 0:
            parts["ctc"] = self.ctc_weight * F.nll_loss(scores, target)
        if sample.views == 2:
            parts["consistency"] = self.consistency * self._divergence(sample, scores).mean()
        return self.added_up(parts, sample.output)

    def _divergence(self, sample: Sample, scores: Tensor) -> Tensor:
        """(B,) divergence of the views of each clip, scaled as :func:`competing` scales its scores."""
        if not self.aligned:
            return between_views(competing(sample.output, scores).log_softmax(-1))
        divergence = over_frames(sample)
        return competing(sample.output.rows(0, len(divergence)), divergence[:, None])[:, 0]


def blank_probability(output: HeadOutput) -> Tensor:
    """() mean blank probability of real frames, over each clip and then over clips; differentiable."""
    probability = at_least_float32(output.values[..., BLANK]).exp()
    return mean_over_frames(probability, output.frame_lengths).mean()


def _label_nll(sample: Sample, prior: LabelPrior) -> Tensor:
    """(B,) negative log-likelihood of each clip's label, with symbols weighted by the prior.

    Computed on the CPU: torch has no CTC for MPS and no deterministic CTC gradient for CUDA, and a resumed run must end
    with the same bits.
    """
    values, batch = prior.weighed(sample.output.values), sample.batch
    # torch's gradient is right for distributions only. So the weighted values are normalised per frame; as every path
    # has one symbol per frame, that changes the result by one number per clip, which is added back.
    norm = None
    if prior.alpha:
        total = values.logsumexp(-1)
        norm = total.masked_fill(~frame_mask(sample.output.frame_lengths, values.shape[1]), 0.0).sum(1)
        values = values - total[..., None]
    lengths = sample.output.frame_lengths.cpu()
    label_lengths = batch.target_lengths.cpu()
    nll: Tensor = F.ctc_loss(
        values.cpu().transpose(0, 1),
        batch.targets.cpu() + 1,
        lengths,
        label_lengths,
        blank=BLANK,
        reduction="none",
        zero_infinity=False,
    )
    if bool(nll.detach().isinf().any()):
        _refuse_long_labels(batch, lengths)
    nll = nll.to(values.device)
    return nll if norm is None else nll - norm


def _refuse_long_labels(batch: Batch, lengths: Tensor) -> None:
    labels = torch.split(batch.targets.cpu(), batch.target_lengths.tolist())
    for name, label, frames in zip(batch.ids, labels, lengths.tolist(), strict=True):
        needed = label_frames(label.tolist())
        if frames < needed:
            raise DataError(
                f"clip {name!r} has {frames} encoder frames, but its {len(label)} glosses need at least {needed} "
                "(one each, and a blank between equal neighbours). An augmentation shortened this clip: crop or speed "
                "up less, or choose an encoder that downsamples less."
            )
