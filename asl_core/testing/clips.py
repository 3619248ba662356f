"""Checks of data sets: clips with unique ids, finite, of one width, and the same each time they are read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from asl_core.clips.clip import Clip, Finding
from asl_core.contracts import Dataset
from asl_core.errors import DataError
from asl_core.registry.component import Component
from asl_core.testing.checks import Checks, ContractError, hold, require
from asl_core.testing.components import hold_all
from asl_core.testing.other_files import FileBench

__all__ = ["DATASET_CHECKS", "DatasetBench", "check_dataset"]

_SPLITS = ("train", "val", "test")


def check_dataset(dataset: Dataset | Component, most: int = 50, *, sample: Path | None = None, **options: Any) -> None:
    """Check a data set against its contract.

    Args:
        dataset: an instance, or a component that makes one from ``options``.
        most: clips of each split to check.
        sample: a file that ``read`` takes, where it reads files.
        options: of a component, other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    if isinstance(dataset, Component):
        hold_all(DATASET_CHECKS, DatasetBench(dataset, options, most=most, sample=sample))
    else:
        component = Component(name=type(dataset).__name__, factory="none:none", summary="an instance")
        hold(DATASET_CHECKS, DatasetBench(component, most=most, sample=sample, made=dataset))


@attrs.define(slots=False)
class DatasetBench(FileBench):
    """A data set, built as ``factory(options)`` unless it is an instance."""

    most: int = attrs.field(default=50, kw_only=True)
    made: Dataset | None = attrs.field(default=None, kw_only=True)

    def dataset(self) -> Dataset:
        """The instance, or a new one."""
        return self.made if self.made is not None else self.make()

    def some(self, split: str) -> list[Clip]:
        """The first clips of a split."""
        return list(itertools.islice(self.dataset().clips(split), self.most))


def _reads(bench: DatasetBench) -> str:
    """``splits`` gives train and, where the data set has them, val and test."""
    splits = list(bench.dataset().splits())
    require("train" in splits, f"splits() gives {splits}: there is nothing to train on; expected train among them")
    unknown = [s for s in splits if s not in _SPLITS]
    require(not unknown, f"splits() gives {', '.join(unknown)}; expected some of {', '.join(_SPLITS)}")
    return ", ".join(splits)


def _clips(bench: DatasetBench) -> str:
    """``clips`` gives clips with unique ids, a tuple of glosses, and finite float32 features of one width."""
    counts = []
    for split in bench.dataset().splits():
        clips = bench.some(split)
        require(clips, f"split {split} has no clip; leave it out of splits()")
        width = clips[0].features.shape[-1]
        for clip in clips:
            where = f"clip {clip.id!r} of {split}"
            shape = clip.features.shape
            require(len(shape) == 2 and min(shape) > 0, f"{where} is {shape}; expected (frames, features per frame)")
            require(clip.features.dtype == np.float32, f"{where} is {clip.features.dtype}; expected float32")
            require(shape[1] == width, f"{where} has {shape[1]} features per frame, and the clips before it {width}")
            require(np.isfinite(clip.features).all(), f"{where} has NaN or infinite numbers; refuse or repair it")
            words = isinstance(clip.glosses, tuple) and all(isinstance(g, str) and g for g in clip.glosses)
            require(words, f"{where} has glosses {clip.glosses!r}; expected a tuple of texts")
        ids = [c.id for c in clips]
        require(len(set(ids)) == len(ids), f"ids of {split} are not unique")
        counts.append(f"{split} {len(clips)}{'+' * (len(clips) == bench.most)}")
    return ", ".join(counts) + f" clips of {width} features per frame"


def _same_again(bench: DatasetBench) -> None:
    """``clips`` gives the same clips in the same order each time, so that a run can be repeated."""
    for split in bench.dataset().splits():
        for clip, again in zip(bench.some(split), bench.some(split), strict=True):
            same = clip.id == again.id and clip.glosses == again.glosses
            same = same and np.array_equal(clip.features, again.features)
            require(same, f"clip {clip.id!r} of {split} differs when read again: sort file names, and draw nothing")


def _findings(bench: DatasetBench) -> str:
    """``findings`` gives Finding(level, code, message) with level error, warning or note."""
    dataset = bench.dataset()
    for _ in itertools.islice(dataset.clips("train"), bench.most):
        pass
    findings = list(dataset.findings())
    others = [type(f).__name__ for f in findings if not isinstance(f, Finding)]
    require(not others, f"findings() gives a {', '.join(others)}; expected asl_core.Finding")
    levels = {f.level for f in findings} - {"error", "warning", "note"}
    require(not levels, f"findings have level {', '.join(levels)}; expected error, warning or note")
    return f"{len(findings)} of its own"


def _refuses(bench: DatasetBench) -> None:
    """A missing split or file raises a DataError that says what to do."""
    dataset = bench.dataset()
    missing = Path("no-such-folder") / "no-such-file.bin"
    _refused("a split that it does not have", lambda: list(dataset.clips("rehearsal")))
    _refused("a file that does not exist", lambda: list(dataset.read(missing)))


def _refused(what: str, ask: Callable[[], object]) -> None:
    try:
        ask()
    except DataError:
        return
    except Exception as fault:
        text = f"{what} raises {type(fault).__name__}: {fault}"
        raise ContractError(f"{text}; expected a DataError that says what to do") from fault
    raise ContractError(f"{what} is not refused; expected a DataError that says what to do")


def _sample(bench: DatasetBench) -> str:
    """``read`` gives the clips of a file, with the features per frame of train."""
    path = bench.path
    clips = list(bench.dataset().read(path))
    require(clips, f"read({path.name}) gives no clip")
    train = bench.some("train")[0].features.shape[1]
    wrong = [c.id for c in clips if c.features.ndim != 2 or c.features.shape[1] != train]
    require(not wrong, f"read({path.name}) gives clips of another width than train ({', '.join(wrong[:5])})")
    return f"{len(clips)} clips"


DATASET_CHECKS: Checks[DatasetBench] = {
    "reads": _reads,
    "clips": _clips,
    "same again": _same_again,
    "findings": _findings,
    "refuses": _refuses,
    "read": _sample,
}
