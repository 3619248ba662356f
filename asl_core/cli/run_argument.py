"""A run on the command line: its path, or its name in the folder of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from asl_core.cli.completion import run_names
from asl_core.config.runs import known_run

__all__ = ["RUN"]


class _Run(click.ParamType[Path]):
    """A path to a run or one of its files; a bare name means ``runs/NAME``. The verb checks whether it is one."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The run of this name, else the path as given."""
        return known_run(Path(value)) or Path(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names of runs, or a path."""
        return run_names(incomplete)


RUN = _Run()
