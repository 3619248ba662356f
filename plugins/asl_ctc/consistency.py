"""Consistency of two augmented views of each clip: their outputs should agree.

CR-CTC (Yao et al., "CR-CTC: Consistency regularization on CTC for improved speech recognition", ICLR 2025): the loss
of both views, averaged, plus a weight times

    ½ Σ_t [ KL( sg(p_t) ‖ q_t ) + KL( sg(q_t) ‖ p_t ) ]

of the frames' distributions p and q in the two views, where sg stops the gradient. Frame t of both must be the same
moment: as in the paper, which warps time before it makes the views, changes of time are drawn once for both. Evaluation
takes one view, and its loss has no consistency part.
"""

from __future__ import annotations

from torch import Tensor

from asl_core import HeadOutput, Loss, RunError, Sample, frame_mask

__all__ = ["ConsistentLoss", "between_views", "over_frames"]


class ConsistentLoss(Loss):
    """A loss that asks for two views in training with a consistency, and for one otherwise.

    Args:
        consistency: its weight; 0 for a loss that never asks for a second view.
        aligned: whether it compares frame by frame.
    """

    def __init__(self, consistency: float, *, aligned: bool):
        super().__init__()
        self.consistency = consistency
        self.aligned = aligned and consistency > 0
        self.train()

    def train(self, mode: bool = True) -> ConsistentLoss:  # noqa: FBT002 - nn.Module's signature
        """See ``nn.Module``; training takes two views."""
        super().train(mode)
        self.views = 2 if mode and self.consistency > 0 else 1
        return self


def between_views(log_probs: Tensor) -> Tensor:
    """(B, …) symmetric divergence of log-probabilities (2B, …, K), view 1 of all clips and then view 2, in nats."""
    one, two = log_probs.chunk(2)
    return 0.5 * (_divergence(two.detach(), one) + _divergence(one.detach(), two))


def over_frames(sample: Sample) -> Tensor:
    """(B,) sum over a clip's real frames of :func:`between_views`, of a sample of two views.

    Raises:
        RunError: the views of a clip have different lengths.
    """
    output: HeadOutput = sample.output
    lengths, others = output.frame_lengths.chunk(2)
    if not bool((lengths == others).all()):
        clip = sample.batch.ids[int((lengths != others).nonzero()[0])]
        raise RunError(
            f"the two views of clip {clip!r} have different lengths, and consistency compares them frame by frame: an "
            f"augmentation changes lengths without saying changes_time = True, a fault of its plugin. Leave it out, or "
            f"set loss.consistency to 0."
        )
    inside = frame_mask(output.frame_lengths, output.values.shape[1])[:, :, None]
    return between_views(output.values.masked_fill(~inside, 0.0)).sum(1)


def _divergence(target: Tensor, log_probs: Tensor) -> Tensor:
    return (target.exp() * (target - log_probs)).sum(-1)
