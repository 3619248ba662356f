"""The store that holds the clips of a split once, and cuts batches from them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from asl_core.clips.batch import Batch
from asl_core.clips.clip import Clip, Vocabulary
from asl_core.clips.frames import FramesFile, end_to_end, file_of, gathered
from asl_core.errors import DataError

__all__ = ["SAME_RATE", "ClipStore", "common_rate"]


SAME_RATE = 0.01  #: share by which two rates may differ and be the same: 29.97 and 30


def common_rate(clips: Iterable[Clip]) -> float | None:
    """The frames per second that all clips have, or None."""
    rates: set[float] = set()
    for clip in clips:
        if clip.fps is None:
            return None
        rates.add(clip.fps)
    return min(rates) if rates and max(rates) <= (1 + SAME_RATE) * min(rates) else None


class ClipStore:
    """Every clip of a split, held once: all frames end to end in one tensor.

    Clips whose frames stand in a mapped file in just this order are left there, and so many that memory should not
    hold them are put into one (:mod:`asl_core.clips.frames`): batches are cut from a file as from memory.

    Attributes:
        lengths: (N,) int64.
        ids, glosses, signers, sources: one entry a clip.
        fps: frames per second that all clips have; None where they differ, or one does not know.
        layout: which features are which points, likewise.
        detectors: programs that measured the points, sorted, as far as clips say.
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
        in_order = end_to_end(frames)
        self._file: FramesFile | None = None if in_order is None else file_of(in_order)
        self._features = torch.from_numpy(
            gathered(frames, int(self.offsets[-1]), width) if in_order is None else in_order
        )
        self.ids = tuple(c.id for c in clips)
        self.glosses = tuple(c.glosses for c in clips)
        self.signers = tuple(c.signer for c in clips)
        self.sources = tuple(c.source for c in clips)
        self.fps = common_rate(clips)
        self.layout = clips[0].layout if len({c.layout for c in clips}) == 1 else None
        self.detectors = tuple(sorted({c.detector for c in clips if c.detector is not None}))
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
        trained_on_sentences = self.vocabulary.sentences
        return bool((self._target_lengths > 1).any()) if trained_on_sentences is None else trained_on_sentences

    def counts(self) -> Counter[str]:
        """Clips of each gloss."""
        return Counter(g for glosses in self.glosses for g in glosses)

    def with_features(self, features: Tensor) -> ClipStore:
        """The same clips with other features, (sum of lengths, D')."""
        other = copy.copy(self)
        other._features, other._file = features, None  # noqa: SLF001 - a copy of this one
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
