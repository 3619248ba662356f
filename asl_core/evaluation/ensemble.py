"""Ensembles: the mean of several runs' probabilities.

Independently trained models make different mistakes; the mean of their probabilities is right more often than any one
of them (Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep ensembles", NeurIPS
2017). The runs may differ in encoder, recipe and even in the features they read, not in their glosses.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import torch
from torch import Tensor

from asl_core.clips.clip import Vocabulary
from asl_core.errors import DataError, UsageError
from asl_core.evaluation.scoring import Predictions
from asl_core.evaluation.tta import mean_scores
from asl_core.text import shortened

__all__ = ["Member", "average_members", "naming", "refuse_twice"]


@attrs.frozen(eq=False)
class Member:
    """One run of an ensemble, with its predictions."""

    run: str  #: for messages
    vocabulary: Vocabulary
    ids: Sequence[str]  #: of the clips, in the order of the predictions
    predictions: Predictions


def average_members(members: Sequence[Member]) -> Predictions:
    """The first run's predictions with the mean of all probabilities as scores, in its order of clips and glosses.

    The text that was read, losses and figures of the heads stay those of the first run: they have no mean.

    Raises:
        UsageError: a run ranks no glosses, knows other glosses, or has predictions for other clips.
    """
    first = members[0]
    if len(members) == 1:
        return first.predictions
    scores = mean_scores([_aligned(first, member) for member in members])
    return attrs.evolve(first.predictions, scores=scores, others={})


def refuse_twice(runs: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse a run that is named twice, since it would count twice.

    Raises:
        UsageError: naming that run.
    """
    run, times = Counter(Path(run).resolve() for run in runs).most_common(1)[0]
    if times > 1:
        raise UsageError(f"{run} is named {times} times, and would count so often; name each run once.")


@contextlib.contextmanager
def naming(run: object, among: Sequence[object]) -> Iterator[None]:
    """Put the run's name before a fault in its data, where it is one of several."""
    try:
        yield
    except DataError as fault:
        if len(among) < 2:
            raise
        raise DataError(f"{run}: {fault}") from fault


def _aligned(first: Member, member: Member) -> Tensor:
    """(N, C) scores of a run, clips and glosses in the order of the first."""
    scores = member.predictions.scores
    if scores is None:
        raise UsageError(f"{member.run} has no head that ranks glosses (a stage-1 run); leave it out of --ensemble.")
    glosses = _indices(member.vocabulary.glosses, first.vocabulary.glosses, f"glosses of {member.run}", first.run)
    clips = _indices(member.ids, first.ids, f"clips of {member.run}", first.run)
    return scores[clips][:, glosses]


def _indices(names: Sequence[str], wanted: Sequence[str], what: str, first: str) -> Tensor:
    """(n,) index of each wanted name in ``names``."""
    index = {name: n for n, name in enumerate(names)}
    if index.keys() != set(wanted):
        different = sorted(index.keys() ^ set(wanted))
        listed = shortened(map(repr, different))
        raise UsageError(
            f"the {what} are not those of {first}: only one of them has {len(different)} of these ({listed}). An "
            f"ensemble needs runs with the same clips and glosses."
        )
    return torch.tensor([index[name] for name in wanted])
