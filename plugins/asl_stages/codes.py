"""Head ``codes`` and loss ``phonology``: codes of the handshape, location, orientation, … of a frame.

Predicting the code of a visible frame is trivial: codes are a function of the frame. By default spans are hidden and
the codes of hidden frames are predicted, as in HuBERT for speech (Hsu et al., arXiv 2106.07447); visible frames get a
small weight, since later stages hide none.

The reference code's vector quantiser takes its codes off the encoder without a gradient; here codes are fixed targets,
and the cross-entropy trains the encoder.
"""

from __future__ import annotations

import logging

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asl_core import Batch, ClipRandom, ClipStore, ConfigError, Facts, Loss, LossResult, Sample, at_least_float32
from asl_stages.aligned import at_frames, clip_means, evenly_spaced, filled, mean_over_clips
from asl_stages.codebooks import CodeBooks, parse_blocks
from asl_stages.encoded import EncodingHead
from asl_stages.masking import differing, hidden_frames, nearest_visible
from asl_stages.objective_options import CodesOptions, PhonologyOptions
from asl_stages.statistics import FrameStatistics

__all__ = ["CodesHead", "PhonologyLoss"]

_log = logging.getLogger("asl_stages")


class CodesHead(EncodingHead):
    """A linear classifier over the codes of every block. Output values are logits (B, T', blocks × codes)."""

    kind = "codes"
    remedy = ", or a larger --loss.share"

    def __init__(self, options: CodesOptions, input_size: int, classes: int):
        super().__init__()
        self.linear = nn.Linear(input_size, options.blocks * options.codes)

    def values(self, frames: Tensor) -> Tensor:
        """Logits, block after block."""
        return at_least_float32(self.linear(frames))


@attrs.frozen(eq=False)
class _Targets:
    """The targets at the encoder's frames."""

    codes: Tensor  #: (B, T', blocks)
    copied: Tensor  #: (B, T', blocks) codes of the nearest visible frame, as a baseline
    asked: Tensor  #: (B, T') bool, the frames to predict
    shown: Tensor  #: (B, T') bool, those with ``visible-weight``


class PhonologyLoss(Loss):
    """Cross-entropy of the codes of each block, over the frames of option ``predict``.

    The code books are fitted on the train frames (:class:`asl_stages.codebooks.CodeBooks`). Codes are those of the
    augmented frames before masking. Where the encoder downsamples, the target is the clip frame at the centre of each
    encoder frame. Blocks that are constant in train have no codes.
    """

    accepts = frozenset({"codes"})
    labels = "none"

    def __init__(self, options: PhonologyOptions, facts: Facts | None = None):
        super().__init__()
        self.predict, self.shift = options.predict, options.shift
        self.share, self.span, self.visible_weight = options.share, options.span, options.visible_weight
        # An attribute of the instance: beside CTC, predict = "same" needs no second pass of the encoder.
        self.corrupts = options.predict == "masked"
        self.statistics = FrameStatistics(facts)
        self.books = CodeBooks(parse_blocks(options.blocks), options.codes)

    def prepare(self, store: ClipStore) -> None:
        """Fit the code books, and log the blocks that are left out.

        Raises:
            ConfigError: the clips lack the features of a block.
            DataError: every block is constant.
        """
        self.statistics.fit(store.features)
        constant = self.books.fit(store.features, self.statistics)
        if constant:
            _log.warning(
                "loss phonology leaves out %s: constant in all %d train frames.",
                ", ".join(constant),
                len(store.features),
            )

    def corrupt(self, batch: Batch, random: ClipRandom) -> Batch:
        """Hide spans of every clip of at least two frames; only called where ``predict`` is "masked"."""
        hidden = hidden_frames(batch.lengths, batch.features.shape[1], random, self.share, self.span)[:, :, None]
        return batch.with_features(batch.features.where(~hidden, self.statistics.average(batch.features)))

    def forward(self, sample: Sample) -> LossResult:
        """Mean over a clip's frames and the used blocks, then over clips; a part for each block.

        Raises:
            ConfigError: the head has other books or codes than this loss.
        """
        logits = self._logits(sample)
        targets = self._targets(sample)
        nll = F.cross_entropy(logits.movedim(3, 1), targets.codes, reduction="none")
        parts = {}
        for place, (block, used) in enumerate(zip(self.books.blocks, self.books.used.tolist(), strict=True)):
            if used:
                asked = mean_over_clips(*clip_means(nll[..., place], targets.asked))
                shown = mean_over_clips(*clip_means(nll[..., place], targets.shown))
                parts[block.name] = asked + self.visible_weight * shown
        return LossResult(torch.stack(list(parts.values())).mean(), parts)

    def figures(self, sample: Sample) -> dict[str, Tensor]:
        """Accuracy of the codes, with two baselines without training; mean over the used blocks.

        ``code-accuracy`` is the head's, ``code-majority`` that of the most frequent code of train, ``code-copy`` that
        of the nearest visible frame (with "ahead" and "same": of the frame itself).
        """
        targets = self._targets(sample)
        codes = targets.codes
        guesses = {
            "code-accuracy": self._logits(sample).argmax(3),
            "code-majority": self.books.commonest.expand_as(codes),
            "code-copy": targets.copied,
        }
        figures = {}
        for name, guess in guesses.items():
            right = (guess == codes)[..., self.books.used].to(sample.output.values.dtype).mean(2)
            figures[name] = filled(*clip_means(right, targets.asked))
        return figures

    def _logits(self, sample: Sample) -> Tensor:
        """(B, T', blocks, codes)."""
        values = sample.output.values
        blocks, codes = self.books.centres.shape[:2]
        if values.shape[2] != blocks * codes:
            raise ConfigError(
                [
                    f"head codes predicts {values.shape[2]} logits per frame, and loss phonology has {blocks} books of "
                    f"{codes} codes, {blocks * codes} logits: set --head.blocks {blocks} --head.codes {codes}"
                ]
            )
        return values.view(*values.shape[:2], blocks, codes)

    def _targets(self, sample: Sample) -> _Targets:
        clean, lengths = sample.clean, sample.output.frame_lengths
        frames = sample.output.values.shape[1]
        codes = self.books(self.statistics.scaled(clean.features))
        index = evenly_spaced(clean.lengths, lengths, frames)
        time = torch.arange(frames, device=lengths.device)[None, :]
        if self.predict == "masked":
            hidden = differing(sample.batch, clean)
            before, after = nearest_visible(hidden, clean.lengths)
            here = torch.arange(hidden.shape[1], device=lengths.device)
            nearest = torch.where(here - before <= after - here, before, after)
            copied = at_frames(at_frames(codes, nearest), index)
            here, real = at_frames(hidden, index), time < lengths[:, None]
            return _Targets(at_frames(codes, index), copied, here & real, ~here & real)
        shift = self.shift if self.predict == "ahead" else 0
        current = at_frames(codes, index)
        later = (time + shift).clamp(max=frames - 1).expand_as(index)
        asked = time + shift < lengths[:, None]
        return _Targets(at_frames(current, later), current, asked, torch.zeros_like(asked))
