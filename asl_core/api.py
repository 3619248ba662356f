"""The library: configure, run, load, evaluate. The command line is a thin layer over these functions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asl_core.compute.host import undisturbed
from asl_core.config.configure import configure
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import Layer, value_layer
from asl_core.data.audit import Audit
from asl_core.data.splits import load_audit
from asl_core.errors import ConfigError
from asl_core.evaluation.evaluating import evaluate_run
from asl_core.evaluation.loading import LoadedRun, load
from asl_core.registry.component import Registry
from asl_core.training.completing import complete_run, resume_run
from asl_core.training.events import EventObserver, Observer
from asl_core.training.run import RunResult, execute

__all__ = ["LoadedRun", "RunResult", "audit_data", "complete", "configure", "evaluate_run", "load", "resume", "run"]


def run(
    config: RunConfig | Mapping[str, Any] | None = None,
    observers: Sequence[Observer | EventObserver] = (),
    *,
    registry: Registry | None = None,
    **settings: Any,
) -> RunResult:
    """Train as configured in a new run directory.

        asl.run(dataset="wlasl", dataset__root="features/", encoder="gru", epochs=20)
        asl.run({"dataset": MyClips("folder"), "encoder": MyEncoder, "train": {"epochs": 20}}, [asl.ProgressBar()])

    Nothing is written before all checks have passed, and nothing is printed: warnings of the audit go to the log
    ``asl.audit`` (which prints them, unless logging is set up otherwise); observers such as
    :class:`asl_core.ProgressBar` show the rest.

    Args:
        config: of :func:`configure`, or settings as that function takes them.
        observers: get the run's events, beside those that the configuration names.
        registry: components (default: those of the installed plugins).
        settings: further settings, and other arguments of :func:`configure` (``recipe=``, ``file=``).

    Raises:
        UsageError: the configuration, the data or the run directory cannot be used.
        RunError: something failed while running.
    """
    return execute(_configured(config, registry, settings), observers, None, registry)


def _configured(
    config: RunConfig | Mapping[str, Any] | None, registry: Registry | None, settings: Mapping[str, Any]
) -> RunConfig:
    """The configuration, made from settings if need be."""
    if not isinstance(config, RunConfig):
        if config is not None and not isinstance(config, Mapping):
            raise ConfigError(
                [
                    f"script: the settings are a {type(config).__name__}; expected a mapping such as "
                    f'{{"encoder": "gru"}}, a configuration of asl.configure, or keyword arguments (file=, recipe= '
                    f"name a file of settings)"
                ]
            )
        return configure(config, registry=registry, **settings)
    if settings:
        raise ConfigError(
            [
                f"script: {', '.join(settings)} beside a configuration that is checked already: give all settings to "
                f"asl.configure, or leave it out and give them here"
            ]
        )
    return config


def resume(
    path: str | os.PathLike[str],
    observers: Sequence[Observer | EventObserver] = (),
    *,
    values: Mapping[str, Any] | None = None,
    flags: Layer | None = None,
    registry: Registry | None = None,
) -> RunResult:
    """Go on with an interrupted run; it ends with the same bits as an uninterrupted one.

    The place of the data, the device and the threads may change. More ``train.epochs`` make a new run that starts where
    this one stopped (and takes ``run.name``, ``run.out`` and ``train.patience``); this one is not changed.

    Args:
        path: the run directory.
        observers: get the run's events from here on.
        values: settings that may change: ``{"dataset.root": "elsewhere", "run.device": "cuda"}``.
        flags: the same as a layer from the command line.
        registry: components (default: those of the installed plugins).

    Raises:
        UsageError: there is no run at ``path``, or another process is writing it.
    """
    return resume_run(Path(path), observers, {**(flags or {}), **value_layer(values or {}, "script")}, registry)


def complete(
    config: RunConfig | Mapping[str, Any] | None = None,
    observers: Sequence[Observer | EventObserver] = (),
    *,
    registry: Registry | None = None,
    **settings: Any,
) -> Path:
    """The finished run named by ``run.out`` and ``run.name``: found finished, resumed, or trained.

    Whether an existing run has these settings is not checked.

    Raises:
        UsageError, RunError: as :func:`run` and :func:`resume`.
    """
    config = _configured(config, registry, settings)
    return complete_run(config, observers, registry)


@undisturbed()
def audit_data(
    config: RunConfig | Mapping[str, Any] | None = None, *, registry: Registry | None = None, **settings: Any
) -> Audit:
    """The audit that a run with this configuration, or these settings, would make of its data."""
    return load_audit(_configured(config, registry, settings))[1]
