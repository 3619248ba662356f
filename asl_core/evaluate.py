"""Scores of every clip, and what they come to: top-k, intervals, confusions, the hardest and easiest signs."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from asl_core.contracts import Augment
from asl_core.data import UNKNOWN, Batch, ClipStore
from asl_core.distributed import ALONE, Processes
from asl_core.model import Recognizer
from asl_core.objectives import Objective, compute
from asl_core.random import ClipRandom
from asl_core.views import View, mean_scores

__all__ = ["Predictions", "answers", "bootstrap_interval", "inference", "metrics", "predict", "ranks", "report"]


@attrs.frozen(eq=False)
class Predictions:
    """What a model says of every clip of a store, in the store's order."""

    scores: Tensor | None  #: (N, C) float32 log-probabilities, None where no head ranks
    decoded: list[list[int]] | None  #: class numbers read from each clip, where the head reads sentences
    figures: dict[str, float]  #: losses, their parts, and the heads' figures, averaged over clips
    others: Mapping[str, Tensor] = attrs.field(factory=dict)  #: (N, C) of further heads that rank, by name


@contextlib.contextmanager
def inference(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the mode before comes back."""
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
) -> Predictions:
    """Run the model over every clip once, with several processes each over its share of the batches.

    With ``views``, scores are the mean probability over the clip as it is and each view of it; losses, figures of the
    heads and what is read off the frames are those of the clip as it is.

    Losses are computed on the clips whose glosses the model knows. Those that ask for two views or a corrupted
    batch get them, drawn from a fixed key, so that the figure is the same at every evaluation of one model.
    """
    device = device or torch.device("cpu")
    name = model.ranking_head
    found: list[_OfBatch] = []
    for objective in objectives:
        objective.eval()
    with inference(model):
        for place, batch in processes.part(store.batches(batch_size)):
            seen = _OfBatch(place, batch.index)
            found.append(seen)
            batch = batch.to(device)
            frames, lengths = model.encode(model.standardiser(batch))
            outputs = {n: model.head(n)(frames, lengths) for n in model.heads}
            looks = [model.encode(view.standardised(batch, model.standardiser)) for view in views]
            for head, output in outputs.items():
                prefix = f"{head}." if len(outputs) > 1 else ""
                seen.add({prefix + k: v for k, v in model.head(head).figures(output).items()}, len(batch))
                if model.head(head).ranks:
                    ranking = model.head(head)
                    others = [ranking.scores(ranking(*look)) for look in looks]
                    seen.scores[head] = mean_scores([ranking.scores(output), *others]).float().cpu()
            if name is not None:
                seen.texts = model.head(name).decode(outputs[name])
            known = _with_usable_labels(model, objectives, batch, lengths)
            if known is None:
                continue
            plain = all(o.plain for o in objectives)
            result = compute(
                model,
                objectives,
                known,
                functools.partial(_fixed_random, known.index),
                () if plain else augments,
                encoded=(frames, lengths) if plain and known is batch else None,
                figures=True,
            )
            seen.add({"loss": result.total, **result.parts, **result.figures}, len(known))
    return _joined(itertools.chain.from_iterable(processes.gather(found)), len(store), name)


@attrs.define(eq=False)
class _OfBatch:
    """What one batch of an evaluation came to."""

    place: int  #: among the batches
    index: Tensor
    scores: dict[str, Tensor] = attrs.field(factory=dict)  #: by head
    texts: list[list[int]] | None = None
    figures: list[tuple[str, float, int]] = attrs.field(factory=list)  #: name, sum over clips, clips

    def add(self, figures: Mapping[str, Tensor], clips: int) -> None:
        for key, value in figures.items():
            self.figures.append((key, float(value.cpu().double().mean()) * clips, clips))  # MPS has no float64


def _joined(batches: Iterable[_OfBatch], clips: int, ranking: str | None) -> Predictions:
    """All batches in the store's order. Figures are added up batch by batch, whichever process had which."""
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
    others = {head: found for head, found in scores.items() if head != ranking}
    figures = {k: sums[k] / counts[k] for k in sorted(sums)}
    return Predictions(scores.get(ranking or ""), decoded if reads else None, figures, others)


def _fixed_random(index: Tensor, purpose: str) -> ClipRandom:
    return ClipRandom.of(index, "evaluation", purpose)


def _with_usable_labels(
    model: Recognizer, objectives: Sequence[Objective], batch: Batch, frames: Tensor | None
) -> Batch | None:
    """The clips that all losses can be computed on.

    A gloss that train lacks has no class number, and a label may need more frames than the encoder leaves. Such
    clips count as wrong in the metrics, and stand in no loss.
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


def ranks(scores: Tensor, targets: Tensor) -> Tensor:
    """(N,) place of each clip's true gloss, 0 the best; a tie counts against the model, an unknown gloss is last.

    Args:
        scores: (N, C); NaN ranks last.
        targets: (N,) class numbers, or :data:`UNKNOWN`.
    """
    own = scores.gather(1, targets.clamp(min=0)[:, None])
    ahead = (scores >= own).sum(1) - 1
    lost = (targets == UNKNOWN) | own[:, 0].isnan()
    return torch.where(lost, scores.shape[1], ahead)


def _best_other(scores: Tensor, targets: Tensor) -> Tensor:
    """(N,) the gloss that stands in for the true one where that is wrong; in a tie, not the true one itself."""
    own = torch.nn.functional.one_hot(targets.clamp(min=0), scores.shape[1]).bool() & (targets != UNKNOWN)[:, None]
    return scores.masked_fill(own, -torch.inf).argmax(1)


def bootstrap_interval(correct: Tensor, share: float = 0.95, samples: int = 10_000) -> tuple[float, float]:
    """Percentile bootstrap over clips of a share of right answers (Efron 1979).

    Drawing n clips with replacement from n right or wrong ones and counting the right ones is a binomial draw,
    so the resampling is done by that distribution rather than clip by clip. Fixed seed: equal for equal input.
    """
    n = len(correct)
    if not n:
        return (0.0, 0.0)
    draws = np.random.default_rng(0).binomial(n, float(correct.double().mean()), samples) / n
    low, high = np.quantile(draws, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def metrics(predictions: Predictions, store: ClipStore) -> dict[str, float]:
    """The few figures of an epoch: losses, top-1 and top-5 (isolated signs), WER (sentences)."""
    found = dict(predictions.figures)
    if predictions.scores is not None and store.isolated:
        targets = torch.tensor([t[0] for t in store.targets])
        place = ranks(predictions.scores, targets)
        known = targets != UNKNOWN
        first, five = place < 1, _among(place, 5, predictions.scores)
        found |= {"top1": _share(first), "top5": _share(five)}
        if not bool(known.all()):
            found |= {"top1-known": _share(first[known]), "top5-known": _share(five[known])}
        for head, scores in predictions.others.items():
            place = ranks(scores, targets)
            found |= {f"{head}.top1": _share(place < 1), f"{head}.top5": _share(_among(place, 5, scores))}
    elif predictions.decoded is not None and store.labelled:
        found["wer"] = _wer(predictions.decoded, store.targets)
    return found


def _among(place: Tensor, k: int, scores: Tensor) -> Tensor:
    """Whether the true gloss is among the first ``k``; one that is not ranked (place C) never is, even if C < k."""
    return place < min(k, scores.shape[1])


def answers(predictions: Predictions, store: ClipStore) -> list[bool]:
    """Whether each clip was named right: by rank for isolated signs, by what was read for sentences."""
    if store.isolated and predictions.scores is not None:
        found: list[bool] = (ranks(predictions.scores, torch.tensor([t[0] for t in store.targets])) == 0).tolist()
        return found
    decoded = predictions.decoded or [[] for _ in store.targets]
    return [bool(t) and list(t) == list(d) for t, d in zip(store.targets, decoded, strict=True)]


def _share(right: Tensor) -> float:
    return float(right.double().mean()) if len(right) else 0.0


def _wer(decoded: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> float:
    """Edits (substitute, insert, delete) over all clips, as a share of the glosses there should be."""
    edits = sum(Levenshtein.distance(a, b) for a, b in zip(decoded, targets, strict=True))
    return edits / max(1, sum(len(t) for t in targets))


def report(predictions: Predictions, store: ClipStore, most: int = 10) -> dict[str, Any]:
    """The full evaluation, as it stands in ``summary.json`` and at the end of a run.

    Returns:
        ``metrics`` (of :func:`metrics`), and for isolated signs: ``interval`` (95 %, of top-1), ``chance``,
        ``class_top1`` (mean over the glosses that have a clip, and how many have none), ``hardest``,
        ``easiest`` and ``confusions``.
    """
    found: dict[str, Any] = {"clips": len(store), "metrics": metrics(predictions, store)}
    if predictions.scores is None or not store.isolated:
        return found
    glosses = store.vocabulary.glosses
    targets = torch.tensor([t[0] for t in store.targets])
    place = ranks(predictions.scores, targets)
    five = _among(place, 5, predictions.scores)
    said = _best_other(predictions.scores, targets).tolist()
    by_gloss: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
    wrong: Counter[tuple[str, str]] = Counter()
    for names, p, among, other in zip(store.glosses, place.tolist(), five.tolist(), said, strict=True):
        by_gloss[names[0]].append((p, among))
        if p:
            wrong[names[0], glosses[other]] += 1
    rows = [
        {"gloss": g, "clips": len(found), "top1": sum(p < 1 for p, _ in found) / len(found),
         "top5": sum(among for _, among in found) / len(found), "mean_rank": sum(p for p, _ in found) / len(found) + 1}
        for g, found in sorted(by_gloss.items())
    ]  # fmt: skip
    hardest = sorted(rows, key=lambda r: (r["top1"], r["top5"], -float(str(r["mean_rank"]))))
    common = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    seen = set(by_gloss) & set(glosses)
    return found | {
        "interval": bootstrap_interval(place < 1),
        "chance": 1 / max(1, len(glosses)),
        "class_top1": {
            "mean": float(np.mean([r["top1"] for r in rows])),
            "glosses": len(rows),
            "without_clips": len(glosses) - len(seen),
        },
        "hardest": hardest[:most],
        "easiest": [r for r in hardest[::-1] if r["top1"]][:most],
        "confusions": [{"was": a, "said": b, "clips": n} for (a, b), n in common[:most]],
        "per_class": rows,
    }
