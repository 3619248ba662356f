"""``--average-views`` and ``--with``, on the verbs that ask a trained model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from asl_core.cli.run_argument import RUN
from asl_core.registry.options import parse_text

__all__ = ["average_views_flag", "together_flag"]

_Command = TypeVar("_Command", bound=Callable[..., None])


def _names(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """As ``asl run`` reads the option of this name; None where nothing was said, and the run's own setting holds."""
    return None if text is None else parse_text(text, tuple[str, ...])


def average_views_flag(command: _Command) -> _Command:
    """A command that takes it, as ``average_views``."""
    return click.option(
        "--average-views",
        metavar="NAMES",
        callback=_names,
        help="average over these views of each clip (mirror, slower, faster), or none  [default: the run's setting]",
    )(command)


def together_flag(command: _Command) -> _Command:
    """A command that takes it, as ``together_with``."""
    return click.option(
        "--with",
        "together_with",
        metavar="RUN",
        multiple=True,
        type=RUN,
        help="ask this run too and average the probabilities; may be given several times",
    )(command)
