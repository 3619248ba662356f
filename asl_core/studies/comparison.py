"""Does it help? Two configurations over several seeds, paired by seed and clip."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from asl_core.errors import UsageError, as_word
from asl_core.text import from_cell

__all__ = ["Answer", "Comparison", "answers_of", "compare", "right_answers"]


_HEADING = 4096  #: characters of the first line of predictions-val.csv


@attrs.frozen
class Comparison:
    """Top-1 of two sides over the same seeds and clips; shares, not percent."""

    seeds: tuple[int, ...]
    first: tuple[float, ...]  #: top-1 of each seed
    second: tuple[float, ...]
    difference: float  #: mean of second - first
    interval: tuple[float, float]  #: 95 %, over seeds and clips both
    seed_interval: tuple[float, float]  #: 95 %, over seeds alone, for these clips


@attrs.frozen
class Answer:
    """What a run's last weights said of one clip."""

    glosses: str  #: the true ones
    correct: bool
    decoded: str | None = None  #: what was read, where the run reads sentences


def _rows(file: Path) -> dict[str, tuple[str, str, str]]:
    """Clip id -> the columns ``correct``, ``glosses`` and ``decoded``; the others of a row are not kept."""
    with file.open(encoding="utf-8", newline="") as text:
        if len(next(text, "")) > _HEADING:
            raise ValueError("its heading is longer than that of any run")
        text.seek(0)
        reader = csv.reader(text)
        heading = next(reader, [])
        places = [heading.index(name) for name in ("clip", "correct", "glosses")]
        decoded = heading.index("decoded") if "decoded" in heading else None
        found = {}
        for row in reader:
            if len(row) != len(heading):
                raise ValueError(f"its line {reader.line_num} has {len(row)} columns, and its heading {len(heading)}")
            clip, correct, glosses = (row[place] for place in places)
            found[from_cell(clip)] = correct, from_cell(glosses), "" if decoded is None else from_cell(row[decoded])
    return found


def right_answers(run: Path) -> dict[str, bool]:
    """Clip id -> whether the last weights named its gloss, from ``predictions-val.csv``; unscored clips are left out.

    Raises:
        UsageError: the run has no such file; it was cut off, or has no val split.
    """
    return {clip: answer.correct for clip, answer in answers_of(run).items()}


def answers_of(run: Path) -> dict[str, Answer]:
    """Clip id -> what the last weights said, from ``predictions-val.csv``.

    Raises:
        UsageError: as :func:`right_answers`.
    """
    file = run / "predictions-val.csv"
    try:
        if file.exists() and not file.is_file():
            raise OSError("it is no file")
        found = _rows(file)
        if not found or not {correct for correct, _, _ in found.values()} <= {"0", "1", ""}:
            raise ValueError("clips with an answer of 0 or 1 were expected")
        if not any(correct for correct, _, _ in found.values()):
            raise ValueError("none of its clips has a gloss, so none was scored")
        return {
            clip: Answer(glosses, correct == "1", decoded or None)
            for clip, (correct, glosses, decoded) in found.items()
            if correct
        }
    except (OSError, KeyError, ValueError, csv.Error) as fault:
        raise UsageError(
            f"{file} cannot be read ({type(fault).__name__}: {fault}); expected a finished run with a val split. "
            f"`asl run --resume {as_word(run)}` finishes one that was cut off."
        ) from fault


def compare(first: Sequence[Path], second: Sequence[Path], seeds: Sequence[int], samples: int = 10_000) -> Comparison:
    """The paired difference of two sets of runs, ``second`` minus ``first``.

    The interval is a percentile bootstrap that draws seeds and clips with replacement, both at once, and keeps the
    pairs: it says what to expect of another seed on other clips of this kind. Over seeds alone the same clips are
    kept, which is the smaller question whether the difference is more than the luck of the start.

    Seeds may have clips of their own, as where each holds out another fold: then the clips of each seed that is drawn
    are drawn by themselves.

    Raises:
        UsageError: a run cannot be read, or the two runs of a seed have other clips.
    """
    answers = [[right_answers(path) for path in side] for side in (first, second)]
    for one, other, *paths in zip(*answers, first, second, strict=True):
        if sorted(one) != sorted(other):
            raise UsageError(
                f"the runs were validated on different clips ({paths[0]}, {paths[1]}); nothing can be paired."
            )
    a, b = ([np.array([run[c] for c in sorted(run)], dtype=float) for run in side] for side in answers)
    gains = [y - x for x, y in zip(a, b, strict=True)]
    shared = all(sorted(run) == sorted(answers[0][0]) for run in answers[0])
    draws = _of_shared_clips(np.stack(gains), samples) if shared else _of_own_clips(gains, samples)
    return Comparison(
        seeds=tuple(seeds),
        first=tuple(float(run.mean()) for run in a),
        second=tuple(float(run.mean()) for run in b),
        difference=float(np.mean([gain.mean() for gain in gains])),
        interval=_percentiles(draws[0]),
        seed_interval=_percentiles(draws[1]),
    )


def _of_shared_clips(gain: np.ndarray, samples: int) -> np.ndarray:
    """(2, samples) mean gain over seeds and clips, and over seeds alone, of ``gain`` (seeds, clips)."""
    rng = np.random.default_rng(0)
    draws = np.empty((2, samples))
    for n in range(samples):
        chosen = gain[rng.integers(0, len(gain), len(gain))].mean(0)
        draws[:, n] = chosen[rng.integers(0, len(chosen), len(chosen))].mean(), chosen.mean()
    return draws


def _of_own_clips(gains: Sequence[np.ndarray], samples: int) -> np.ndarray:
    """The same where each seed has its own clips."""
    rng = np.random.default_rng(0)
    draws = np.empty((2, samples))
    for n in range(samples):
        chosen = [gains[i] for i in rng.integers(0, len(gains), len(gains))]
        again = [gain[rng.integers(0, len(gain), len(gain))].mean() for gain in chosen]
        draws[:, n] = np.mean(again), np.mean([gain.mean() for gain in chosen])
    return draws


def _percentiles(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
