"""Head ``codes`` and loss ``phonology``: which kind of handshape, location, orientation, … a frame shows.

To name the code of a frame that it sees is no task for an encoder: the codes are a function of the frame. So by
default spans are hidden and the codes of the hidden frames are predicted, as HuBERT does for speech (Hsu et al.,
arXiv 2106.07447), while visible frames count a little: later stages hide none.

Unlike the reference code's vector quantiser, whose codes are picked off the encoder without a gradient, the codes
here are fixed targets and the cross-entropy trains the encoder.
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
    """What is to be predicted at the encoder's frames."""

    codes: Tensor  #: (B, T', blocks)
    copied: Tensor  #: (B, T', blocks) the guess that takes them from the nearest visible frame
    asked: Tensor  #: (B, T') the frames that the objective is about
    shown: Tensor  #: (B, T') those that count with ``visible-weight``


class PhonologyLoss(Loss):
    """Cross-entropy of the codes of each block, over the frames that ``predict`` asks for.

    The code books are fitted on the train frames (:class:`asl_stages.codebooks.CodeBooks`). Codes are read off
    the frames as augmented, before any is hidden. An encoder that gives fewer frames than the clip has is asked for
    the codes of the frame at the centre of each of its own. Blocks that never change in train have no codes.
    """

    accepts = frozenset({"codes"})
    labels = "none"

    def __init__(self, options: PhonologyOptions, facts: Facts | None = None):
        super().__init__()
        self.predict, self.shift = options.predict, options.shift
        self.share, self.span, self.visible_weight = options.share, options.span, options.visible_weight
        # Of this loss and not of its class: beside CTC, predict = "same" needs no second pass of the encoder.
        self.corrupts = options.predict == "masked"
        self.statistics = FrameStatistics(facts)
        self.books = CodeBooks(parse_blocks(options.blocks), options.codes)

    def prepare(self, store: ClipStore) -> None:
        """Fit the code books, and log which blocks are left out.

        Raises:
            ConfigError: the clips do not have the numbers of a block.
            DataError: nothing varies in any block.
        """
        self.statistics.fit(store.features)
        constant = self.books.fit(store.features, self.statistics)
        if constant:
            _log.warning(
                "loss phonology leaves out %s: the same numbers in all %d train frames.",
                ", ".join(constant),
                len(store.features),
            )

    def corrupt(self, batch: Batch, random: ClipRandom) -> Batch:
        """Hide spans of every clip of at least two frames; only asked for where ``predict`` is "masked"."""
        hidden = hidden_frames(batch.lengths, batch.features.shape[1], random, self.share, self.span)[:, :, None]
        return batch.with_features(batch.features.where(~hidden, self.statistics.average(batch.features)))

    def forward(self, sample: Sample) -> LossResult:
        """Mean over a clip's frames and the blocks that are used, then over clips; a part for each block.

        Raises:
            ConfigError: the head predicts other books or codes than this loss has.
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
        """Share of codes that are right, beside two guesses that need no training; mean over the used blocks.

        ``code-accuracy`` is the head's, ``code-majority`` that of the commonest code in train, and ``code-copy``
        that of the nearest frame that is visible (with "ahead" and "same": of the frame itself).
        """
        targets = self._targets(sample)
        codes = targets.codes
        guesses = {
            "code-accuracy": self._logits(sample).argmax(3),
            "code-majority": self.books.commonest.expand_as(codes),
            "code-copy": targets.copied,
        }
        found = {}
        for name, guess in guesses.items():
            right = (guess == codes)[..., self.books.used].to(sample.output.values.dtype).mean(2)
            found[name] = filled(*clip_means(right, targets.asked))
        return found

    def _logits(self, sample: Sample) -> Tensor:
        """(B, T', blocks, codes)."""
        values = sample.output.values
        blocks, codes = self.books.centres.shape[:2]
        if values.shape[2] != blocks * codes:
            raise ConfigError(
                [
                    f"head codes predicts {values.shape[2]} logits a frame, and loss phonology has {blocks} books of "
                    f"{codes} codes, which takes {blocks * codes}: set --head.blocks {blocks} --head.codes {codes}"
                ]
            )
        return values.view(*values.shape[:2], blocks, codes)

    def _targets(self, sample: Sample) -> _Targets:
        clean, lengths = sample.clean, sample.output.frame_lengths
        frames = sample.output.values.shape[1]
        codes = self.books(self.statistics.scaled(clean.features))
        place = evenly_spaced(clean.lengths, lengths, frames)
        time = torch.arange(frames, device=lengths.device)[None, :]
        if self.predict == "masked":
            hidden = differing(sample.batch, clean)
            before, after = nearest_visible(hidden, clean.lengths)
            here = torch.arange(hidden.shape[1], device=lengths.device)
            nearest = torch.where(here - before <= after - here, before, after)
            copied = at_frames(at_frames(codes, nearest), place)
            here, real = at_frames(hidden, place), time < lengths[:, None]
            return _Targets(at_frames(codes, place), copied, here & real, ~here & real)
        shift = self.shift if self.predict == "ahead" else 0
        seen = at_frames(codes, place)
        later = (time + shift).clamp(max=frames - 1).expand_as(place)
        asked = time + shift < lengths[:, None]
        return _Targets(at_frames(seen, later), seen, asked, torch.zeros_like(asked))
