"""What a run would refuse: ``asl check``, with or without reading the clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from asl_core.checkpoints.external import read_checkpoint
from asl_core.compute.device import choose_device
from asl_core.compute.host import drawing, undisturbed
from asl_core.config.run_config import RunConfig
from asl_core.config.tables import InitOptions
from asl_core.contracts import Dataset
from asl_core.data.audit import Audit
from asl_core.data.pipeline import Pipeline
from asl_core.errors import AslError, ConfigError
from asl_core.evaluation.tta import find_views
from asl_core.files.rundir import RunDir
from asl_core.model.objectives import build_objectives
from asl_core.registry.component import Registry
from asl_core.training.prepare import prepare

__all__ = ["check_data", "check_parts"]


def check_parts(config: RunConfig, registry: Registry, *, own_init: bool = True, own_name: bool = True) -> None:
    """Make every part of a run that needs no clips, and check what it would read and write.

    Args:
        config: checked as to its names, types and ranges.
        registry: holds the checkpoint loaders.
        own_init: whether the file that ``init`` names must exist (not the weights of an earlier stage).
        own_name: whether the run's folder must not exist.

    Raises:
        ConfigError: with every fault found.
    """
    problems: list[str] = []

    def attempt(part: Callable[[], object]) -> None:
        try:
            part()
        except ConfigError as fault:
            problems.extend(fault.problems)
        except AslError as fault:
            problems.append(str(fault))

    with undisturbed():
        attempt(lambda: choose_device(config.run.device))
        attempt(lambda: _splits(config))
        attempt(lambda: Pipeline.of(config))
        attempt(lambda: [choice.build() for choice in config.augments])
        attempt(lambda: [choice.component.load() for choice in (config.encoder, *config.observers)])
        attempt(lambda: [head.choice.component.load() for head in config.heads.values()])
        attempt(lambda: build_objectives(config))
        attempt(lambda: find_views(config))
        if config.init.path is not None and own_init:
            path = config.init.path
            attempt(lambda: read_checkpoint(path, registry, [config.run.out]))
        if config.run.name is not None and own_name:
            place = RunDir(Path(config.run.out) / config.run.name)
            if place.config.exists():
                problems.append(str(place.taken()))
    if problems:
        raise ConfigError(dict.fromkeys(problems))


def _splits(config: RunConfig) -> None:
    dataset: Dataset = config.dataset.build()
    if "train" not in (splits := dataset.splits()):
        raise ConfigError(
            [
                f"{config.origin('dataset.name')}: data set {config.dataset.name} has no train split here (it has "
                f"{', '.join(splits) or 'none'}); name its files"
            ]
        )


def check_data(config: RunConfig, *, own_init: bool = True) -> Audit:
    """Read the clips too, and check all that a run checks before it trains; nothing is written.

    Args:
        config: of the run.
        own_init: whether the weights that ``init`` names are there already.

    Returns:
        The audit, which found no error.

    Raises:
        UsageError: as a run would.
    """
    if not own_init:
        config = attrs.evolve(config, init=InitOptions())
    with drawing("a check"):
        return prepare(config).trainer.data.audit
