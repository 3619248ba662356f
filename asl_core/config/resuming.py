"""Settings that may change at a resume: where the data are, the device, and the number of epochs.

The clips are checked by their fingerprint, so they may be in another folder. All other settings determine the result,
and a resumed run ends like an uninterrupted one. More epochs make a new run, see :mod:`asl_core.training.extending`.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.config.configure import configure
from asl_core.config.former import current_names
from asl_core.config.origins import Kind, Origin
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import Layer, Setting, shown
from asl_core.errors import ConfigError, UsageError, as_word
from asl_core.registry.component import Registry
from asl_core.registry.options import OptionSpec, option_specs

__all__ = ["free_keys", "is_extended", "resumed_config"]

_FREE = ("run.device", "run.threads", "train.epochs")
_OF_THE_NEW_RUN = ("run.name", "run.out", "train.patience")  #: allowed where more epochs make a new run


def free_keys(config: RunConfig) -> tuple[str, ...]:
    """The settings that do not determine the result of a run."""
    return ("run.out", "run.device", "run.threads", *(f"dataset.{spec.key}" for spec in _places(config)))


def _places(config: RunConfig) -> list[OptionSpec]:
    """Text options of the data set: its folders and names of files."""
    options: Any = type(config.dataset.options)
    return [s for s in option_specs(options) if not s.rule.choices and _is_text(s.type)]


def _is_text(kind: Any) -> bool:
    parts = typing.get_args(kind) or (kind,)
    return all(part in (str, type(None), Ellipsis) or (typing.get_args(part) and _is_text(part)) for part in parts)


def is_extended(config: RunConfig, before: RunConfig) -> bool:
    """Whether the number of epochs differs, which makes a new run."""
    return config.train.epochs != before.train.epochs


def resumed_config(
    file: Path,
    changes: Layer,
    registry: Registry | None = None,
    environ: Mapping[str, str] | None = None,
    others: tuple[str, ...] = (),
) -> tuple[RunConfig, RunConfig]:
    """The configuration to continue with, and the saved one.

    A variable such as ``ASL_DATA`` counts only where the saved folder no longer exists.

    Args:
        file: the run's ``config.toml``.
        changes: settings given at the resume.
        registry: components (default: those of the installed plugins).
        environ: environment (default: the process's).
        others: other arguments that a resume does not accept, for messages.

    Raises:
        UsageError: a setting cannot be changed; names all such.
        ConfigError: a value is wrong.
    """
    before = configure(file=file, environ={}, project_file=False, registry=registry)
    (changes,), problems = current_names([changes], before.option_classes())
    if problems:
        raise ConfigError(problems)
    _refuse(file, before, changes, others, longer="train.epochs" in changes)
    flags = {**_moved_data(before, changes, os.environ if environ is None else environ), **changes}
    config = configure(file=file, flags=flags, environ={}, project_file=False, registry=registry)
    _refuse(file, before, changes, others, longer=is_extended(config, before))
    notes = [
        f"{shown(key)} is {config.values().get(key)} ({flags[key].origin}), and was {before.values().get(key)}"
        for key in config.changed(before.values())
        if key in flags
    ]
    return attrs.evolve(config, notes=(*config.notes, *notes)), before


def _refuse(file: Path, before: RunConfig, changes: Layer, others: tuple[str, ...], *, longer: bool) -> None:
    free = {*free_keys(before), *_FREE, *(_OF_THE_NEW_RUN if longer else ())} - (set() if longer else {"run.out"})
    given = [*others]
    for key, setting in changes.items():
        if key not in free:
            given.append(setting.origin.text if setting.origin.kind is Kind.FLAG else shown(key))
    if given:
        places = ", ".join(f"--dataset.{spec.key}" for spec in _places(before))
        raise UsageError(
            f"--resume continues with the settings of the run, and {', '.join(given)} would change them; leave that "
            f"out, or start a new run with `asl run {as_word(file)}` and the changes. What may change: "
            f"{f'where the data are ({places}), ' if places else ''}--device, --threads, and --epochs, which makes a "
            f"new run that starts from this one (with --name, --out and --patience, if given)."
        )


def _moved_data(before: RunConfig, changes: Layer, environ: Mapping[str, str]) -> dict[str, Setting]:
    settings = {}
    for spec in _places(before):
        name, key = spec.rule.env, f"dataset.{spec.key}"
        if name and environ.get(name) and key not in changes:
            path = getattr(before.dataset.options, spec.name)
            if not (isinstance(path, str) and os.path.exists(path)):  # noqa: PTH110 - never raises
                settings[key] = Setting(environ[name], Origin(Kind.ENVIRONMENT, name), text=True)
    return settings
