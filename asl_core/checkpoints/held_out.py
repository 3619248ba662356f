"""Refuses runs, curricula and evaluations with evaluation clips that an earlier run was trained on.

Within one run the audit compares train with the other splits. Here the runs count whose weights a run starts from,
whether their losses used labels or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from asl_core.checkpoints.external import read_checkpoint
from asl_core.config.run_config import Choice, RunConfig
from asl_core.data.lineage import Identities, Overlap, TrainedOn
from asl_core.data.splits import identify
from asl_core.errors import DataError, as_word
from asl_core.files.paths import TRAINED_ON
from asl_core.registry.component import Registry
from asl_core.registry.option_values import unstructure
from asl_core.registry.options import option_specs

__all__ = ["Cache", "check_evaluated", "check_run", "check_stages"]

#: identities of clips by the settings of their data set, to check several curricula on the same files
Cache = dict[str, dict[str, Identities]]

_FEW = 30  #: most clips that a message names one by one


class _Stage(Protocol):
    """What these checks need of a stage of a curriculum."""

    @property
    def name(self) -> str: ...
    @property
    def config(self) -> RunConfig: ...
    @property
    def after(self) -> str | None: ...


def check_run(config: RunConfig, trained: TrainedOn, held: Mapping[str, Identities]) -> list[str]:
    """Refuse a run whose evaluation clips the runs before it were trained on.

    Args:
        config: of the run.
        trained: its own clips of train, and those of the runs before it.
        held: the clips of its other splits.

    Returns:
        Notes on what could not be checked, and on what ``init.ids`` allows.

    Raises:
        DataError: there are such clips.
    """
    notes = []
    for split, clips in held.items():
        for run, overlap in trained.overlaps(clips):
            if not overlap.copies and not overlap.same and config.init.ids == "any":
                notes.append(f"{len(overlap.names)} clips of {split} have ids of clips that {run} was trained on")
                continue
            raise DataError(
                f"{_described(overlap, split, clips)} are clips that the weights of {run} were trained on: {overlap}. "
                f"Figures on them say nothing of new clips. Start from other weights, name other clips"
                f"{_naming(config.dataset, '--')}{_leaving_out(overlap, clips, '--split.without ')}"
                f"{_by_name_alone(overlap)}."
            )
    if held:
        notes += [
            f"{run} does not say which clips it was trained on: whether clips of {' or '.join(held)} are among them "
            f"could not be checked"
            for run in trained.unknown
        ]
    return notes


def check_evaluated(config: RunConfig, run: Path, split: str, clips: Identities, *, elsewhere: bool) -> list[str]:
    """Refuse to evaluate a run on clips that it, or a run before it, was trained on.

    Args:
        config: of the run.
        run: its folder or one of its checkpoints.
        split: that is asked for; ``train`` is evaluated on purpose.
        clips: of the split.
        elsewhere: whether the clips may be others than the run's own.

    Returns:
        Notes on clips that are like some it was trained on, and on what could not be checked.

    Raises:
        DataError: there are such clips.
    """
    if split == "train":
        return []
    trained = TrainedOn.beside(run)
    if trained is None:
        text = f"{run} does not say which clips it was trained on: whether clips of {split} are among them"
        return [f"{text} could not be checked"] if elsewhere or config.init.path is not None else []
    with_own = Overlap.of(trained.clips, clips)
    earlier = list(trained.overlaps(clips, names=config.init.ids != "any"))
    for who, overlap in [(str(run), Overlap(with_own.same)), *earlier]:
        if overlap:
            raise DataError(
                f"{_described(overlap, split, clips)} are clips that {who} was trained on: {overlap}. Figures on them "
                f"say nothing of new clips. Name other clips with --root, or evaluate on train on purpose with "
                f"--split train."
            )
    alike = Overlap((), with_own.copies, with_own.names)
    notes = [f"{len(alike.ids)} clips of {split} are like clips that {run} was trained on: {alike}"] if alike else []
    unknown = [f"{who} does not say which clips it was trained on" for who in trained.unknown]
    return [*notes, *(f"{text}: whether clips of {split} are among them could not be checked" for text in unknown)]


def check_stages(stages: Sequence[_Stage], folder: Path, registry: Registry, cache: Cache | None = None) -> None:
    """Refuse a curriculum with a stage whose evaluation clips an earlier stage is trained on.

    Only stages that have not begun are read: the others have records of their clips, used to check their runs.

    Raises:
        DataError: naming the stages, the clips, and the setting that parts them.
    """
    cache = {} if cache is None else cache
    by_name = {stage.name: stage for stage in stages}
    for stage in stages:
        if (folder / stage.name / "config.toml").is_file():
            continue  # it was checked when it was begun
        chain = list(_before(stage, by_name))
        unread = [before for before in chain if not (folder / before.name / TRAINED_ON).is_file()]
        outside = _outside(chain[-1] if chain else stage, registry)
        if not unread and (chain or outside is None):
            continue  # the stages before it have records, which its run is checked with
        splits = _identified(stage, cache)
        train = splits["train"]
        held = {split: clips for split, clips in splits.items() if split != "train"}
        for before in unread if held else ():
            trained = _identified(before, cache)["train"]
            for split, clips in held.items():
                overlap = Overlap.of(trained, clips, train)
                if stage.config.init.ids == "any":
                    overlap = overlap.without_names()
                if overlap:
                    raise DataError(_of_stages(before, stage, split, clips, overlap))
        if outside is not None:
            check_run(stage.config, TrainedOn(train, outside.before), held)


def _before(stage: _Stage, by_name: Mapping[str, _Stage]) -> Iterator[_Stage]:
    """The stages that a stage's weights come from, the nearest first."""
    while stage.after is not None:
        stage = by_name[stage.after]
        yield stage


def _outside(first: _Stage, registry: Registry) -> TrainedOn | None:
    """The lineage of the weights that the first stage of a chain starts from."""
    path = first.config.init.path
    if path is None or first.after is not None:
        return None
    return TrainedOn.after({}, read_checkpoint(path, registry).path)


def _identified(stage: _Stage, cache: Cache) -> dict[str, Identities]:
    values = stage.config.values()
    parts = ("dataset.", "split.", "transform.")  # transforms decide which clips are bad
    key = json.dumps({k: v for k, v in values.items() if k.startswith(parts)}, sort_keys=True)
    if key not in cache:
        try:
            cache[key] = identify(stage.config)
        except DataError as fault:
            raise DataError(f"stage {stage.name!r}: {fault}") from fault
    return cache[key]


def _of_stages(before: _Stage, stage: _Stage, split: str, clips: Identities, overlap: Overlap) -> str:
    """The message about two stages, with the setting that parts their clips."""
    ours, theirs = unstructure(stage.config.dataset.options), unstructure(before.config.dataset.options)
    path_option = _place(before.config.dataset)
    same, both = before.config.dataset.component == stage.config.dataset.component, ""
    same = same and (theirs[path_option] == ours[path_option] if path_option else theirs == ours)
    if path_option and same:
        both = f" Both stages read {theirs[path_option]}."
    fold = stage.config.split.fold
    folded = f"the same fold, --set stage.{before.name}.split.fold={fold}, or " if fold and same else ""
    return (
        f"stage {before.name!r} would be trained on clips that stage {stage.name!r} is evaluated on: "
        f"{_described(overlap, split, clips)}, {overlap}. Figures on them would say nothing of new clips, whatever the "
        f"loss of {before.name!r}.{both} Give {before.name!r} {folded}other clips"
        f"{_naming(before.config.dataset, f'--set stage.{before.name}.')}"
        f"{_leaving_out(overlap, {}, f'--set stage.{before.name}.split.without=', trained=True)}"
        f"{_by_name_alone(overlap, f'--set stage.{stage.name}.init.ids=any')}."
    )


def _described(overlap: Overlap, split: str, clips: Identities) -> str:
    return f"{len(overlap.ids)} of {len(clips)} clips of {split}"


def _place(dataset: Choice) -> str | None:
    """The option with the path of a data set's files."""
    return next((spec.key for spec in option_specs(dataset.component.options) if spec.rule.path), None)


def _naming(dataset: Choice, stem: str) -> str:
    path_option = _place(dataset)
    if path_option is None:
        return f" (`asl show dataset {dataset.name}` lists the options)"
    return f": {stem}dataset.{path_option}{'=' if 'stage.' in stem else ' '}pool/ (the folder that holds them)"


def _leaving_out(overlap: Overlap, clips: Identities, flag: str, *, trained: bool = False) -> str:
    """The setting that leaves these clips out, where they are held out or ``trained`` on; empty for all clips."""
    if len(overlap.ids) == len(clips):
        return ""
    ids = [*overlap.same, *(b if trained else a for a, b in overlap.copies), *overlap.names]
    return f", or leave these out: {flag}{as_word(','.join(ids))}" if len(ids) <= _FEW else ""


def _by_name_alone(overlap: Overlap, flag: str = "--init.ids any") -> str:
    if not overlap.names:
        return ""
    return f". If clips with equal ids are different recordings, give {flag}"
