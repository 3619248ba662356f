"""Losses ``contrast-time`` and ``contrast-views``: positives are to be nearer than negatives.

Both are InfoNCE (van den Oord et al., arXiv 1807.03748) on cosines. Clips are identified by their index in the store:
two views of one clip in a batch are never negatives of each other.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from asl_core import Batch, ConfigError, Loss, LossResult, Sample, frame_mask
from asl_stages.aligned import at_frames, clip_means, evenly_spaced, filled, mean_over_clips
from asl_stages.objective_options import ContrastTimeOptions, ContrastViewsOptions

__all__ = ["ContrastTimeLoss", "ContrastViewsLoss"]

NEVER = -1e4  #: cosine of pairs that are not compared; -inf would give NaN in a batch of one clip


class ContrastTimeLoss(Loss):
    """A frame is to be nearer to the frames just after it than to frames of other clips.

    Stage 1 of Hernandez Juarez (2025): z_t against z_{t+δ}, δ uniform in 1 … max-shift, negatives from other videos.
    Here the mean over δ is exact, over every shift within the clip. The anchors t, at most ``anchors`` per clip, are
    evenly spaced, and the other clips' anchors are the negatives: nothing is random, and time and memory are bounded
    by (clips × anchors)² for clips of any length.

    Against random clips, recognising the clip of a frame is soon enough. ``own-beyond`` adds distant frames of the
    anchor's own clip as negatives, as in time-contrastive networks (Sermanet et al., ICRA 2018).

    Clips of one frame have no near frame and serve as negatives only.
    """

    accepts = frozenset({"embedding"})
    labels = "none"
    couples_clips = True

    def __init__(self, options: ContrastTimeOptions):
        super().__init__()
        if 0 < options.own_beyond < options.max_shift:
            raise ConfigError(
                [
                    f"loss.own-beyond is {options.own_beyond}, and frames up to loss.max-shift = {options.max_shift} "
                    f"away count as near: expected own-beyond at least {options.max_shift}, or 0 for none"
                ]
            )
        self.max_shift, self.own_beyond = options.max_shift, options.own_beyond
        self.anchors = options.anchors
        self.temperature = options.temperature

    def forward(self, sample: Sample) -> LossResult:
        """Mean over a clip's anchors and shifts, then over clips."""
        near, counts, far = self._similarities(sample)
        against = (far / self.temperature).logsumexp(2, keepdim=True)
        # -log( e^near / (e^near + Σ e^far) )
        nll = F.softplus(against - near / self.temperature)
        loss = mean_over_clips(*clip_means(nll, counts))
        return LossResult(loss, {"contrast-time": loss})

    def figures(self, sample: Sample) -> dict[str, Tensor]:
        """``time-retrieval``: share of anchors and shifts whose near frame is nearer than every other clip's."""
        near, counts, far = self._similarities(sample)
        nearer = (near > far.amax(2, keepdim=True)).to(near.dtype)
        return {"time-retrieval": filled(*clip_means(nearer, counts))}

    def _similarities(self, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
        """(B, A, S) cosines of anchors and later frames, which of them count, and (B, A, N) cosines of negatives."""
        lengths = sample.output.frame_lengths
        real = frame_mask(lengths, sample.output.values.shape[1])
        frames = sample.output.values.masked_fill(~real[:, :, None], 0.0)
        clips, longest, size = frames.shape

        anchors = lengths.clamp(max=self.anchors)
        index = evenly_spaced(lengths, anchors, self.anchors)
        chosen = frame_mask(anchors, self.anchors)
        shifts = torch.arange(1, self.max_shift + 1, device=lengths.device)
        counts = chosen[:, :, None] & (index[:, :, None] + shifts < lengths[:, None, None])
        # Over all frames, then taken at the anchors: gathering embeddings by shift would add several gradients to one
        # frame, in no fixed order on CUDA.
        beyond = frames.new_zeros(clips, self.max_shift, size)
        later = torch.cat([frames, beyond], 1)
        after = [(frames * later[:, s : s + longest]).sum(-1) for s in range(1, self.max_shift + 1)]
        near = at_frames(torch.stack(after, 2), index)

        compared = at_frames(frames, index).flatten(0, 1)
        far = _cosines(compared).view(clips, self.anchors, -1)
        other = sample.batch.index[:, None] != sample.batch.index[None, :]
        allowed = (other[:, :, None] & chosen[None, :, :]).flatten(1)[:, None, :]
        if self.own_beyond:
            apart = (index[:, :, None] - index[:, None, :]).abs() > self.own_beyond
            same_clip = torch.eye(clips, dtype=torch.bool, device=far.device)[:, None, :, None] & apart[:, :, None, :]
            allowed = allowed | (same_clip & chosen[None, None, :, :]).flatten(2)
        return near, counts, far.masked_fill(~allowed, NEVER)


class ContrastViewsLoss(Loss):
    """Two augmented views of a clip are to be nearer than views of different clips.

    NT-Xent (SimCLR, Chen et al., ICML 2020) on clip embeddings: the mean of the frames' embeddings, at length 1.
    """

    accepts = frozenset({"embedding"})
    labels = "none"
    couples_clips = True
    views = 2

    def __init__(self, options: ContrastViewsOptions):
        super().__init__()
        self.temperature = options.temperature

    def forward(self, sample: Sample) -> LossResult:
        """Mean over the views of all clips."""
        similar, same = self._similarities(sample)
        log_prob = (similar / self.temperature).log_softmax(1)
        loss = mean_over_clips(*clip_means(-log_prob, same))
        return LossResult(loss, {"contrast-views": loss})

    def figures(self, sample: Sample) -> dict[str, Tensor]:
        """``view-retrieval``: whether the other view is the nearest; ``views-alike``: whether it has the same frames.

        Both (2B,), one per view.
        """
        similar, same = self._similarities(sample)
        best = similar.masked_fill(~same, NEVER).amax(1)
        rival = similar.masked_fill(same, NEVER).amax(1)
        return {
            "view-retrieval": (best > rival).to(similar.dtype),
            "views-alike": _alike(sample.batch).to(similar.dtype),
        }

    def _similarities(self, sample: Sample) -> tuple[Tensor, Tensor]:
        """(2B, 2B) cosines of views, NEVER for a view and itself, and whether two views are of one clip."""
        lengths = sample.output.frame_lengths
        real = frame_mask(lengths, sample.output.values.shape[1])
        total = sample.output.values.masked_fill(~real[:, :, None], 0.0).sum(1)
        clips = F.normalize(total, dim=-1)
        itself = torch.eye(len(clips), dtype=torch.bool, device=clips.device)
        same = (sample.batch.index[:, None] == sample.batch.index[None, :]) & ~itself
        return _cosines(clips).masked_fill(itself, NEVER), same


def _cosines(embeddings: Tensor) -> Tensor:
    """(N, N) of (N, size) unit vectors, in their own precision: bf16 of autocast keeps a cosine only to 1 in 250."""
    with torch.autocast(embeddings.device.type, enabled=False):
        return embeddings @ embeddings.t()


def _alike(batch: Batch) -> Tensor:
    """(2B,) whether the two views of a clip have the same frames."""
    one, two = batch.features.chunk(2)
    before, after = batch.lengths.chunk(2)
    return ((before == after) & (one == two).flatten(1).all(1)).repeat(2)
