"""One clip, the vocabulary that clips share, and what an audit finds of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import numpy as np

from asl_core.clips.layout import Layout
from asl_core.files.text_files import metadata_text

__all__ = ["MOST_FPS", "UNKNOWN", "Clip", "Finding", "Vocabulary"]

MOST_FPS = 1000.0  #: no camera that records signing is faster
UNKNOWN = -1  #: class number of a gloss that the vocabulary lacks


def _float32(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


def _signer(value: Any) -> str | None:
    """As text, and NaN as unknown: tables of numbers hand out such, and a signer decides nothing."""
    try:
        return metadata_text(value)
    except ValueError:
        return str(value)


def _rate(clip: Clip, _: object, value: float | None) -> None:
    if value is not None and not 0 < value <= MOST_FPS:
        raise ValueError(f"clip {clip.id!r} has {value!r} frames per second; expected 0 to {MOST_FPS}, or None")


def _rising(clip: Clip, _: object, value: np.ndarray | None) -> None:
    if value is not None and (value.ndim != 1 or not np.isfinite(value).all() or (np.diff(value) <= 0).any()):
        raise ValueError(f"clip {clip.id!r} has times that are not rising seconds, one for each frame")


def _float64(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


@attrs.frozen(eq=False, kw_only=True)
class Clip:
    """One recorded clip as a data set hands it out.

    A transform that hands on other frames says so by ``frames_kept`` (:class:`asl_core.Transform`), or sets ``fps`` and
    ``times`` itself; otherwise times that are not one for each frame are dropped behind it, and that is reported.
    """

    id: str
    features: np.ndarray = attrs.field(converter=_float32)  #: (T, D) float32
    glosses: tuple[str, ...] = ()  #: one for an isolated sign, several for a sentence, none where unknown
    signer: str | None = attrs.field(default=None, converter=_signer)
    source: str = ""  #: where it was read, for messages
    #: frames per second; None where nobody knows. With ``times`` it is their usual rate
    fps: float | None = attrs.field(default=None, validator=_rate)
    #: (T,) float64 seconds of each frame, where their rate is not even
    times: np.ndarray | None = attrs.field(
        default=None, converter=attrs.converters.optional(_float64), validator=_rising
    )
    layout: Layout | None = None  #: which features are which points; None where nobody knows
    detector: str | None = None  #: program that measured the points, with its version; None where nobody knows
    group: str | None = None  #: clips of one group are near copies (one session, neighbours): folds keep them together


@attrs.frozen
class Finding:
    """One thing an audit found. ``error`` stops a run, ``warning`` stands in the report, ``note`` informs."""

    level: str
    code: str  #: short and stable, ``class-numbers``
    message: str
    data: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen
class Vocabulary:
    """The glosses of a run, sorted; a class number is a place in this tuple and exists only inside a run."""

    glosses: tuple[str, ...]
    sentences: bool | None = None  #: whether a clip that they were taken from holds several; None where unknown

    @classmethod
    def of(cls, clips: Iterable[Clip]) -> Vocabulary:
        """Every gloss that occurs in ``clips``, and whether they stand in sentences."""
        labels = [clip.glosses for clip in clips]
        return cls(tuple(sorted({g for label in labels for g in label})), any(len(label) > 1 for label in labels))

    def __len__(self) -> int:
        return len(self.glosses)

    def encode(self, glosses: Iterable[str]) -> list[int]:
        """Class numbers 0 … len-1, :data:`UNKNOWN` for a gloss that is not in it."""
        index = self._index
        return [index.get(g, UNKNOWN) for g in glosses]

    @functools.cached_property
    def _index(self) -> dict[str, int]:
        return {g: i for i, g in enumerate(self.glosses)}
