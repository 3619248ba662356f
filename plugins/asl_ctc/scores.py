r"""The exact CTC log-probability of every one-gloss label at once, in O(T·C).

A clip of one sign has C possible labels, and CTC gives label c the probability of all frame paths ``∅* c⁺ ∅*`` (∅ is
blank). A path is determined by the frames s ≤ e on which c starts and ends, so with log-probabilities ``l[t]`` of c and
``b[t]`` of blank

    score(c) = log Σ_{s≤e} exp( Σ_{t<s} b[t]  +  Σ_{s≤t≤e} l[t]  +  Σ_{t>e} b[t] ).

The blanks before and after, ``before[s] = Σ_{t<s} b[t]`` and ``after[e] = Σ_{t>e} b[t]``, do not depend on c.
Let ``ending[e]`` be the log of the sum over s with e held fixed, without ``after[e]``. A path is in c on frame e
because it was there on frame e-1 or because it starts on e, hence

    ending[e] = log( exp ending[e-1] + exp before[e] ) + l[e],        score = log Σ_e exp( ending[e] + after[e] ).

One state per class suffices, where the textbook recursion (Graves et al., ICML 2006) has three. From the end,
``rest[t] = log( exp(rest[t+1] + l[t+1]) + exp after[t] )`` sums over the continuations of a path in c on frame t, and

    γ[t] = exp( ending[t] + rest[t] - score )

is the posterior of being in c on frame t. As every path spends each frame either in c or in blank, the gradient
of score(c) is γ[t] for ``l[t]`` and 1 - γ[t] for ``b[t]``.

All terms are sums of log-probabilities, so nothing cancels. The closed form over the running sum D of l - b,
``Σ b + log Σ_e exp(D[e+1]) Σ_{s≤e} exp(-D[s])``, needs no loop over time, but subtracts sums that grow with T (float32
is then wrong in the fourth digit), and with torch's ``logcumsumexp`` it is slower than this loop of two small
operations per frame and direction.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from asl_core import at_least_float32, frame_mask

__all__ = ["single_gloss_scores"]


def single_gloss_scores(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """The log-probability that CTC gives each gloss as the one sign of a clip.

    Equals ``-ctc_loss`` with a label of length 1, for every gloss. Half precision is raised to float32.
    Differentiable once. Where a gloss is impossible its score is -inf and its gradient 0.

    Args:
        log_probs: (B, T, 1+C) log-probabilities of a frame, blank first; any value where padded, NaN included.
        lengths: (B,) real frames, at least 1.

    Returns:
        (B, C) log-probabilities of labels. They do not sum to 1 over C: CTC also knows sentences and silence.
    """
    mask = frame_mask(lengths, log_probs.shape[1])
    return cast("Tensor", _SingleGlossScores.apply(at_least_float32(log_probs), mask))  # type: ignore[no-untyped-call]


class _SingleGlossScores(torch.autograd.Function):
    """The recursions of the module's docstring. Time comes first inside: a frame is then one block of memory."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, mask: Tensor) -> Tensor:
        padded = ~mask.t()
        # A padded frame counts as certain, so that sums pass through it unchanged.
        blank = log_probs[..., 0].t().masked_fill(padded, 0.0)
        gloss = log_probs[..., 1:].transpose(0, 1).clone(memory_format=torch.contiguous_format)
        gloss.masked_fill_(padded[..., None], 0.0)
        zero = torch.zeros_like(blank[:1])
        before = torch.cat([zero, _running_sum(blank)[:-1]])[..., None]
        after = torch.cat([_running_sum(blank.flip(0)).flip(0)[1:], zero])
        after = after.masked_fill(padded, -math.inf)[..., None]  # no path ends on a padded frame

        ending = torch.empty_like(gloss)
        ending[0] = before[0] + gloss[0]
        now, start, here = ending.unbind(), before.unbind(), gloss.unbind()
        for t in range(1, len(now)):
            torch.logaddexp(now[t - 1], start[t], out=now[t])
            now[t].add_(here[t])
        score = (ending + after).logsumexp(0)
        ctx.save_for_backward(gloss, padded, after, ending, score)
        return score

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        gloss, padded, after, ending, score = ctx.saved_tensors
        rest = torch.empty_like(gloss)
        rest[-1] = after[-1]
        now, stop, here = rest.unbind(), after.unbind(), gloss.unbind()
        going_on = torch.empty_like(gloss[0])
        for t in range(len(now) - 2, -1, -1):
            torch.add(now[t + 1], here[t + 1], out=going_on)
            torch.logaddexp(going_on, stop[t], out=now[t])

        impossible = score.isneginf()
        grad = grad.masked_fill(impossible, 0.0)
        # At scores of -1e7 the sum is off by more than 1 in float32: a posterior is still at most 1.
        posterior = rest.add_(ending).sub_(score.masked_fill(impossible, 0.0)).clamp_(max=0.0).exp_()
        in_gloss = posterior.mul_(grad)
        frames, clips, classes = in_gloss.shape
        result = in_gloss.new_empty(clips, frames, classes + 1)
        result[..., 0] = (grad.sum(-1) - in_gloss.sum(-1)).masked_fill_(padded, 0.0).t()
        result[..., 1:] = in_gloss.transpose(0, 1)
        return result, None


def _running_sum(x: Tensor) -> Tensor:
    """Inclusive sums along the first dimension, by doubling (Hillis and Steele, 1986).

    ``cumsum`` has no deterministic kernel on CUDA, and this one takes log2 T steps.
    """
    step = 1
    while step < len(x):
        x = torch.cat([x[:step], x[step:] + x[:-step]])
        step *= 2
    return x
