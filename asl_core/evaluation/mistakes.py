"""The errors of a model: by sign, by confused pair, and by kind of clip.

Right is what :func:`asl_core.evaluation.scoring.answers` calls right. Groups of clips are compared by their accuracy
with Wilson's interval, since most of them are small.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from asl_core.clips.store import ClipStore
from asl_core.evaluation.intervals import wilson_interval
from asl_core.evaluation.scoring import Predictions, answers, best_other, ranks, scored
from asl_core.text import shortened

__all__ = ["Confusion", "Group", "Mistakes", "SignReport", "explain"]

PARTS = 4  #: groups of a quantity, of about equal size
EXAMPLES = 3  #: training clips named for a sign


@attrs.frozen
class Group:
    """Clips with something in common, and how many of them were right."""

    name: str
    clips: int
    right: int

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 of no clip."""
        return self.right / self.clips if self.clips else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of :attr:`accuracy`."""
        return wilson_interval(self.right, self.clips)

    def to_json(self) -> dict[str, Any]:
        """Name, counts, accuracy and interval."""
        return attrs.asdict(self) | {"accuracy": self.accuracy, "interval": list(self.interval)}


@attrs.frozen
class SignReport:
    """The clips of one sign, and how they were named."""

    gloss: str
    train_clips: int | None  #: None where the training clips were not available
    clips: int
    right: int
    top5: int
    mean_rank: float  #: of the true gloss, 1 the best
    taken_for: tuple[tuple[str, int], ...]  #: wrong names of its clips, the most frequent first
    false_alarms: int  #: clips of other signs that were given this name


@attrs.frozen
class Mistake:
    """A clip that was named wrong."""

    clip: str
    source: str
    probability: float  #: of what it was named
    true_probability: float
    true_rank: int  #: 1 the best


@attrs.frozen
class Confusion:
    """One sign mistaken for another, with the clips."""

    was: str
    said: str
    mistakes: tuple[Mistake, ...]
    reverse: int  #: clips of ``said`` mistaken for ``was``
    was_examples: tuple[str, ...]  #: training clips of ``was``
    said_examples: tuple[str, ...]  #: training clips of ``said``


@attrs.frozen
class Mistakes:
    """The error analysis of an evaluation."""

    clips: int
    right: int
    signs: tuple[SignReport, ...]  #: the hardest first; empty for sentences
    confusions: tuple[Confusion, ...]  #: the most frequent first; empty for sentences
    groups: Mapping[str, tuple[Group, ...]]  #: criterion -> its groups
    notes: tuple[str, ...]  #: what could not be analysed, and why

    def to_json(self) -> dict[str, Any]:
        """For ``asl eval --errors --json``."""
        return {
            "clips": self.clips,
            "right": self.right,
            "groups": {name: [g.to_json() for g in groups] for name, groups in self.groups.items()},
            "signs": [attrs.asdict(s) for s in self.signs],
            "confusions": [attrs.asdict(c) for c in self.confusions],
            "notes": list(self.notes),
        }


def explain(
    predictions: Predictions,
    store: ClipStore,
    unseen: Sequence[np.ndarray],
    train: ClipStore | None = None,
) -> Mistakes:
    """Analyse the errors of predictions.

    Args:
        predictions: of the clips of ``store``.
        store: the clips; those that are not scored (:func:`asl_core.evaluation.scoring.scored`) are named in a note.
        unseen: for each clip (T,) the share of each frame that was not detected.
        train: the training clips, for known signers, counts and examples.

    Raises:
        ValueError: no clip is scored.
    """
    scope = scored(predictions, store)
    if not scope.places:
        raise ValueError("no clip is scored; expected predictions of labelled clips")
    right = np.array([answer for answer in answers(predictions, store) if answer is not None], dtype=bool)
    scores = predictions.scores if scope.how == "rank" else None
    notes = [] if scores is not None else ["these clips are sentences: signs and confusions are left out"]
    notes += [f"not scored, for {why}: {shortened([store.ids[p] for p in where])}" for why, where in scope.rest.items()]
    shares = [unseen[p] for p in scope.places]
    groups: dict[str, tuple[Group, ...]] = {}

    def divide(name: str, values: Sequence[float] | np.ndarray, show: Callable[[float], str]) -> None:
        parts = _by_value(np.asarray(values, dtype=float), right, show)
        if len(parts) > 1:
            groups[name] = parts
        else:
            notes.append(f"{name}: {parts[0].name} for every clip, so it explains nothing")

    divide("frames of the clip", store.lengths.numpy()[list(scope.places)], lambda v: f"{v:.0f}")
    divide("share of frames in which nothing was seen", [(u >= 1).mean() for u in shares], _percent)
    divide("share that was not seen", [u.mean() for u in shares], _percent)
    if train is None:
        notes.append("the training clips are not available: known signers and counts are left out")
    else:
        counts = train.counts()
        divide("training clips of the sign", [min(counts[g] for g in store.glosses[p]) for p in scope.places],
               lambda v: f"{v:.0f}")  # fmt: skip
    groups |= _by_signer([store.signers[p] for p in scope.places], right, train, notes)
    signs, confusions = ((), ()) if scores is None else _signs(scores, store, scope.places, train)
    return Mistakes(len(scope.places), int(right.sum()), signs, confusions, groups, tuple(notes))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _by_value(values: np.ndarray, right: np.ndarray, show: Callable[[float], str]) -> tuple[Group, ...]:
    """Groups of about equal size in increasing order; equal values stay together, and 0 is a group of its own."""
    distinct = np.unique(values[values != 0])
    ends = distinct[:-1]  # the largest value of each group but the last
    if len(distinct) > PARTS:
        ends = np.unique(np.quantile(values[values != 0], np.arange(1, PARTS) / PARTS, method="lower"))
        ends = np.minimum(ends, distinct[-2])
    number = np.searchsorted(np.unique(ends), values, side="left")
    parts = [values == 0, *((values != 0) & (number == part) for part in range(PARTS))]
    groups = []
    for part in parts:
        if not part.any():
            continue
        low, high = show(values[part].min()), show(values[part].max())
        groups.append(Group(low if low == high else f"{low} to {high}", int(part.sum()), int(right[part].sum())))
    return tuple(groups)


def _by_signer(
    signers: Sequence[str | None], right: np.ndarray, train: ClipStore | None, notes: list[str]
) -> dict[str, tuple[Group, ...]]:
    """Known and new signers, and each signer."""
    if all(s is None for s in signers):
        notes.append("signer: no clip names its signer")
        return {}
    groups = {}
    if train is not None:
        known = {s for s in train.signers if s is not None}
        names = [
            "signer not named" if s is None else "signer in train" if s in known else "signer not in train"
            for s in signers
        ]
        groups["signer known"] = _by_name(names, right)
    groups["signer"] = _by_name([str(s) if s is not None else "not named" for s in signers], right)
    return groups


def _by_name(names: Sequence[str], right: np.ndarray) -> tuple[Group, ...]:
    """The largest group first."""
    counts = Counter(names)
    hits = Counter(n for n, r in zip(names, right, strict=True) if r)
    return tuple(Group(n, counts[n], hits[n]) for n in sorted(counts, key=lambda n: (-counts[n], n)))


def _signs(
    scores: Tensor, store: ClipStore, places: Sequence[int], train: ClipStore | None
) -> tuple[tuple[SignReport, ...], tuple[Confusion, ...]]:
    """Signs and confusions of the clips at ``places``, which have one gloss each."""
    glosses = store.vocabulary.glosses
    scores = scores[list(places)]
    targets = torch.tensor([store.targets[p][0] for p in places])
    rank = ranks(scores, targets).tolist()
    said = best_other(scores, targets).tolist()
    probability = scores.exp()
    of_gloss: defaultdict[str, list[int]] = defaultdict(list)
    wrong: defaultdict[tuple[str, str], list[Mistake]] = defaultdict(list)
    for n, (was,) in enumerate(store.glosses[p] for p in places):
        of_gloss[was].append(n)
        if rank[n]:
            true = float(probability[n, targets[n]]) if targets[n] >= 0 else 0.0
            clip = places[n]
            mistake = Mistake(store.ids[clip], store.sources[clip], float(probability[n, said[n]]), true, rank[n] + 1)
            wrong[was, glosses[said[n]]].append(mistake)
    alarms = Counter(dict.fromkeys(glosses, 0))
    taken: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for (was, other), mistakes in sorted(wrong.items(), key=lambda item: (-len(item[1]), item[0])):
        alarms[other] += len(mistakes)
        taken[was].append((other, len(mistakes)))
    counts = train.counts() if train is not None else None
    signs = [
        SignReport(
            gloss=gloss,
            train_clips=None if counts is None else counts[gloss],
            clips=len(members),
            right=sum(rank[n] == 0 for n in members),
            top5=sum(rank[n] < min(5, len(glosses)) for n in members),
            mean_rank=sum(rank[n] for n in members) / len(members) + 1,
            taken_for=tuple(taken[gloss]),
            false_alarms=alarms[gloss],
        )
        for gloss, members in of_gloss.items()
    ]
    examples = _examples(train)
    confusions = [
        Confusion(was, other, tuple(mistakes), len(wrong.get((other, was), ())), examples[was], examples[other])
        for (was, other), mistakes in wrong.items()
    ]
    return (
        tuple(sorted(signs, key=lambda s: (s.right / s.clips, s.top5 / s.clips, -s.mean_rank, s.gloss))),
        tuple(sorted(confusions, key=lambda c: (-len(c.mistakes), -c.reverse, c.was, c.said))),
    )


def _examples(train: ClipStore | None) -> Mapping[str, tuple[str, ...]]:
    """The first training clips of every gloss."""
    examples: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    if train is not None:
        for clip, names in zip(train.ids, train.glosses, strict=True):
            if len(names) == 1 and len(examples[names[0]]) < EXAMPLES:
                examples[names[0]] = (*examples[names[0]], clip)
    return examples
