"""Batches to try components on, and the devices to try them on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from asl_core.clips.batch import Batch
from asl_core.clips.clip import Clip, Vocabulary
from asl_core.clips.store import ClipStore

__all__ = ["CLASSES", "LENGTHS", "WIDTH", "alone", "devices", "one_thread", "padded", "random_batch", "store_of"]

LENGTHS = (7, 23, 1, 12)  #: frames; one clip is as short as a clip can be
CLASSES = 5
WIDTH = 36  #: numbers a frame


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
    """A batch of random frames of mean 0 and deviation 1.

    Args:
        lengths: frames of each clip.
        width: numbers a frame.
        classes: different glosses.
        seed: of the numbers; a clip's numbers depend on it and on the clip's place alone.
        dtype: of the frames.
        frames: pad to this many instead of the longest.
        glosses: of each clip; two neighbours are never the same where there are two classes.
    """
    longest = frames or max(lengths)
    features = torch.zeros(len(lengths), longest, width, dtype=dtype)
    for place, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(1000 * seed + place)
        features[place, :length] = torch.randn(length, width, generator=generator, dtype=dtype)
    return Batch(
        features=features,
        lengths=torch.tensor(lengths),
        targets=(torch.arange(len(lengths))[:, None] + torch.arange(glosses)).flatten() % classes,
        target_lengths=torch.full((len(lengths),), glosses),
        index=torch.arange(len(lengths)),
        ids=tuple(f"clip-{i}" for i in range(len(lengths))),
    )


def alone(batch: Batch, place: int) -> Batch:
    """One clip of a batch by itself, without padding."""
    length = int(batch.lengths[place])
    return batch.rows(place, place + 1).with_features(batch.features[place : place + 1, :length])


def padded(batch: Batch, more: int) -> Batch:
    """The same clips with ``more`` frames of padding."""
    return batch.with_features(torch.nn.functional.pad(batch.features, (0, 0, 0, more)))


def store_of(batch: Batch, classes: int = CLASSES) -> ClipStore:
    """The clips of a batch as the train split of a run would hold them."""
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
    """With one CPU thread, as runs have by default: threads that wait for each other spin, and tensors are small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def devices() -> list[torch.device]:
    """The kinds of device there are here: the CPU, then CUDA and MPS where they are."""
    found = [torch.device("cpu")]
    if torch.cuda.is_available():
        found.append(torch.device("cuda"))
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return found
