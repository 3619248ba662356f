"""Two sides of finished runs compared over several seeds, paired by seed and clip."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np

from asl_core.errors import UsageError, as_word
from asl_core.evaluation.intervals import bootstrap_ratios, percentiles
from asl_core.evaluation.metrics import SENTENCES, TOP1, Metric
from asl_core.text import from_cell

__all__ = [
    "Answer", "Comparison", "WerComparison", "answers_of", "compare", "measure_of", "right_answers", "wer_comparison",
]  # fmt: skip

_HEADING = 4096  #: characters of the first line of predictions-val.csv


@attrs.frozen
class WerComparison:
    """Word error rates of two sides on the same clips; shares, not percent. Intervals are 95 %, by bootstrap."""

    first: tuple[float, ...]  #: of each seed
    second: tuple[float, ...]
    first_interval: tuple[float, float]  #: of the mean over seeds, for other seeds and clips
    second_interval: tuple[float, float]
    difference: float  #: mean of second - first
    interval: tuple[float, float]  #: of the difference


@attrs.frozen
class Comparison:
    """Two sides over the same seeds and clips; shares, not percent."""

    seeds: tuple[int, ...]
    first: tuple[float, ...]  #: of each seed, the measure
    second: tuple[float, ...]
    difference: float  #: mean of second - first
    interval: tuple[float, float]  #: 95 %, over seeds and clips both
    seed_interval: tuple[float, float]  #: 95 %, over seeds alone, for these clips
    measure: str = TOP1.title  #: ``top-1``, or ``whole sentences``
    wer: WerComparison | None = None  #: of sentences


@attrs.frozen
class Answer:
    """A run's last weights on one clip."""

    glosses: str  #: the true ones
    correct: bool
    decoded: str | None = None  #: what was read, where the run reads sentences
    edits: int | None = None  #: of the text that was read, in glosses
    length: int = 0  #: true glosses, where ``edits`` is given


def right_answers(run: Path) -> dict[str, bool]:
    """Clip id -> whether the last weights named its gloss, from ``predictions-val.csv``; unscored clips are left out.

    Raises:
        UsageError: the run has no such file; it was cut off, or has no val split.
    """
    return {clip: answer.correct for clip, answer in answers_of(run).items()}


def answers_of(run: Path) -> dict[str, Answer]:
    """Clip id -> answer of the last weights, from ``predictions-val.csv``; unscored clips are left out.

    Raises:
        UsageError: as :func:`right_answers`.
    """
    file = run / "predictions-val.csv"
    try:
        if file.exists() and not file.is_file():
            raise OSError("it is no file")
        with file.open(encoding="utf-8", newline="") as text:
            if len(next(text, "")) > _HEADING:
                raise ValueError("its heading is longer than that of any run")
            text.seek(0)
            reader = csv.DictReader(text)
            answers = {}
            for row in reader:
                if None in row or None in row.values():
                    raise ValueError(f"line {reader.line_num} has another number of columns than the heading")
                answers[from_cell(row["clip"])] = _answer(row)
        if not answers:
            raise ValueError("clips with an answer of 0 or 1 were expected")
        scored = {clip: answer for clip, answer in answers.items() if answer is not None}
        if not scored:
            raise ValueError("none of its clips has a gloss, so none was scored")
        return scored
    except (OSError, KeyError, ValueError, csv.Error) as fault:
        raise UsageError(
            f"{file} cannot be read ({type(fault).__name__}: {fault}); expected a finished run with a val split. "
            f"`asl run --resume {as_word(run)}` finishes one that was cut off."
        ) from fault


def _answer(row: Mapping[str, str]) -> Answer | None:
    """Of one row; None where the clip was not scored."""
    if row["correct"] not in ("0", "1", ""):
        raise ValueError("clips with an answer of 0 or 1 were expected")
    glosses, decoded = from_cell(row["glosses"]), from_cell(row.get("decoded", ""))
    if not row["correct"]:
        return None
    edits, length = row.get("edits", ""), row.get("length", "")  # runs of 0.1 have no such columns
    return Answer(
        glosses, row["correct"] == "1", decoded or None, int(edits) if edits else None, int(length) if length else 0
    )


def compare(first: Sequence[Path], second: Sequence[Path], seeds: Sequence[int], samples: int = 10_000) -> Comparison:
    """The paired difference of two sets of runs, ``second`` minus ``first``.

    The interval is a percentile bootstrap that draws seeds and clips with replacement, both at once, and keeps the
    pairs: it holds for other seeds on other clips of this kind. Over seeds alone the clips are kept, which only asks
    whether the difference is more than the luck of the start. Seeds may have clips of their own, as where each holds
    out another fold: then the clips of each seed that is drawn are drawn by themselves.

    Raises:
        UsageError: a run cannot be read, or the two runs of a seed have other clips.
    """
    sides = [[answers_of(path) for path in side] for side in (first, second)]
    for one, other, *paths in zip(*sides, first, second, strict=True):
        if one.keys() != other.keys():
            raise UsageError(
                f"the runs were validated on different clips ({paths[0]}, {paths[1]}); nothing can be paired."
            )
    shares = [_per_seed(side, lambda a: float(a.correct)) for side in sides]
    ones = [np.ones(len(run)) for run in sides[0]]
    draws = bootstrap_ratios(_parts(sides[0], _gains(*shares), ones), samples)
    return Comparison(
        seeds=tuple(seeds),
        first=_ratios(shares[0], ones),
        second=_ratios(shares[1], ones),
        difference=float(np.mean(_ratios(_gains(*shares), ones))),
        interval=percentiles(draws[0]),
        seed_interval=percentiles(draws[1]),
        measure=measure_of(run for side in sides for run in side).title,
        wer=wer_comparison(sides[0], sides[1], samples),
    )


def measure_of(runs: Iterable[Mapping[str, Answer]]) -> Metric:
    """By what runs are compared: top-1 of signs, or whole sentences where any clip is one and was read."""
    answers = [answer for run in runs for answer in run.values()]
    sentences = any(" " in a.glosses for a in answers) and any(a.decoded is not None for a in answers)
    return SENTENCES if sentences else TOP1


def wer_comparison(
    first: Sequence[Mapping[str, Answer]], second: Sequence[Mapping[str, Answer]], samples: int = 10_000
) -> WerComparison | None:
    """Word error rates of two sides whose runs are paired; None where a run has no edits (isolated signs, 0.1)."""
    if any(answer.edits is None for side in (first, second) for run in side for answer in run.values()):
        return None
    lengths = _per_seed(first, lambda a: float(a.length))
    edits = [_per_seed(side, lambda a: float(a.edits or 0)) for side in (first, second)]
    gains = _gains(*edits)
    intervals = [percentiles(bootstrap_ratios(_parts(first, v, lengths), samples)[0]) for v in (*edits, gains)]
    return WerComparison(
        first=_ratios(edits[0], lengths),
        second=_ratios(edits[1], lengths),
        first_interval=intervals[0],
        second_interval=intervals[1],
        difference=float(np.mean(_ratios(gains, lengths))),
        interval=intervals[2],
    )


def _per_seed(side: Sequence[Mapping[str, Answer]], value: Callable[[Answer], float]) -> list[np.ndarray]:
    """(N,) values of each run's clips, in the order of their ids."""
    return [np.array([value(run[clip]) for clip in sorted(run)]) for run in side]


def _gains(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [b - a for a, b in zip(first, second, strict=True)]


def _ratios(values: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> tuple[float, ...]:
    return tuple(float(v.sum() / w.sum()) for v, w in zip(values, weights, strict=True))


def _parts(
    runs: Sequence[Mapping[str, Answer]], values: Sequence[np.ndarray], weights: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For :func:`bootstrap_ratios`: one part where all seeds have the same clips, else a part a seed."""
    if all(run.keys() == runs[0].keys() for run in runs):
        return [(np.stack(values), weights[0])]
    return [(v[None], w) for v, w in zip(values, weights, strict=True)]
