"""Comparison of two finished runs on the same val clips, paired by clip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.config.sources import Layer, toml_layer
from asl_core.errors import UsageError, as_word
from asl_core.evaluation.intervals import wilson_interval
from asl_core.files.bounded import read_json
from asl_core.studies.comparison import Answer, WerComparison, answers_of, measure_of, wer_comparison

__all__ = ["RunComparison", "compare_runs"]


@attrs.frozen
class RunComparison:
    """Two runs on the same clips; shares, not percent."""

    clips: int
    measure: str  #: ``top-1``, or ``whole sentences``
    first: float
    second: float
    difference: float  #: second - first
    interval: tuple[float, float]  #: 95 %, over clips: for other clips of this kind, with these two runs
    only_first: int  #: clips that only the first run had right
    only_second: int
    p_value: float  #: of the exact sign test on these clips, two-sided
    warnings: tuple[str, ...] = ()
    wer: WerComparison | None = None  #: of sentences


def compare_runs(first: Path, second: Path) -> RunComparison:
    """The difference of two finished runs, ``second`` minus ``first``, of their last weights on val.

    The interval is the paired score interval of R. G. Newcombe ("Improved confidence intervals for the difference
    between binomial proportions based on paired data", Statistics in Medicine 17, 1998, method 10). It does not cover
    other seeds: ``asl compare A.toml B.toml`` compares several runs of each.

    Raises:
        UsageError: one is not finished, both are the same run, or their val clips differ.
    """
    for run in (first, second):
        _refuse_unfinished(run)
    if first.resolve() == second.resolve():
        raise UsageError(f"{first} and {second} are the same run; name two.")
    configs = [toml_layer(run / "config.toml") for run in (first, second)]
    one, other = answers_of(first), answers_of(second)
    _refuse_other_clips(first, second, one, other)
    _refuse_other_frames(first, second, configs)
    clips = len(one)
    right = [sum(a.correct for a in answers.values()) for answers in (one, other)]
    only_first = sum(one[c].correct and not other[c].correct for c in one)
    only_second = sum(other[c].correct and not one[c].correct for c in one)
    return RunComparison(
        clips=clips,
        measure=measure_of((one, other)).title,
        first=right[0] / clips,
        second=right[1] / clips,
        difference=(only_second - only_first) / clips,
        interval=paired_interval(right[0] - only_first, only_first, only_second, clips),
        only_first=only_first,
        only_second=only_second,
        p_value=sign_test(only_first, only_second),
        warnings=tuple(w for run, c in zip((first, second), configs, strict=True) for w in _warnings(run, c)),
        wer=wer_comparison([one], [other]),
    )


def paired_interval(both: int, only_first: int, only_second: int, clips: int) -> tuple[float, float]:
    """95 % interval of the difference of two shares of the same clips, second minus first."""
    neither = clips - both - only_first - only_second
    first, second = both + only_first, both + only_second
    low1, high1 = wilson_interval(first, clips)
    low2, high2 = wilson_interval(second, clips)
    p1, p2 = first / clips, second / clips
    # The correlation of the answers, with a continuity correction.
    product = both * neither - only_first * only_second
    corrected = max(product - clips / 2, 0) if product > 0 else product
    spread = math.sqrt(first * second * (clips - first) * (clips - second))
    correlation = corrected / spread if spread else 0.0

    def reach(of_second: float, of_first: float) -> float:
        return math.sqrt(max(0.0, of_second**2 - 2 * correlation * of_second * of_first + of_first**2))

    difference = p2 - p1
    return difference - reach(p2 - low2, high1 - p1), difference + reach(high2 - p2, p1 - low1)


def sign_test(one: int, other: int) -> float:
    """Two-sided p-value of ``one`` against ``other`` under equal chances (exact McNemar test)."""
    n = one + other
    if not n:
        return 1.0
    # In integers: 2**n overflows a float where thousands of clips differ.
    tail = sum(math.comb(n, k) for k in range(min(one, other) + 1))
    return min(1.0, float(2 * tail / 2**n))


def _refuse_unfinished(run: Path) -> None:
    if (run / "curriculum.json").is_file():
        raise UsageError(f"{run} holds the runs of a curriculum; name one of its stages, such as {run / 'STAGE'}.")
    if not (run / "config.toml").is_file():
        raise UsageError(f"{run} is no run directory (it has no config.toml); expected one of `asl run`.")
    if not (run / "summary.json").is_file():
        raise UsageError(f"{run} is not finished; `asl run --resume {as_word(run)}` finishes it.")


def _refuse_other_clips(first: Path, second: Path, one: Mapping[str, Answer], other: Mapping[str, Answer]) -> None:
    if one.keys() != other.keys():
        sides = [(first, sorted(one.keys() - other.keys())), (second, sorted(other.keys() - one.keys()))]
        named = "; ".join(f"{len(ids)} only in {run} (such as {ids[0]!r})" for run, ids in sides if ids)
        raise UsageError(
            f"{first} was validated on {len(one)} clips and {second} on {len(other)}, and they are not the same: "
            f"{named}. Compare runs on the same data and the same --split.fold."
        )
    wrong = [c for c in one if one[c].glosses != other[c].glosses]
    if wrong:
        c = wrong[0]
        raise UsageError(
            f"{len(wrong)} val clips have other glosses in {second} than in {first} (clip {c!r}: "
            f"{one[c].glosses!r} and {other[c].glosses!r}): the data differ, and nothing can be paired."
        )


def _refuse_other_frames(first: Path, second: Path, configs: list[Layer]) -> None:
    """Refuse equal ids and glosses with other features, where both runs read and transformed them in the same way."""
    described = [
        {k: s.value for k, s in config.items() if k.startswith("transform.") or k == "dataset.name"}
        for config in configs
    ]
    prints, widths = [], []
    for run in (first, second):
        kept: Any = read_json(run / "environment.json", "Put the file back, or train the run again.").get("data")
        audit: Any = read_json(run / "audit.json", "Put the file back, or train the run again.").get("splits")
        prints.append(kept.get("val") if isinstance(kept, dict) else None)
        val = audit.get("val") if isinstance(audit, dict) else None
        widths.append(val.get("width") if isinstance(val, dict) else None)
    if described[0] == described[1] and widths[0] == widths[1] and prints[0] != prints[1]:
        raise UsageError(
            f"the val clips of {first} and {second} have the same ids and other features (their fingerprints differ): "
            f"the data set's files changed between the runs. Train one of them again."
        )


def _warnings(run: Path, config: Layer) -> list[str]:
    """Choices made by val, which flatter the figures on val."""
    warnings = []
    patience = config["train.patience"].value if "train.patience" in config else 0
    if patience:
        warnings.append(f"{run} stopped by its figures on val (train.patience {patience}), which flatters them there")
    start = config["init.path"].value if "init.path" in config else None
    if isinstance(start, str) and start.endswith("best.safetensors"):
        warnings.append(f"{run} started from {start}, an epoch that val chose, which flatters its figures there")
    return warnings
