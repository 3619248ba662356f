"""Clips as a trained model sees them: embeddings and log-probabilities, of whole clips and of their frames."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

from asl_core.clips.batch import at_least_float32, frame_mask
from asl_core.clips.store import ClipStore
from asl_core.evaluation.inference import Looked, predict
from asl_core.evaluation.tta import View
from asl_core.model.recogniser import Recognizer

__all__ = ["Embeddings", "embed_store"]


@attrs.frozen(eq=False)
class Embeddings:
    """What a model makes of N clips, on the CPU, in the order in which they were given."""

    ids: tuple[str, ...]  #: of the clips
    pooled: Tensor  #: (N, E) float32: the mean of each clip's encoder frames, or what a pooling encoder gives
    #: N tensors (T', E) float32: the encoder's frames of each clip; None of an encoder that pools
    frames: tuple[Tensor, ...] | None
    glosses: tuple[str, ...]  #: the classes, in the order of the columns of ``log_probabilities``
    #: (N, classes) float32: of each gloss being the clip's one sign; None where no head ranks glosses
    log_probabilities: Tensor | None
    #: N tensors (T', symbols) float32: the ranking head's distribution over its symbols on every frame (of a CTC head
    #: blank and then the glosses); None of a head that keeps no time
    frame_log_probabilities: tuple[Tensor, ...] | None


def embed_store(
    model: Recognizer, store: ClipStore, batch_size: int, device: torch.device, views: Sequence[View] = ()
) -> Embeddings:
    """One pass over the clips of a store; its probabilities are those of an evaluation."""
    name = model.ranking_head
    pooled: dict[int, Tensor] = {}
    frames: dict[int, Tensor] = {}
    symbols: dict[int, Tensor] = {}

    def see(looked: Looked) -> None:
        places = looked.batch.index.tolist()
        if looked.lengths is None:
            pooled.update(zip(places, looked.frames.float().cpu(), strict=True))
        else:
            means = _mean(looked.frames, looked.lengths)
            pooled.update(zip(places, means.cpu(), strict=True))
            frames.update(zip(places, _cut(looked.frames, looked.lengths), strict=True))
        output = None if name is None else looked.outputs[name]
        if output is not None and output.lengths is not None and output.values.ndim == 3:
            values = at_least_float32(output.values).log_softmax(-1)  # which changes no log-probabilities
            symbols.update(zip(places, _cut(values, output.lengths), strict=True))

    found = predict(model, store, batch_size, device=device, views=views, see=see)
    return Embeddings(
        ids=store.ids,
        pooled=torch.stack(_ordered(pooled)),
        frames=tuple(_ordered(frames)) if frames else None,
        glosses=store.vocabulary.glosses,
        log_probabilities=None if found.scores is None else found.scores.clone(),
        frame_log_probabilities=tuple(_ordered(symbols)) if symbols else None,
    )


def _mean(frames: Tensor, lengths: Tensor) -> Tensor:
    """(B, E) mean over each clip's real frames; padding may hold anything."""
    mask = frame_mask(lengths, frames.shape[1])[:, :, None]
    return at_least_float32(frames).masked_fill(~mask, 0.0).sum(1) / lengths[:, None]


def _cut(values: Tensor, lengths: Tensor) -> list[Tensor]:
    """Each clip's own frames, without the padding, as tensors of their own."""
    held = at_least_float32(values).cpu()
    return [clip[:length] for clip, length in zip(held, lengths.tolist(), strict=True)]


def _ordered(by_place: dict[int, Tensor]) -> list[Tensor]:
    # Copies made here, outside of inference mode, can be trained on.
    return [by_place[place].clone() for place in sorted(by_place)]
