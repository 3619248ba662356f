"""What data sets promise of clips: named, finite, of one width, the same at every reading."""

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
from asl_core.testing.checks import Bench, Checks, ContractError, SkippedCheck, hold, require
from asl_core.testing.components import COMPONENT_CHECKS

__all__ = ["DATASET_CHECKS", "DatasetBench", "check_dataset"]

_SPLITS = ("train", "val", "test")


def check_dataset(dataset: Dataset | Component, most: int = 50, *, sample: Path | None = None, **options: Any) -> None:
    """Every promise of a data set; see :data:`DATASET_CHECKS`.

    Args:
        dataset: made already, or a component that makes it from ``options``.
        most: clips of each split to look at.
        sample: a file that ``read`` takes, where it reads files.
        options: of a component, other than the defaults.

    Raises:
        ContractError: the first promise that is broken.
    """
    if isinstance(dataset, Component):
        bench = DatasetBench(dataset, options, most=most, sample=sample)
        hold(COMPONENT_CHECKS, bench)
    else:
        made = Component(name="made", factory="none:none", summary="a data set that is there already")
        bench = DatasetBench(made, most=most, sample=sample, made=dataset)
    hold(DATASET_CHECKS, bench)


@attrs.define(slots=False)
class DatasetBench(Bench):
    """A data set, built as ``factory(options)`` unless it is there already."""

    most: int = attrs.field(default=50, kw_only=True)
    sample: Path | None = attrs.field(default=None, kw_only=True)
    made: Dataset | None = attrs.field(default=None, kw_only=True)

    def dataset(self) -> Dataset:
        """A fresh one, or the one there is."""
        return self.made if self.made is not None else self.make()

    def some(self, split: str) -> list[Clip]:
        """The first clips of a split."""
        return list(itertools.islice(self.dataset().clips(split), self.most))


def _reads(bench: DatasetBench) -> str:
    splits = list(bench.dataset().splits())
    require("train" in splits, f"splits() gives {splits}: there is nothing to train on")
    strange = [s for s in splits if s not in _SPLITS]
    require(not strange, f"splits() gives {', '.join(strange)}; expected some of {', '.join(_SPLITS)}")
    return ", ".join(splits)


def _clips(bench: DatasetBench) -> str:
    told = []
    for split in bench.dataset().splits():
        clips = bench.some(split)
        require(clips, f"split {split} has no clip; leave it out of splits()")
        width = clips[0].features.shape[-1]
        for clip in clips:
            where = f"clip {clip.id!r} of {split}"
            shape = clip.features.shape
            require(len(shape) == 2 and min(shape) > 0, f"{where} is {shape}; expected (frames, numbers a frame)")
            require(clip.features.dtype == np.float32, f"{where} is {clip.features.dtype}; expected float32")
            require(shape[1] == width, f"{where} has {shape[1]} numbers a frame, and the clips before it {width}")
            require(np.isfinite(clip.features).all(), f"{where} holds NaN or infinite numbers; refuse or repair it")
            words = isinstance(clip.glosses, tuple) and all(isinstance(g, str) and g for g in clip.glosses)
            require(words, f"{where} has glosses {clip.glosses!r}; expected a tuple of words")
        ids = [c.id for c in clips]
        require(len(set(ids)) == len(ids), f"ids of {split} are not unique")
        told.append(f"{split} {len(clips)}{'+' * (len(clips) == bench.most)}")
    return ", ".join(told) + f" clips of {width} numbers a frame"


def _same_again(bench: DatasetBench) -> None:
    for split in bench.dataset().splits():
        for clip, again in zip(bench.some(split), bench.some(split), strict=True):
            same = clip.id == again.id and clip.glosses == again.glosses
            same = same and np.array_equal(clip.features, again.features)
            require(same, f"clip {clip.id!r} of {split} differs when read again: a run could not be repeated")


def _findings(bench: DatasetBench) -> str:
    dataset = bench.dataset()
    for _ in itertools.islice(dataset.clips("train"), bench.most):
        pass
    found = list(dataset.findings())
    require(all(isinstance(f, Finding) for f in found), "findings() gives something else than Finding")
    levels = {f.level for f in found} - {"error", "warning", "note"}
    require(not levels, f"findings have level {', '.join(levels)}; expected error, warning or note")
    return f"{len(found)} of its own"


def _refuses(bench: DatasetBench) -> None:
    """What is not there is refused in words."""
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
        found = f"ends in {type(fault).__name__}: {fault}"
        raise ContractError(f"{what} {found}; expected a DataError that says what to do") from fault
    raise ContractError(f"{what} is not refused; expected a DataError that says what to do")


def _sample(bench: DatasetBench) -> str:
    if bench.sample is None:
        raise SkippedCheck(f"`read` needs a file: give one with --sample {bench.component.name}=FILE")
    clips = list(bench.dataset().read(bench.sample))
    require(clips, f"read({bench.sample.name}) gives no clip")
    train = bench.some("train")[0].features.shape[1]
    wrong = [c.id for c in clips if c.features.ndim != 2 or c.features.shape[1] != train]
    require(not wrong, f"read({bench.sample.name}) gives clips of other width than train ({', '.join(wrong[:5])})")
    return f"{len(clips)} clips"


DATASET_CHECKS: Checks[DatasetBench] = {
    "reads": _reads,
    "clips": _clips,
    "same again": _same_again,
    "findings": _findings,
    "refuses": _refuses,
    "read": _sample,
}
