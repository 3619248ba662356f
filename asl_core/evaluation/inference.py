"""Every clip of a split through a model, once; the figures stand in :mod:`asl_core.evaluation.scoring`."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs
import torch
from torch import Tensor

from asl_core.clips.batch import Batch
from asl_core.clips.clip import UNKNOWN
from asl_core.clips.store import ClipStore
from asl_core.compute.distributed import ALONE, Processes
from asl_core.compute.progress import track
from asl_core.compute.seeding import ClipRandom
from asl_core.contracts import Augment, HeadOutput
from asl_core.evaluation.scoring import Predictions
from asl_core.evaluation.tta import View, mean_scores
from asl_core.model.objectives import Objective, compute
from asl_core.model.recogniser import Recognizer

__all__ = ["BatchResult", "inference", "predict"]


@attrs.frozen(eq=False)
class BatchResult:
    """A model's outputs for one batch."""

    batch: Batch
    frames: Tensor  #: of the encoder, (B, T', E), or (B, E) where it pools
    lengths: Tensor | None  #: (B,) encoder frames of each clip, None where it pools
    outputs: Mapping[str, HeadOutput]


@contextlib.contextmanager
def inference(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards the mode is as before."""
    was = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was)


def predict(
    model: Recognizer,
    store: ClipStore,
    batch_size: int,
    objectives: Sequence[Objective] = (),
    augments: Sequence[Augment] = (),
    device: torch.device | None = None,
    processes: Processes = ALONE,
    views: Sequence[View] = (),
    on_batch: Callable[[BatchResult], None] | None = None,
) -> Predictions:
    """Run the model over every clip once; of several processes each takes its share of the batches.

    With ``views``, scores are the mean probability over the clip and each view of it; losses, figures of the heads and
    the text that is read are those of the clip as it is.

    Losses are computed on the clips whose glosses the model knows. A loss with two views or a corrupted batch gets them
    drawn from a fixed key: evaluating one model twice gives the same figures.

    ``on_batch`` is called with the outputs of each batch.
    """
    device = device or torch.device("cpu")
    name = model.ranking_head
    results: list[_BatchFigures] = []
    for objective in objectives:
        objective.eval()
    with inference(model):
        batches = math.ceil(len(store) / batch_size)
        for place, batch in processes.part(track(store.batches(batch_size), "evaluating", batches)):
            result = _BatchFigures(place, batch.index)
            results.append(result)
            batch = batch.to(device)
            frames, lengths = model.encode(model.standardiser(batch))
            outputs = {n: model.read(n, frames, lengths) for n in model.heads}
            if on_batch is not None:
                on_batch(BatchResult(batch, frames, lengths, outputs))
            viewed = [model.encode(view.standardised(batch, model.standardiser)) for view in views]
            for head, output in outputs.items():
                prefix = f"{head}." if len(outputs) > 1 else ""
                result.add({prefix + k: v for k, v in model.head(head).figures(output).items()}, len(batch))
                if model.head(head).ranks:
                    ranking = model.head(head)
                    others = [ranking.scores(ranking(*view)) for view in viewed]
                    result.scores[head] = mean_scores([ranking.scores(output), *others]).float().cpu()
            if name is not None:
                result.texts = model.head(name).decode(outputs[name])
            known = _with_usable_labels(model, objectives, batch, lengths)
            if known is None:
                continue
            plain = all(o.plain for o in objectives)
            computed = compute(
                model,
                objectives,
                known,
                functools.partial(_fixed_random, known.index),
                () if plain else augments,
                encoded=(frames, lengths) if plain and known is batch else None,
                figures=True,
            )
            result.add({"loss": computed.total, **computed.parts, **computed.figures}, len(known))
    return _joined(itertools.chain.from_iterable(processes.gather(results)), len(store), name)


@attrs.define(eq=False)
class _BatchFigures:
    """Scores, texts and figures of one batch."""

    place: int  #: index among the batches
    index: Tensor
    scores: dict[str, Tensor] = attrs.field(factory=dict)  #: by head
    texts: list[list[int]] | None = None
    figures: list[tuple[str, float, int]] = attrs.field(factory=list)  #: name, sum over clips, clips

    def add(self, figures: Mapping[str, Tensor], clips: int) -> None:
        for key, value in figures.items():
            self.figures.append((key, float(value.cpu().double().mean()) * clips, clips))  # MPS has no float64


def _joined(batches: Iterable[_BatchFigures], clips: int, ranking: str | None) -> Predictions:
    """All batches in the store's order; figures are summed in the order of batches, for equal bits on any processes."""
    scores: dict[str, Tensor] = {}
    decoded: list[list[int]] = [[] for _ in range(clips)]
    reads = ranking is not None
    sums: defaultdict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    for batch in sorted(batches, key=lambda b: b.place):
        for head, part in batch.scores.items():
            scores.setdefault(head, part.new_empty(clips, part.shape[1]))[batch.index] = part
        reads = reads and batch.texts is not None
        for place, text in zip(batch.index.tolist(), batch.texts or [[]] * len(batch.index), strict=True):
            decoded[place] = text
        for key, value, of in batch.figures:
            sums[key] += value
            counts[key] += of
    others = {head: part for head, part in scores.items() if head != ranking}
    figures = {k: sums[k] / counts[k] for k in sorted(sums)}
    return Predictions(scores.get(ranking or ""), decoded if reads else None, figures, others)


def _fixed_random(index: Tensor, purpose: str) -> ClipRandom:
    return ClipRandom.of(index, "evaluation", purpose)


def _with_usable_labels(
    model: Recognizer, objectives: Sequence[Objective], batch: Batch, frames: Tensor | None
) -> Batch | None:
    """The clips that all losses can be computed on.

    A gloss that train lacks has no class number, and a label may need more frames than the encoder leaves. Such clips
    count as wrong in the metrics and are left out of the losses.
    """
    needs = {o.loss.labels for o in objectives}
    if not needs:
        return None
    if needs == {"none"}:
        return batch
    lengths = batch.target_lengths.tolist()
    ends = torch.cumsum(batch.target_lengths, 0).tolist()
    targets = batch.targets.tolist()
    left = frames.tolist() if frames is not None else [max(lengths, default=0)] * len(batch)
    heads = [model.head(name) for name in {o.head for o in objectives if o.loss.labels != "none"}]
    usable = [
        i
        for i, (end, n) in enumerate(zip(ends, lengths, strict=True))
        if n
        and UNKNOWN not in targets[end - n : end]
        and (n == 1 or "one" not in needs)
        and all(left[i] >= head.min_frames(targets[end - n : end]) for head in heads)
    ]
    if len(usable) == len(batch):
        return batch
    return Batch.cat([batch.rows(i, i + 1) for i in usable]) if usable else None
