"""What the scores of a split come to: top-k, word error rate, intervals, confusions, the hardest and easiest signs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs
import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from asl_core.clips.clip import UNKNOWN
from asl_core.clips.store import ClipStore
from asl_core.evaluation.intervals import wilson_interval

__all__ = ["Predictions", "Scored", "answers", "metrics", "ranks", "report", "scored"]


@attrs.frozen(eq=False)
class Predictions:
    """What a model says of every clip of a store, in the store's order."""

    scores: Tensor | None  #: (N, C) float32 log-probabilities, None where no head ranks
    decoded: list[list[int]] | None  #: class numbers read from each clip, where the head reads sentences
    figures: dict[str, float]  #: losses, their parts, and the heads' figures, averaged over clips
    others: Mapping[str, Tensor] = attrs.field(factory=dict)  #: (N, C) of further heads that rank, by name


@attrs.frozen
class Scored:
    """Which clips of a store can be held against what a model says of them, and in which way."""

    how: Literal["rank", "text", "nothing"]  #: by the rank of the one gloss, by the text that was read, or not at all
    places: tuple[int, ...]  #: of the scored clips in their store
    rest: Mapping[str, tuple[int, ...]]  #: why a clip is not scored -> places; empty where all are


def scored(predictions: Predictions, store: ClipStore) -> Scored:
    """The clips that have a gloss to compare with.

    A store of sentences is scored by the text that was read, all others by the rank of the true gloss. A clip of
    several glosses among isolated signs has no one rank: it is left out and counted, as a clip without a gloss is, and
    the figures of the others stand.
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


def metrics(predictions: Predictions, store: ClipStore) -> dict[str, float]:
    """The few figures of an epoch, of the scored clips: losses, top-1 and top-5 (isolated signs), WER (sentences).

    Where a run that reads sentences is asked about isolated signs alone, it has both.
    """
    found = dict(predictions.figures)
    kept = scored(predictions, store)
    if kept.how == "rank" and predictions.scores is not None:
        places, targets = torch.tensor(kept.places), _targets(store, kept)
        known = targets != UNKNOWN
        found |= _top(predictions.scores, places, targets)
        if bool(known.any()) and not bool(known.all()):
            top = _top(predictions.scores, places[known], targets[known])
            found |= {f"{name}-known": value for name, value in top.items()}
        for head, scores in predictions.others.items():
            found |= {f"{head}.{name}": value for name, value in _top(scores, places, targets).items()}
    elif kept.how == "text" and predictions.decoded is not None:
        found["wer"] = _wer([predictions.decoded[p] for p in kept.places], [store.targets[p] for p in kept.places])
        if predictions.scores is not None and all(len(store.targets[p]) == 1 for p in kept.places):
            found |= _top(predictions.scores, torch.tensor(kept.places), _targets(store, kept))
    return found


def _targets(store: ClipStore, kept: Scored) -> Tensor:
    """(n,) class of each scored clip of one gloss."""
    return torch.tensor([store.targets[p][0] for p in kept.places])


def _top(scores: Tensor, places: Tensor, targets: Tensor) -> dict[str, float]:
    place = ranks(scores[places], targets)
    return {"top1": float((place < 1).double().mean()), "top5": float(_among(place, 5, scores).double().mean())}


def _among(place: Tensor, k: int, scores: Tensor) -> Tensor:
    """Whether the true gloss is among the first ``k``; one that is not ranked (place C) never is, even if C < k."""
    return place < min(k, scores.shape[1])


def answers(predictions: Predictions, store: ClipStore) -> list[bool | None]:
    """Whether each clip was named right, by rank or by the text that was read; None where it is not scored."""
    kept = scored(predictions, store)
    found: list[bool | None] = [None] * len(store)
    if kept.how == "rank" and predictions.scores is not None:
        right = (ranks(predictions.scores[list(kept.places)], _targets(store, kept)) == 0).tolist()
        for place, answer in zip(kept.places, right, strict=True):
            found[place] = answer
    elif kept.how == "text" and predictions.decoded is not None:
        for place in kept.places:
            found[place] = list(store.targets[place]) == list(predictions.decoded[place])
    return found


def _wer(decoded: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> float:
    """Edits (substitute, insert, delete) over all clips, as a share of the glosses there should be."""
    edits = sum(Levenshtein.distance(a, b) for a, b in zip(decoded, targets, strict=True))
    return edits / sum(len(t) for t in targets)


def report(predictions: Predictions, store: ClipStore, most: int = 10) -> dict[str, Any]:
    """The full evaluation, as it stands in ``summary.json`` and at the end of a run.

    Returns:
        ``clips``, how many of them are ``scored``, ``unscored`` (why not, and the ids; only where there are such),
        ``metrics`` (of :func:`metrics`), and for isolated signs: ``interval`` (95 %, of top-1), ``chance``,
        ``class_top1`` (mean over the glosses that have a clip, and how many have none), ``hardest``,
        ``easiest`` and ``confusions``.
    """
    kept = scored(predictions, store)
    full: dict[str, Any] = {"clips": len(store), "scored": len(kept.places), "metrics": metrics(predictions, store)}
    if kept.rest:
        full["unscored"] = {why: [store.ids[p] for p in places] for why, places in kept.rest.items()}
    if predictions.scores is None or kept.how != "rank":
        return full
    glosses = store.vocabulary.glosses
    scores, targets = predictions.scores[list(kept.places)], _targets(store, kept)
    place = ranks(scores, targets)
    five = _among(place, 5, scores)
    said = _best_other(scores, targets).tolist()
    by_gloss: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
    wrong: Counter[tuple[str, str]] = Counter()
    for clip, p, among, other in zip(kept.places, place.tolist(), five.tolist(), said, strict=True):
        was = store.glosses[clip][0]
        by_gloss[was].append((p, among))
        if p:
            wrong[was, glosses[other]] += 1
    rows = [
        {"gloss": g, "clips": len(found), "top1": sum(p < 1 for p, _ in found) / len(found),
         "top5": sum(among for _, among in found) / len(found), "mean_rank": sum(p for p, _ in found) / len(found) + 1}
        for g, found in sorted(by_gloss.items())
    ]  # fmt: skip
    hardest = sorted(rows, key=lambda r: (r["top1"], r["top5"], -float(str(r["mean_rank"]))))
    common = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    seen = set(by_gloss) & set(glosses)
    return full | {
        "interval": wilson_interval(int((place < 1).sum()), len(place)),
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
