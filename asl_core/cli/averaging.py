"""``--tta`` and ``--ensemble``: flags of the verbs that apply a trained model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from asl_core.cli.run_argument import RUN
from asl_core.registry.option_values import parse_text

__all__ = ["ensemble_flag", "tta_flag"]

_Command = TypeVar("_Command", bound=Callable[..., None])


def _names(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """As ``asl run`` reads the option ``train.tta``; None where the flag was not given: the run's own setting holds."""
    return None if text is None else parse_text(text, tuple[str, ...])


def tta_flag(command: _Command) -> _Command:
    """Add ``--tta`` to a command, as its argument ``tta``."""
    return click.option(
        "--tta",
        metavar="NAMES",
        callback=_names,
        help="average over these views of each clip (mirror, slower, faster), or none  [default: the run's setting]",
    )(command)


def ensemble_flag(command: _Command) -> _Command:
    """Add ``--ensemble`` to a command, as its argument ``ensemble``."""
    return click.option(
        "--ensemble",
        metavar="RUN",
        multiple=True,
        type=RUN,
        help="average the probabilities with those of this run; may be given several times",
    )(command)
