"""A run on the command line: its path, or its name in the folder of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from asl_core.runs import known_run

__all__ = ["RUN"]


class _Run(click.ParamType[Path]):
    """A path to a run or one of its files; a bare name means ``runs/NAME``. Whether it is one, the verb checks."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, as it is where there is no run of that name either."""
        return known_run(Path(value)) or Path(value)


RUN = _Run()
