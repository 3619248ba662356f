"""Head ``reconstruct`` and loss ``masked-frames``: hidden frames are reconstructed from those around them."""

from __future__ import annotations

from torch import Tensor, nn

from asl_core import (
    Batch,
    ClipRandom,
    ClipStore,
    ConfigError,
    Facts,
    Loss,
    LossResult,
    Sample,
    at_least_float32,
    frame_mask,
)
from asl_stages.aligned import at_frames, clip_means, evenly_spaced, filled, mean_over_clips
from asl_stages.encoded import EncodingHead
from asl_stages.masking import differing, hidden_frames, interpolation
from asl_stages.objective_options import MaskedFramesOptions, ReconstructOptions
from asl_stages.statistics import FrameStatistics

__all__ = ["MaskedFramesLoss", "ReconstructHead"]


class ReconstructHead(EncodingHead):
    """A linear layer from each encoder frame to a standardised frame of the clip, (B, T', features per frame).

    A single layer leaves the work to the encoder.
    """

    kind = "frames"
    remedy = ", or a larger --loss.share"

    def __init__(self, options: ReconstructOptions, input_size: int, classes: int, facts: Facts | None = None):
        super().__init__()
        self.linear = nn.Linear(input_size, options.width if facts is None else facts.feature_size)

    def values(self, frames: Tensor) -> Tensor:
        """Standardised frames."""
        return at_least_float32(self.linear(frames))


class MaskedFramesLoss(Loss):
    """Spans of frames are replaced by the mean train frame, and reconstructed.

    Errors are of features that vary in train, in train deviations. Visible frames get a small weight (as in Hsu et al.,
    arXiv 2106.07447): later stages hide none, and hidden frames alone would not make the encoder keep the content of a
    frame. Where the encoder downsamples, the target is the clip frame at the centre of each encoder frame.
    """

    accepts = frozenset({"frames"})
    corrupts = True
    labels = "none"

    def __init__(self, options: MaskedFramesOptions, facts: Facts | None = None):
        super().__init__()
        self.share, self.span = options.share, options.span
        self.error, self.visible_weight = options.error, options.visible_weight
        self.statistics = FrameStatistics(facts)

    def prepare(self, store: ClipStore) -> None:
        """Fit the statistics of the train frames."""
        self.statistics.fit(store.features)

    def corrupt(self, batch: Batch, random: ClipRandom) -> Batch:
        """Hide spans of every clip of at least two frames."""
        hidden = hidden_frames(batch.lengths, batch.features.shape[1], random, self.share, self.span)[:, :, None]
        return batch.with_features(batch.features.where(~hidden, self.statistics.average(batch.features)))

    def forward(self, sample: Sample) -> LossResult:
        """Mean over a clip's hidden frames, then over the clips that have any; parts ``hidden`` and ``visible``.

        Raises:
            ConfigError: the head gives another number of features per frame than the clips have.
        """
        target, _, hidden, visible = self._targets(sample)
        difference = sample.output.values - target
        errors = difference.abs() if self.error == "absolute" else difference.square()
        each = self._over_features(errors)
        parts = {
            "hidden": mean_over_clips(*clip_means(each, hidden)),
            "visible": mean_over_clips(*clip_means(each, visible)),
        }
        return LossResult(parts["hidden"] + self.visible_weight * parts["visible"], parts)

    def figures(self, sample: Sample) -> dict[str, Tensor]:
        """Mean square error on hidden frames, relative to two baselines; below 1 is better than the baseline.

        ``masked-error`` compares with the mean train frame, ``masked-vs-line`` with linear interpolation between the
        visible frames. Each is a clip's error over the mean error of the baseline in the batch, so the average over
        clips is a ratio of sums.
        """
        target, line, counts, _ = self._targets(sample)
        error, has = clip_means(self._over_features((sample.output.values - target).square()), counts)
        figures = {}
        for name, guess in (("masked-error", target.new_zeros(())), ("masked-vs-line", line)):
            baseline, _ = clip_means(self._over_features((guess - target).square()), counts)
            figures[name] = filled(error / mean_over_clips(baseline, has).clamp(min=1e-9), has)
        return figures

    def _over_features(self, errors: Tensor) -> Tensor:
        """(B, T') mean over the varying features of (B, T', D)."""
        varying = self.statistics.varying.expand(errors.shape[2])
        return errors.masked_fill(~varying, 0.0).sum(2) / varying.sum().clamp(min=1)

    def _targets(self, sample: Sample) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """At the encoder's frames: the target (B, T', D), its interpolation, and (B, T') hidden and visible frames."""
        clean, values = sample.clean, sample.output.values
        if values.shape[2] != clean.features.shape[2]:
            raise ConfigError(
                [
                    f"loss masked-frames reconstructs {clean.features.shape[2]} features per frame, and its head gives "
                    f"{values.shape[2]}: use --head reconstruct"
                ]
            )
        frames = self.statistics.scaled(clean.features)
        hidden = differing(sample.batch, clean)
        line = interpolation(frames, hidden, clean.lengths)
        after = sample.output.frame_lengths
        index = evenly_spaced(clean.lengths, after, values.shape[1])
        real = frame_mask(after, values.shape[1])
        here = at_frames(hidden, index)
        return at_frames(frames, index), at_frames(line, index), here & real, ~here & real
