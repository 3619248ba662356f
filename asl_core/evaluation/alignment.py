"""Which frames of a file a model reads which gloss from."""

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
    last: int  #: the last one on which it stands
    probability: float  #: on the mean over these frames


@attrs.frozen
class Alignment:
    """Where a clip's glosses stand, in frames of its file where those are known."""

    frames: int  #: of the clip that the numbers are of
    of_file: bool  #: whether that is the file's; a transform may change frames and not say how
    named: tuple[Placed, ...]  #: the likeliest path through the glosses that the clip is taken for
    best: tuple[Placed, ...]  #: what each frame says best, in runs


def frame_numbers(clip: Clip, transforms: Sequence[Transform]) -> np.ndarray | None:
    """(T',) which frame of a clip each frame is that transforms hand on, or None where one of them does not say.

    One that gives as many frames as it takes is believed to keep them in their places.
    """
    numbers = np.arange(len(clip.features))
    for transform in transforms:
        kept = getattr(transform, "frames_kept", None)
        numbers = numbers if kept is None else numbers[kept(clip)]
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
    """Where the glosses of each clip stand by the head that ranks.

    Args:
        model: the recogniser.
        store: the clips.
        labels: class numbers that each clip is taken for, in order.
        files: of each clip, the frames of its file, and which of them those of the store are (:func:`frame_numbers`).
        batch_size: clips at a time.

    Raises:
        UsageError: the head does not place glosses in time.
    """
    head = model.head(model.ranking_head or "")
    device = next(model.parameters()).device
    found: list[Alignment | None] = [None] * len(store)
    with inference(model):
        for index in torch.split(torch.arange(len(store)), batch_size):
            batch = store.batch(index).to(device)
            output = head(*model.encode(model.standardiser(batch)))
            through = head.align(output, [labels[n] for n in index.tolist()])
            best = head.align(output)
            if through is None or best is None:
                raise UsageError(
                    f"head {type(head).__name__} of this run does not say where a gloss stands in time; leave the "
                    f"alignment out, or train with a head that does, such as ctc."
                )
            for n, *spans in zip(index.tolist(), through, best, strict=True):
                total, numbers = files[n]
                length = int(store.lengths[n])
                seen = np.arange(length) if numbers is None else numbers
                named, each = (_placed(s, seen, store.vocabulary.glosses) for s in spans)
                found[n] = Alignment(total if numbers is not None else length, numbers is not None, named, each)
    return [a for a in found if a is not None]


def _placed(spans: Sequence[Span], numbers: np.ndarray, glosses: Sequence[str]) -> tuple[Placed, ...]:
    """Spans of encoder frames as frames of the clip.

    Encoder frame j of n' stands for part j of n' equal parts of the n frames, ⌊j·n/n'⌋ to ⌊(j+1)·n/n'⌋.
    """
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
