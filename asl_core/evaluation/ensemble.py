"""Several runs asked together: the mean of what they say of each clip.

Models that were trained apart err apart. The mean of their probabilities (Lakshminarayanan et al., "Simple and scalable
predictive uncertainty estimation using deep ensembles", NeurIPS 2017) is right more often than any one of them, at the
price of asking each. The runs may differ in encoder, recipe and even in the features they read, not in their glosses.
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
from asl_core.evaluation.inference import Predictions
from asl_core.evaluation.tta import mean_scores
from asl_core.text import shortened

__all__ = ["Answer", "naming", "refuse_twice", "together"]


@attrs.frozen(eq=False)
class Answer:
    """What one run says of some clips."""

    run: str  #: for messages
    vocabulary: Vocabulary
    ids: Sequence[str]  #: of the clips, in the order of the predictions
    predictions: Predictions


def together(answers: Sequence[Answer]) -> Predictions:
    """The first run's predictions with the mean of all probabilities as scores, in its order of clips and glosses.

    What is read off the frames, losses and figures of the heads stay those of the first run: they have no mean.

    Raises:
        UsageError: a run ranks no glosses, knows others, or has not seen the same clips.
    """
    first = answers[0]
    if len(answers) == 1:
        return first.predictions
    scores = mean_scores([_as_in(first, answer) for answer in answers])
    return attrs.evolve(first.predictions, scores=scores, others={})


def refuse_twice(runs: Sequence[str | os.PathLike[str]]) -> None:
    """No run may be asked twice: it would count twice.

    Raises:
        UsageError: the run that is named again.
    """
    found, times = Counter(Path(run).resolve() for run in runs).most_common(1)[0]
    if times > 1:
        raise UsageError(f"{found} is named {times} times, and would count so often; name each run once.")


@contextlib.contextmanager
def naming(run: object, among: Sequence[object]) -> Iterator[None]:
    """Faults of what a run needs name the run, where it is asked among others."""
    try:
        yield
    except DataError as fault:
        if len(among) < 2:
            raise
        raise DataError(f"{run}: {fault}") from fault


def _as_in(first: Answer, answer: Answer) -> Tensor:
    """(N, C) scores of a run, clips and glosses in the order of the first."""
    scores = answer.predictions.scores
    if scores is None:
        raise UsageError(f"{answer.run} has no head that ranks glosses (a stage-1 run); leave it out of --ensemble.")
    glosses = _places(answer.vocabulary.glosses, first.vocabulary.glosses, f"glosses of {answer.run}", first.run)
    clips = _places(answer.ids, first.ids, f"clips that {answer.run} was asked about", first.run)
    return scores[clips][:, glosses]


def _places(there: Sequence[str], wanted: Sequence[str], what: str, first: str) -> Tensor:
    """(n,) where each of the wanted names stands among those that are there."""
    place = {name: n for n, name in enumerate(there)}
    if place.keys() != set(wanted):
        apart = sorted(place.keys() ^ set(wanted))
        named = shortened(map(repr, apart))
        raise UsageError(
            f"the {what} are not those of {first}: {len(apart)} stand with one of them alone ({named}). Runs can only "
            f"be asked together about the same clips and glosses."
        )
    return torch.tensor([place[name] for name in wanted])
