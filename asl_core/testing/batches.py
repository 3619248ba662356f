"""Batches to try components on, and the devices of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from asl_core.clips.batch import Batch
from asl_core.clips.clip import Clip, Vocabulary
from asl_core.clips.store import ClipStore

__all__ = [
    "CLASSES", "LENGTHS", "WIDTH", "alone", "devices", "one_thread", "padded", "random_batch", "store_of",
    "with_other_frames",
]  # fmt: skip

LENGTHS = (7, 23, 1, 12)  #: frames; one clip is as short as a clip can be
CLASSES = 5
WIDTH = 36  #: features per frame


def random_batch(
    lengths: Sequence[int] = LENGTHS,
    width: int = WIDTH,
    classes: int = CLASSES,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    frames: int | None = None,
    glosses: int = 1,
) -> Batch:
    """A batch of random features of mean 0 and standard deviation 1.

    Args:
        lengths: frames of each clip.
        width: features per frame.
        classes: different glosses.
        seed: of the features; a clip's features depend only on it and on the clip's index.
        dtype: of the features.
        frames: pad to this many instead of the longest.
        glosses: of each clip; two neighbours are never the same where there are two classes.
    """
    longest = frames or max(lengths)
    features = torch.zeros(len(lengths), longest, width, dtype=dtype)
    for index, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(1000 * seed + index)
        features[index, :length] = torch.randn(length, width, generator=generator, dtype=dtype)
    return Batch(
        features=features,
        lengths=torch.tensor(lengths),
        targets=(torch.arange(len(lengths))[:, None] + torch.arange(glosses)).flatten() % classes,
        target_lengths=torch.full((len(lengths),), glosses),
        index=torch.arange(len(lengths)),
        ids=tuple(f"clip-{i}" for i in range(len(lengths))),
    )


def alone(batch: Batch, index: int) -> Batch:
    """One clip of a batch by itself, without padding."""
    length = int(batch.lengths[index])
    return batch.rows(index, index + 1).with_features(batch.features[index : index + 1, :length])


def padded(batch: Batch, more: int) -> Batch:
    """The same clips with ``more`` frames of padding."""
    return batch.with_features(torch.nn.functional.pad(batch.features, (0, 0, 0, more)))


def with_other_frames(batch: Batch) -> Batch:
    """The same clips with other features in every real frame."""
    return batch.with_features((batch.features.flip(2) + 1) * batch.mask[:, :, None])


def store_of(batch: Batch, classes: int = CLASSES) -> ClipStore:
    """The clips of a batch as the train split of a run."""
    vocabulary = Vocabulary(tuple(f"gloss-{i:03d}" for i in range(classes)))
    labels = torch.split(batch.targets, batch.target_lengths.tolist())
    clips = [
        Clip(
            id=name,
            features=batch.features[i, : int(batch.lengths[i])].numpy(),
            glosses=tuple(vocabulary.glosses[c] for c in labels[i].tolist()),
        )
        for i, name in enumerate(batch.ids)
    ]
    return ClipStore(clips, vocabulary)


@contextmanager
def one_thread() -> Iterator[None]:
    """With one CPU thread, the default of a run: on small tensors several threads mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def devices() -> list[torch.device]:
    """The CPU, then CUDA and MPS where available."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [torch.device(name) for name, present in available.items() if present]
