"""Outliers: numbers far outside the usual range of a dimension, found and kept out of the statistics.

One value of a million in one frame shifts the mean and the deviation of its dimension so far that all other clips look
the same. The usual range comes from the extremes of each clip, without a quarter of the clips at either end. The limit
is many times this range away, where no measurement of the same kind is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np
import torch

from asl_core.clips.clip import Clip, Finding
from asl_core.clips.frames import gathered
from asl_core.clips.store import ClipStore
from asl_core.data.audit import spans
from asl_core.text import shortened

__all__ = ["DEVIATIONS", "Limits", "far_from_training", "outlier_findings", "within_usual"]

#: usual ranges beyond which a number is an outlier; real landmarks and features stay within 3
_RANGES = 10.0
#: standardised numbers are clipped to this many deviations; those of real clips stay within 30
DEVIATIONS = 1000.0
_FAR = 50.0  #: deviations from which a number of a clip to be predicted is reported
_WHOLE = 6.0  #: the same for the root mean square of a clip, at most 3 in real clips
_ODD = 0.25  #: share of clips that is left out at either end
_FEWEST = 4  #: clips from which a range can be estimated
_LOOKED_AT = 4096  #: most clips that the range is estimated from


@attrs.frozen(eq=False)
class Limits:
    """The usual range of each dimension, and the limits of outliers."""

    usual_low: np.ndarray  #: (D,)
    usual_high: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, clips: Sequence[np.ndarray]) -> Limits | None:
        """From the frames (T, D) of clips; None where they are too few, or no number changes."""
        if len(clips) < _FEWEST:
            return None
        chosen = np.unique(np.linspace(0, len(clips) - 1, min(len(clips), _LOOKED_AT)).astype(int))
        lows, highs = (np.stack([f(clips[i], axis=0) for i in chosen]) for f in (np.min, np.max))
        odd = max(1, int(_ODD * len(chosen)))
        low = np.partition(lows, odd, axis=0)[odd]
        high = np.partition(highs, len(chosen) - 1 - odd, axis=0)[len(chosen) - 1 - odd]
        low, high = np.minimum(low, high).astype(np.float64), np.maximum(low, high).astype(np.float64)
        extent = high - low
        changing = extent[extent > 0]
        if not len(changing):
            return None
        # A dimension that hardly changes, such as of a hand that few clips show, says nothing of its range.
        typical = float(np.median(changing))
        extent = np.where(extent > 1e-3 * typical, np.maximum(extent, typical), changing.max())
        return cls(low, high, low - _RANGES * extent, high + _RANGES * extent)

    def outside(self, frames: np.ndarray) -> np.ndarray:
        """(T, D) bool."""
        return np.asarray((frames < self.low) | (frames > self.high))

    def usual(self, frames: np.ndarray) -> np.ndarray:
        """Frames (T, D) with the nearest usual number in place of each outlier."""
        held = np.clip(frames, self.usual_low, self.usual_high).astype(frames.dtype)
        return np.where(self.outside(frames), held, frames)


def within_usual(store: ClipStore) -> ClipStore:
    """The clips with the nearest usual number in place of each outlier, for statistics."""
    limits = Limits.of([store.clip(place).numpy() for place in range(len(store))])
    frames = store.features.numpy()
    slices = range(0, len(frames), 1 << 16)
    if limits is None or not any(limits.outside(frames[start : start + (1 << 16)]).any() for start in slices):
        return store
    parts = (limits.usual(frames[start : start + (1 << 16)]) for start in slices)
    return store.with_features(torch.from_numpy(gathered(parts, *frames.shape)))


def outlier_findings(splits: Mapping[str, Sequence[Clip]]) -> list[Finding]:
    """A warning for each split with clips that hold outliers, by the usual range of train."""
    train = [c.features for c in splits.get("train", ()) if c.features.ndim == 2 and c.features.size]
    if len({frames.shape[1] for frames in train}) != 1 or (limits := Limits.of(train)) is None:
        return []
    findings = []
    for split, clips in splits.items():
        odd = dict(_odd(clips, limits))
        if odd:
            left_out = f"--split.without {','.join([*odd][:30])}{' and the rest' if len(odd) > 30 else ''}"
            message = (
                f"{len(odd)} of {len(clips)} clips of {split} hold numbers far outside of the rest: "
                f"{shortened([*odd.values()], 3)}. The statistics for standardising take the nearest usual "
                f"number in their place, and standardised numbers are clipped to {DEVIATIONS:g} deviations. Look at "
                f"these frames, extract the clips again, or leave them out: {left_out}."
            )
            findings.append(Finding("warning", "outliers", message, {"split": split, "ids": list(odd)}))
    return findings


def _odd(clips: Sequence[Clip], limits: Limits) -> Iterator[tuple[str, str]]:
    """The id of each clip with outliers, and a text on where they are."""
    for clip in clips:
        if clip.features.ndim != 2 or clip.features.shape[1] != len(limits.low):
            continue
        outside = limits.outside(clip.features)
        if not outside.any():
            continue
        frames, dimensions = np.flatnonzero(outside.any(1)), np.flatnonzero(outside.any(0))
        frame, dimension = (int(n) for n in np.argwhere(outside)[0])
        usual = f"{limits.usual_low[dimension]:.4g} to {limits.usual_high[dimension]:.4g}"
        yield (
            clip.id,
            f"clip {clip.id!r}, {'frame' if len(frames) == 1 else 'frames'} {_some(frames)}, "
            f"{'dimension' if len(dimensions) == 1 else 'dimensions'} {_some(dimensions)} "
            f"({clip.features[frame, dimension]:g} in dimension {dimension}, usually {usual})",
        )


def far_from_training(deviations: np.ndarray) -> str | None:
    """A warning about a clip far from the training clips, by its frames (T, D) in deviations; None if it is near."""
    away = np.abs(deviations)
    whole = float(np.sqrt(np.square(np.minimum(away, DEVIATIONS)).mean()))
    outside = ~(away <= _FAR)
    if not outside.any() and whole <= _WHOLE:
        return None
    if outside.any() and outside.any(1).mean() < 0.5:  # some frames, not the clip
        frames, dimensions = np.flatnonzero(outside.any(1)), np.flatnonzero(outside.any(0))
        return (
            f"frames {_some(frames)} hold numbers far outside of those that the model was trained on (dimensions "
            f"{_some(dimensions)} of its input, up to {away.max():.3g} deviations from the mean); the prediction is "
            f"unreliable. Look at these frames, or extract the clip again."
        )
    return (
        f"its numbers are {whole:.3g} deviations (root mean square) from the mean of the training clips, which have 1; "
        f"the prediction is unreliable. Was it extracted in the same way, in the same units?"
    )


def _some(numbers: np.ndarray) -> str:
    parts = spans(numbers.tolist()).split(", ")
    return shortened(parts)
