"""Embeddings and log-probabilities of clips and of their frames, from a trained model."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

from asl_core.clips.batch import at_least_float32, frame_mask
from asl_core.clips.store import ClipStore
from asl_core.evaluation.inference import BatchResult, predict
from asl_core.evaluation.tta import View
from asl_core.model.recogniser import Recognizer

__all__ = ["Embeddings", "embed_store"]


@attrs.frozen(eq=False)
class Embeddings:
    """Of N clips, on the CPU, in the order in which they were given."""

    ids: tuple[str, ...]  #: of the clips
    pooled: Tensor  #: (N, E) float32: the mean of each clip's encoder frames, or the output of a pooling encoder
    #: N tensors (T', E) float32: encoder frames of each clip; None for an encoder that pools
    frames: tuple[Tensor, ...] | None
    glosses: tuple[str, ...]  #: classes, in the order of the columns of ``log_probabilities``
    #: (N, classes) float32: of each gloss as the clip's only sign; None where no head ranks glosses
    log_probabilities: Tensor | None
    #: N tensors (T', symbols) float32: the ranking head's distribution over its symbols on every frame (for a CTC head
    #: blank, then the glosses); None for a head without frames
    frame_log_probabilities: tuple[Tensor, ...] | None


def embed_store(
    model: Recognizer, store: ClipStore, batch_size: int, device: torch.device, views: Sequence[View] = ()
) -> Embeddings:
    """Embed the clips of a store in one pass; the probabilities are those of an evaluation."""
    name = model.ranking_head
    pooled: dict[int, Tensor] = {}
    frames: dict[int, Tensor] = {}
    symbols: dict[int, Tensor] = {}

    def collect(result: BatchResult) -> None:
        places = result.batch.index.tolist()
        if result.lengths is None:
            pooled.update(zip(places, result.frames.float().cpu(), strict=True))
        else:
            means = _mean(result.frames, result.lengths)
            pooled.update(zip(places, means.cpu(), strict=True))
            frames.update(zip(places, _unpadded(result.frames, result.lengths), strict=True))
        output = None if name is None else result.outputs[name]
        if output is not None and output.lengths is not None and output.values.ndim == 3:
            values = at_least_float32(output.values).log_softmax(-1)  # log-probabilities stay as they are
            symbols.update(zip(places, _unpadded(values, output.lengths), strict=True))

    predictions = predict(model, store, batch_size, device=device, views=views, on_batch=collect)
    return Embeddings(
        ids=store.ids,
        pooled=torch.stack(_ordered(pooled)),
        frames=tuple(_ordered(frames)) if frames else None,
        glosses=store.vocabulary.glosses,
        log_probabilities=None if predictions.scores is None else predictions.scores.clone(),
        frame_log_probabilities=tuple(_ordered(symbols)) if symbols else None,
    )


def _mean(frames: Tensor, lengths: Tensor) -> Tensor:
    """(B, E) mean over each clip's frames; padding may hold anything."""
    mask = frame_mask(lengths, frames.shape[1])[:, :, None]
    return at_least_float32(frames).masked_fill(~mask, 0.0).sum(1) / lengths[:, None]


def _unpadded(values: Tensor, lengths: Tensor) -> list[Tensor]:
    """Each clip's frames without the padding."""
    clips = at_least_float32(values).cpu()
    return [clip[:length] for clip, length in zip(clips, lengths.tolist(), strict=True)]


def _ordered(by_place: dict[int, Tensor]) -> list[Tensor]:
    # Copies made here, outside of inference mode, can be trained on.
    return [by_place[place].clone() for place in sorted(by_place)]
