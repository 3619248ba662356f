"""On which frames of a file a model places each gloss."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import torch

from asl_core.clips.clip import Clip
from asl_core.clips.store import ClipStore
from asl_core.contracts import Span, Transform
from asl_core.errors import UsageError
from asl_core.evaluation.inference import inference
from asl_core.model.recogniser import Recognizer

__all__ = ["Alignment", "Placed", "align", "frame_numbers"]


@attrs.frozen
class Placed:
    """A gloss, or blank, on frames of a clip."""

    gloss: str | None  #: None for blank
    first: int  #: frame, counted from 0
    last: int  #: inclusive
    probability: float  #: mean over these frames


@attrs.frozen
class Alignment:
    """Where a clip's glosses are, in frames of its file where those are known."""

    frames: int  #: how many there are
    of_file: bool  #: frames of the file; False where a transform changed them and does not say how
    named: tuple[Placed, ...]  #: the likeliest path through the predicted glosses
    best: tuple[Placed, ...]  #: the best symbol of every frame, equal neighbours joined


def frame_numbers(clip: Clip, transforms: Sequence[Transform]) -> np.ndarray | None:
    """(T',) index in the clip of each frame that is left after the transforms; None where one of them does not say.

    A transform without ``frames_kept`` that keeps the number of frames is taken to keep their order.
    """
    numbers = np.arange(len(clip.features))
    for transform in transforms:
        frames_kept = getattr(transform, "frames_kept", None)
        numbers = numbers if frames_kept is None else numbers[frames_kept(clip)]
        clip = transform(clip)
        if len(clip.features) != len(numbers):
            return None
    return numbers


def align(
    model: Recognizer,
    store: ClipStore,
    labels: Sequence[Sequence[int]],
    files: Sequence[tuple[int, np.ndarray | None]],
    batch_size: int = 64,
) -> list[Alignment]:
    """Align the glosses of each clip with its frames, by the head that ranks.

    Args:
        model: the recogniser.
        store: the clips.
        labels: predicted class numbers of each clip, in order.
        files: for each clip the number of frames in its file, and their indices in the store's order
            (:func:`frame_numbers`).
        batch_size: clips at a time.

    Raises:
        UsageError: the head does not place glosses in time.
    """
    head = model.head(model.ranking_head or "")
    device = next(model.parameters()).device
    alignments: list[Alignment | None] = [None] * len(store)
    with inference(model):
        for index in torch.split(torch.arange(len(store)), batch_size):
            batch = store.batch(index).to(device)
            output = head(*model.encode(model.standardiser(batch)))
            through = head.align(output, [labels[n] for n in index.tolist()])
            best = head.align(output)
            if through is None or best is None:
                raise UsageError(
                    f"head {type(head).__name__} of this run does not align glosses with frames; leave out "
                    f"--alignment, or train with a head that does, such as ctc."
                )
            for n, *spans in zip(index.tolist(), through, best, strict=True):
                total, numbers = files[n]
                length = int(store.lengths[n])
                frames = np.arange(length) if numbers is None else numbers
                named, each = (_placed(s, frames, store.vocabulary.glosses) for s in spans)
                alignments[n] = Alignment(total if numbers is not None else length, numbers is not None, named, each)
    return [a for a in alignments if a is not None]


def _placed(spans: Sequence[Span], numbers: np.ndarray, glosses: Sequence[str]) -> tuple[Placed, ...]:
    """Spans of encoder frames as frames of the clip: encoder frame j of n' covers frames ⌊j·n/n'⌋ to ⌊(j+1)·n/n'⌋."""
    frames, parts = len(numbers), spans[-1].end
    return tuple(
        Placed(
            gloss=None if s.gloss is None else glosses[s.gloss],
            first=int(numbers[s.start * frames // parts]),
            last=int(numbers[max(s.end * frames // parts - 1, s.start * frames // parts)]),
            probability=s.probability,
        )
        for s in spans
    )
