"""A split's figures from a model's predictions: top-k, word error rate, intervals, confusions, hardest signs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Literal

import attrs
import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from asl_core.clips.clip import UNKNOWN
from asl_core.clips.store import ClipStore
from asl_core.evaluation.intervals import wer_interval, wilson_interval
from asl_core.evaluation.metrics import TOP1, TOP5, WER

__all__ = ["Predictions", "Scored", "answers", "best_other", "edit_counts", "metrics", "ranks", "report", "scored"]


@attrs.frozen(eq=False)
class Predictions:
    """What a model says of every clip of a store, in the store's order."""

    scores: Tensor | None  #: (N, C) float32 log-probabilities, None where no head ranks
    decoded: list[list[int]] | None  #: class numbers read from each clip, where the head reads sentences
    figures: dict[str, float]  #: losses, their parts, and the heads' figures, averaged over clips
    others: Mapping[str, Tensor] = attrs.field(factory=dict)  #: (N, C) of further heads that rank, by name


@attrs.frozen
class Scored:
    """Which clips of a store can be scored, and how."""

    how: Literal["rank", "text", "nothing"]  #: by the rank of the one gloss, by the text that was read, or not at all
    places: tuple[int, ...]  #: indices of the scored clips in their store
    rest: Mapping[str, tuple[int, ...]]  #: reason why clips are not scored -> their indices; empty where all are


def scored(predictions: Predictions, store: ClipStore) -> Scored:
    """The clips that have a gloss to compare with.

    A store of sentences is scored by the text that was read, all others by the rank of the true gloss. A clip of
    several glosses among isolated signs has no single rank: like a clip without a gloss it is left out and counted.
    """
    if predictions.scores is None and predictions.decoded is None:  # stage 1: no head names signs
        return Scored("nothing", (), {})
    counts = [len(t) for t in store.targets]
    bare, one, several = (tuple(i for i, n in enumerate(counts) if min(n, 2) == of) for of in (0, 1, 2))
    rest = {"no gloss": bare} if bare else {}
    text = store.sentences or predictions.scores is None or not one
    if text and predictions.decoded is not None and (one or several):
        return Scored("text", tuple(sorted(one + several)), rest)
    rest |= {"several glosses": several} if several else {}
    return Scored("rank", one, rest) if one else Scored("nothing", (), rest)


def ranks(scores: Tensor, targets: Tensor) -> Tensor:
    """(N,) rank of each clip's true gloss, 0 the best; a tie counts against the model, an unknown gloss is last.

    Args:
        scores: (N, C); NaN ranks last.
        targets: (N,) class numbers, or :data:`UNKNOWN`.
    """
    true = scores.gather(1, targets.clamp(min=0)[:, None])
    ahead = (scores >= true).sum(1) - 1
    lost = (targets == UNKNOWN) | true[:, 0].isnan()
    return torch.where(lost, scores.shape[1], ahead)


def best_other(scores: Tensor, targets: Tensor) -> Tensor:
    """(N,) class with the highest score besides the true one: what a wrong answer says, even in a tie."""
    is_true = torch.nn.functional.one_hot(targets.clamp(min=0), scores.shape[1]).bool() & (targets != UNKNOWN)[:, None]
    return scores.masked_fill(is_true, -torch.inf).argmax(1)


def metrics(predictions: Predictions, store: ClipStore) -> dict[str, float]:
    """The figures of an epoch, over the scored clips: losses, top-1 and top-5 (isolated signs), WER (sentences).

    A run that reads sentences has both on isolated signs alone.
    """
    figures = dict(predictions.figures)
    scope = scored(predictions, store)
    if scope.how == "rank" and predictions.scores is not None:
        places, targets = torch.tensor(scope.places), _targets(store, scope)
        known = targets != UNKNOWN
        figures |= _top(predictions.scores, places, targets)
        if bool(known.any()) and not bool(known.all()):
            top = _top(predictions.scores, places[known], targets[known])
            figures |= {f"{name}-known": value for name, value in top.items()}
        for head, scores in predictions.others.items():
            figures |= {f"{head}.{name}": value for name, value in _top(scores, places, targets).items()}
    elif scope.how == "text":
        edits, lengths = zip(*edit_counts(predictions, store, scope), strict=True)
        figures[WER.name] = sum(edits) / sum(lengths)
        if predictions.scores is not None and all(length == 1 for length in lengths):
            figures |= _top(predictions.scores, torch.tensor(scope.places), _targets(store, scope))
    return figures


def _targets(store: ClipStore, scope: Scored) -> Tensor:
    """(n,) class of each scored clip of one gloss."""
    return torch.tensor([store.targets[p][0] for p in scope.places])


def _top(scores: Tensor, places: Tensor, targets: Tensor) -> dict[str, float]:
    rank = ranks(scores[places], targets)
    return {
        TOP1.name: float((rank < 1).double().mean()),
        TOP5.name: float(_among(rank, 5, scores).double().mean()),
    }


def _among(rank: Tensor, k: int, scores: Tensor) -> Tensor:
    """Whether the true gloss is among the first ``k``; one that is not ranked (rank C) never is, even if C < k."""
    return rank < min(k, scores.shape[1])


def edit_counts(predictions: Predictions, store: ClipStore, scope: Scored) -> list[tuple[int, int]]:
    """(edits, true glosses) of each clip that is scored by its text; edits: substitutions, insertions, deletions."""
    texts = predictions.decoded or []
    return [(Levenshtein.distance(texts[p], store.targets[p]), len(store.targets[p])) for p in scope.places]


def answers(predictions: Predictions, store: ClipStore) -> list[bool | None]:
    """Whether each clip was named right, by rank or by the text that was read; None where it is not scored."""
    scope = scored(predictions, store)
    right: list[bool] = []
    if scope.how == "rank" and predictions.scores is not None:
        right = (ranks(predictions.scores[list(scope.places)], _targets(store, scope)) == 0).tolist()
    elif scope.how == "text":
        right = [edits == 0 for edits, _ in edit_counts(predictions, store, scope)]
    by_place = dict(zip(scope.places, right, strict=True))
    return [by_place.get(place) for place in range(len(store))]


def report(predictions: Predictions, store: ClipStore, most: int = 10) -> dict[str, Any]:
    """The full evaluation, as in ``summary.json`` and at the end of a run.

    Returns:
        ``clips``, how many of them are ``scored``, ``unscored`` (reason -> ids; only where there are such) and
        ``metrics`` (of :func:`metrics`). For sentences ``wer_interval`` (95 %, bootstrap over clips; only where it can
        be told). For isolated signs ``interval`` (95 %, of top-1), ``chance``, ``class_top1`` (mean over the glosses
        that have a clip, and how many have none), ``hardest``, ``easiest`` and ``confusions``.
    """
    scope = scored(predictions, store)
    full: dict[str, Any] = {"clips": len(store), "scored": len(scope.places), "metrics": metrics(predictions, store)}
    if scope.rest:
        full["unscored"] = {why: [store.ids[p] for p in places] for why, places in scope.rest.items()}
    if scope.how == "text":
        edits, lengths = zip(*edit_counts(predictions, store, scope), strict=True)
        interval = wer_interval(edits, lengths)
        return full if interval is None else full | {"wer_interval": interval}
    if predictions.scores is None or scope.how != "rank":
        return full
    glosses = store.vocabulary.glosses
    scores, targets = predictions.scores[list(scope.places)], _targets(store, scope)
    rank = ranks(scores, targets)
    by_gloss: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
    wrong: Counter[tuple[str, str]] = Counter()
    columns = rank.tolist(), _among(rank, 5, scores).tolist(), best_other(scores, targets).tolist()
    for clip, r, among, other in zip(scope.places, *columns, strict=True):
        gloss = store.glosses[clip][0]
        by_gloss[gloss].append((r, among))
        if r:
            wrong[gloss, glosses[other]] += 1
    rows = [
        {"gloss": g, "clips": len(clips), "top1": sum(r < 1 for r, _ in clips) / len(clips),
         "top5": sum(among for _, among in clips) / len(clips), "mean_rank": sum(r for r, _ in clips) / len(clips) + 1}
        for g, clips in sorted(by_gloss.items())
    ]  # fmt: skip
    hardest = sorted(rows, key=lambda r: (r["top1"], r["top5"], -float(str(r["mean_rank"]))))
    common = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    return full | {
        "interval": wilson_interval(int((rank < 1).sum()), len(rank)),
        "chance": 1 / max(1, len(glosses)),
        "class_top1": {
            "mean": float(np.mean([r["top1"] for r in rows])),
            "glosses": len(rows),
            "without_clips": len(set(glosses) - set(by_gloss)),
        },
        "hardest": hardest[:most],
        "easiest": [r for r in hardest[::-1] if r["top1"]][:most],
        "confusions": [{"was": a, "said": b, "clips": n} for (a, b), n in common[:most]],
        "per_class": rows,
    }
