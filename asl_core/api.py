"""The library: configure, run, load, evaluate. The command line is a thin layer over these functions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from asl_core.component import Registry
from asl_core.config import RunConfig
from asl_core.configuring import configure
from asl_core.contracts import Observer
from asl_core.errors import ConfigError
from asl_core.execution import RunResult, execute
from asl_core.loading import LoadedRun, audit_data, evaluate_run, load
from asl_core.rundir import RunDir

__all__ = ["LoadedRun", "RunResult", "audit_data", "complete", "configure", "evaluate_run", "load", "resume", "run"]


def run(config: RunConfig, observers: Sequence[Observer] = (), *, registry: Registry | None = None) -> RunResult:
    """Train as configured in a new run directory.

    Nothing is written before the data, the model and the labels have been checked.

    Args:
        config: of :func:`configure`.
        observers: told of the run's events, beside those that the configuration names.
        registry: holds the checkpoint loaders (default: those of the installed plugins).

    Raises:
        UsageError: the configuration, the data or the run directory cannot be used.
        RunError: something failed while running.
    """
    return execute(config, observers, None, registry)


def resume(
    path: str | os.PathLike[str], observers: Sequence[Observer] = (), *, registry: Registry | None = None
) -> RunResult:
    """Go on with a run that was cut off; it ends with the same bits as one left alone.

    Args:
        path: the run directory.
        observers: told of the run's events from here on.
        registry: components (default: those of the installed plugins).

    Raises:
        UsageError: there is no run at ``path``, or another process is writing it.
    """
    run_dir = RunDir.open(Path(path))
    config = configure(file=run_dir.config, environ={}, project_file=False, registry=registry)
    return execute(config, observers, run_dir, registry)


def complete(config: RunConfig, observers: Sequence[Observer] = (), *, registry: Registry | None = None) -> Path:
    """The finished run named by ``run.out`` and ``run.name``: found done, resumed where it was cut off, or made.

    Whether a run that is there was made with these settings is the caller's to know.

    Raises:
        UsageError, RunError: as :func:`run` and :func:`resume`.
    """
    if config.run.name is None:
        raise ConfigError(["run.name is not set: a run can only be found again by its name"])
    path = Path(config.run.out) / config.run.name
    if not (path / "summary.json").is_file():
        RunDir.clear_if_unbegun(path)  # a kill between making the folder and its first file leaves it empty
        if (path / "config.toml").is_file():
            resume(path, observers, registry=registry)
        else:
            run(config, observers, registry=registry)
    return path
