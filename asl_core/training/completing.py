"""Existing runs: resumed, extended to more epochs, or found finished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from asl_core.compute.torchrun import wanted
from asl_core.config.given import registry_of
from asl_core.config.resuming import is_extended, resumed_config
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import Layer
from asl_core.errors import ConfigError, UsageError, as_word
from asl_core.files.rundir import RunDir
from asl_core.registry.component import Registry
from asl_core.training.events import AnyObserver
from asl_core.training.extending import extended
from asl_core.training.run import RunResult, execute

__all__ = ["complete_run", "resume_run"]


def resume_run(path: Path, observers: Sequence[AnyObserver], changes: Layer, registry: Registry | None) -> RunResult:
    """Go on with a run; more epochs make a new run that starts from it.

    Args:
        path: the run directory.
        observers: get the run's events from here on.
        changes: settings that may differ from the run's.
        registry: components (default: those of the installed plugins).

    Raises:
        UsageError: there is no run at ``path``, or another process is writing it.
    """
    run_dir = RunDir.open(path)
    config, before = resumed_config(run_dir.config, changes, registry)
    if is_extended(config, before):
        if wanted() > 1:
            raise UsageError(
                f"more epochs make a new run, which one process begins: give `asl run --resume {as_word(path)}` with "
                f"them without torchrun, and go on with that run in several."
            )
        out = Path(config.run.out) if "run.out" in changes else run_dir.path.parent
        name = config.run.name if "run.name" in changes else None
        config = attrs.evolve(config, run=attrs.evolve(config.run, out=str(out)))
        run_dir = extended(run_dir, config, out, name)
    return execute(config, observers, run_dir, registry)


def complete_run(config: RunConfig, observers: Sequence[AnyObserver], registry: Registry | None) -> Path:
    """The finished run named by ``run.out`` and ``run.name``: found finished, resumed, or trained.

    Raises:
        UsageError, RunError: as those that begin and resume runs.
    """
    if config.run.name is None:
        raise ConfigError(["run.name is not set: a run can only be found again by its name"])
    path = Path(config.run.out) / config.run.name
    if not (path / "summary.json").is_file():
        RunDir.clear_if_unbegun(path)  # a kill between making the folder and its first file leaves it empty
        if (path / "config.toml").is_file():
            resume_run(path, observers, {}, registry_of(config, registry))
        else:
            execute(config, observers, None, registry)
    return path
