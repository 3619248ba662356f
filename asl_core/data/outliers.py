"""Numbers far outside of the rest: which they are, and limits beyond which statistics do not believe them.

One number of a million in one frame moves the mean and the deviation of its dimension so far that all other clips
become one value. What is usual is told from the extremes of each clip: a quarter of the clips may hold anything at
either end and change nothing. A limit lies many times the usual range away, where no measurement of the same kind is.
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

#: ranges of the usual clips beyond which a number is far outside; real landmarks and features stay within 3
_RANGES = 10.0
#: deviations from the mean at which standardised numbers are held; those of real clips stay within 30
DEVIATIONS = 1000.0
_FAR = 50.0  #: deviations at which a number of a clip to be predicted is named
_WHOLE = 6.0  #: the same for the root mean square of a clip, which of real clips is at most 3
_ODD = 0.25  #: share of clips that may be odd at either end
_FEWEST = 4  #: clips of which something usual can be said
_LOOKED_AT = 4096  #: clips that tell what is usual, where there are more


@attrs.frozen(eq=False)
class Limits:
    """What is usual in each dimension, and beyond what a number is far outside."""

    usual_low: np.ndarray  #: (D,)
    usual_high: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, clips: Sequence[np.ndarray]) -> Limits | None:
        """From the frames (T, D) of clips; None where they are too few to say, or no number ever changes."""
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
        # What hardly ever changes says nothing of its own range, as a hand that few clips show: take the largest.
        typical = float(np.median(changing))
        extent = np.where(extent > 1e-3 * typical, np.maximum(extent, typical), changing.max())
        return cls(low, high, low - _RANGES * extent, high + _RANGES * extent)

    def outside(self, frames: np.ndarray) -> np.ndarray:
        """(T, D) bool."""
        return np.asarray((frames < self.low) | (frames > self.high))

    def usual(self, frames: np.ndarray) -> np.ndarray:
        """Frames (T, D) with the nearest usual number in place of each one far outside."""
        held = np.clip(frames, self.usual_low, self.usual_high).astype(frames.dtype)
        return np.where(self.outside(frames), held, frames)


def within_usual(store: ClipStore) -> ClipStore:
    """The clips with the nearest usual number in place of each one far outside: what statistics are to be taken of."""
    limits = Limits.of([store.clip(place).numpy() for place in range(len(store))])
    frames = store.features.numpy()
    slices = range(0, len(frames), 1 << 16)
    if limits is None or not any(limits.outside(frames[start : start + (1 << 16)]).any() for start in slices):
        return store
    parts = (limits.usual(frames[start : start + (1 << 16)]) for start in slices)
    return store.with_features(torch.from_numpy(gathered(parts, *frames.shape)))


def outlier_findings(splits: Mapping[str, Sequence[Clip]]) -> list[Finding]:
    """A warning for each split with clips that hold numbers far outside of what is usual in train."""
    train = [c.features for c in splits.get("train", ()) if c.features.ndim == 2 and c.features.size]
    if len({frames.shape[1] for frames in train}) != 1 or (limits := Limits.of(train)) is None:
        return []
    found = []
    for split, clips in splits.items():
        odd = dict(_odd(clips, limits))
        if odd:
            left_out = f"--split.without {','.join([*odd][:30])}{' and the rest' if len(odd) > 30 else ''}"
            message = (
                f"{len(odd)} of {len(clips)} clips of {split} hold numbers far outside of the rest: "
                f"{shortened([*odd.values()], 3)}. The mean and deviation that features are standardised by "
                f"are taken as if they were the nearest usual number, and standardised numbers are held within "
                f"{DEVIATIONS:g} deviations. Look at these frames, extract the clips again, or leave them out: "
                f"{left_out}."
            )
            found.append(Finding("warning", "outliers", message, {"split": split, "ids": list(odd)}))
    return found


def _odd(clips: Sequence[Clip], limits: Limits) -> Iterator[tuple[str, str]]:
    """Each clip that holds numbers far outside, and where they are."""
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
    """Why what a model says of a clip may mean little, by its frames (T, D) in deviations from the mean of training."""
    away = np.abs(deviations)
    whole = float(np.sqrt(np.square(np.minimum(away, DEVIATIONS)).mean()))
    outside = ~(away <= _FAR)
    if not outside.any() and whole <= _WHOLE:
        return None
    if outside.any() and outside.any(1).mean() < 0.5:  # some frames, not the clip
        frames, dimensions = np.flatnonzero(outside.any(1)), np.flatnonzero(outside.any(0))
        return (
            f"frames {_some(frames)} hold numbers far outside of those that the model was trained on (dimensions "
            f"{_some(dimensions)} as the model reads them, up to {away.max():.3g} deviations from the mean); the "
            f"answer may mean little. Look at these frames, or extract the clip again."
        )
    return (
        f"its numbers are on the whole {whole:.3g} deviations from the mean of the clips that the model was trained "
        f"on, where theirs are 1; the answer may mean little. Was it extracted in the same way, in the same units?"
    )


def _some(numbers: np.ndarray) -> str:
    parts = spans(numbers.tolist()).split(", ")
    return shortened(parts)
