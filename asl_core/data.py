"""Clips, the vocabulary they share, the store that holds them once, and the batches cut from it."""

from __future__ import annotations

import copy
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from asl_core.errors import DataError
from asl_core.frames import FramesFile, end_to_end, file_of, gathered
from asl_core.text_files import metadata_text

__all__ = ["UNKNOWN", "Batch", "Clip", "ClipStore", "Finding", "Vocabulary", "at_least_float32", "frame_mask"]

UNKNOWN = -1  #: class number of a gloss that the vocabulary lacks


def _float32(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


def _signer(value: Any) -> str | None:
    """As text, and NaN as unknown: tables of numbers hand out such, and a signer decides nothing."""
    try:
        return metadata_text(value)
    except ValueError:
        return str(value)


@attrs.frozen(eq=False, kw_only=True)
class Clip:
    """One recorded clip as a data set hands it out."""

    id: str
    features: np.ndarray = attrs.field(converter=_float32)  #: (T, D) float32
    glosses: tuple[str, ...] = ()  #: one for an isolated sign, several for a sentence, none where unknown
    signer: str | None = attrs.field(default=None, converter=_signer)
    source: str = ""  #: where it was read, for messages


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


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """True where a frame is real: (B, frames) bool from (B,) lengths."""
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision raised to float32, all else as it is.

    Autocast hands out bfloat16, whose 8 bits cannot hold a log-probability of -50 to better than 0.1.
    """
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


@attrs.frozen(eq=False, kw_only=True)
class Batch:
    """Clips side by side, padded with zeros to the longest."""

    features: Tensor  #: (B, T, D) float32, 0 where padded
    lengths: Tensor  #: (B,) int64, at least 1
    targets: Tensor  #: (sum of target_lengths,) int64, class numbers end to end
    target_lengths: Tensor  #: (B,) int64
    index: Tensor  #: (B,) int64, place of each clip in its store
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return self.features.shape[0]

    @property
    def mask(self) -> Tensor:
        """(B, T) bool, True where a frame is real."""
        return frame_mask(self.lengths, self.features.shape[1])

    @property
    def single(self) -> Tensor:
        """(B,) the class of each clip, where every clip has exactly one gloss.

        Raises:
            ValueError: a clip has none or several.
        """
        if self.targets.shape[0] != len(self) or bool((self.target_lengths != 1).any()):
            raise ValueError("a clip of this batch has no gloss, or more than one")
        return self.targets

    def with_features(self, features: Tensor, lengths: Tensor | None = None) -> Batch:
        """The same clips with other frames (augmented, corrupted)."""
        return attrs.evolve(self, features=features, lengths=self.lengths if lengths is None else lengths)

    def to(self, device: torch.device) -> Batch:
        """On another device; itself where it is there already."""
        if self.features.device == device:
            return self
        tensors = {
            n: getattr(self, n).to(device, non_blocking=True)
            for n in ("features", "lengths", "targets", "target_lengths", "index")
        }
        return attrs.evolve(self, **tensors)

    def rows(self, start: int, end: int) -> Batch:
        """Clips ``start`` to ``end`` of this batch."""
        before, upto = int(self.target_lengths[:start].sum()), int(self.target_lengths[:end].sum())
        return Batch(
            features=self.features[start:end],
            lengths=self.lengths[start:end],
            targets=self.targets[before:upto],
            target_lengths=self.target_lengths[start:end],
            index=self.index[start:end],
            ids=self.ids[start:end],
        )

    @staticmethod
    def cat(batches: Sequence[Batch]) -> Batch:
        """Batches stacked along the clips, padded to the longest of all."""
        if len(batches) == 1:
            return batches[0]
        frames = max(b.features.shape[1] for b in batches)
        return Batch(
            features=torch.cat(
                [torch.nn.functional.pad(b.features, (0, 0, 0, frames - b.features.shape[1])) for b in batches]
            ),
            lengths=torch.cat([b.lengths for b in batches]),
            targets=torch.cat([b.targets for b in batches]),
            target_lengths=torch.cat([b.target_lengths for b in batches]),
            index=torch.cat([b.index for b in batches]),
            ids=tuple(i for b in batches for i in b.ids),
        )


class ClipStore:
    """Every clip of a split, held once: all frames end to end in one tensor.

    Clips whose frames stand in a mapped file in just this order are left there, and so many that memory should not
    hold them are put into one (:mod:`asl_core.frames`): batches are cut from a file as from memory.

    Attributes:
        lengths: (N,) int64.
        ids, glosses, signers, sources: one entry a clip.
    """

    def __init__(self, clips: Iterable[Clip], vocabulary: Vocabulary):
        clips = list(clips)
        if not clips:
            raise DataError("a split without clips was asked for its batches; expected at least one clip.")
        width = clips[0].features.shape[1]
        self.lengths = torch.tensor([c.features.shape[0] for c in clips], dtype=torch.int64)
        self.offsets = torch.zeros(len(clips) + 1, dtype=torch.int64)
        torch.cumsum(self.lengths, 0, out=self.offsets[1:])
        for clip in clips:
            if clip.features.shape[1] != width:
                raise DataError(
                    f"clip {clip.id!r} ({clip.source or 'unknown source'}) has {clip.features.shape[1]} numbers a "
                    f"frame, clip {clips[0].id!r} has {width}; expected one width. Extract both in the same way."
                )
        frames = [c.features for c in clips]
        there = end_to_end(frames)
        self._file: FramesFile | None = None if there is None else file_of(there)
        self._features = torch.from_numpy(gathered(frames, int(self.offsets[-1]), width) if there is None else there)
        self.ids = tuple(c.id for c in clips)
        self.glosses = tuple(c.glosses for c in clips)
        self.signers = tuple(c.signer for c in clips)
        self.sources = tuple(c.source for c in clips)
        self.vocabulary = vocabulary
        self.targets = [vocabulary.encode(c.glosses) for c in clips]
        self._target_lengths = torch.tensor([len(t) for t in self.targets], dtype=torch.int64)
        self._single = (
            torch.tensor([t[0] for t in self.targets], dtype=torch.int64)
            if all(len(t) == 1 for t in self.targets)
            else None
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def features(self) -> Tensor:
        """(sum of lengths, D) float32, not to be changed."""
        if self._file is not None:
            self._file.watched.check()
        return self._features

    @property
    def width(self) -> int:
        """Numbers a frame."""
        return self._features.shape[1]

    def verify(self) -> None:
        """Read the frames' file once more, where they stand in one that others may change.

        Raises:
            RunError: it was changed.
        """
        if self._file is not None:
            self._file.watched.verify(trained=True)

    @property
    def labelled(self) -> bool:
        """Whether every clip has a gloss."""
        return bool((self._target_lengths > 0).all())

    @property
    def isolated(self) -> bool:
        """Whether every clip has exactly one gloss."""
        return self._single is not None

    @property
    def sentences(self) -> bool:
        """Whether these clips are judged as sentences: as train's are, or by themselves where that is unknown."""
        own = self.vocabulary.sentences
        return bool((self._target_lengths > 1).any()) if own is None else own

    def counts(self) -> Counter[str]:
        """Clips of each gloss."""
        return Counter(g for glosses in self.glosses for g in glosses)

    def with_features(self, features: Tensor) -> ClipStore:
        """The same clips with other numbers a frame, (sum of lengths, D')."""
        other = copy.copy(self)
        other._features, other._file = features, None
        return other

    def clip(self, place: int) -> Tensor:
        """(T, D) frames of one clip, not to be changed."""
        if self._file is not None:
            return self._read(torch.tensor([place]), int(self.lengths[place]))[0]
        return self.features[int(self.offsets[place]) : int(self.offsets[place + 1])]

    def batch(self, index: Tensor) -> Batch:
        """The clips at ``index`` (B,), gathered in one step rather than clip by clip."""
        lengths = self.lengths[index]
        frames = torch.arange(int(lengths.max()))
        inside = frames[None, :] < lengths[:, None]
        if self._file is not None:
            features = self._read(index, len(frames))
        else:
            rows = torch.where(inside, self.offsets[index][:, None] + frames, 0)
            features = self._features[rows.flatten()].view(*rows.shape, self.width)
            features.masked_fill_(~inside[:, :, None], 0.0)  # not times 0: a NaN in the first frame would stay
        places = index.tolist()
        targets = (
            self._single[index]
            if self._single is not None
            else torch.tensor([t for p in places for t in self.targets[p]], dtype=torch.int64)
        )
        return Batch(
            features=features,
            lengths=lengths,
            targets=targets,
            target_lengths=self._target_lengths[index],
            index=index,
            ids=tuple(self.ids[p] for p in places),
        )

    def _read(self, index: Tensor, frames: int) -> Tensor:
        """(B, frames, D) of the clips at ``index``, from the file, 0 where padded."""
        file = self._file
        assert file is not None  # noqa: S101 - for mypy; whoever calls has looked
        file.watched.check()
        features = torch.zeros(len(index), frames, self.width, dtype=torch.float32)
        for clip, place in zip(features.numpy(), index.tolist(), strict=True):
            file.read(clip[: int(self.lengths[place])], int(self.offsets[place]))
        return features

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Every clip once, longest first, for evaluation: like lengths together, memory known at the start."""
        for index in torch.split(torch.argsort(self.lengths, descending=True, stable=True), batch_size):
            yield self.batch(index)
