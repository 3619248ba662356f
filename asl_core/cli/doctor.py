"""``asl doctor``: the state of the installation, and a command for each problem."""

from __future__ import annotations

import json
import sys

import click

from asl_core.cli.examination import examine
from asl_core.cli.tables import table_lines
from asl_core.cli.wrapping import columns, say
from asl_core.text import one_line

__all__ = ["doctor"]


@click.command("doctor")
@click.option("--no-torch", is_flag=True, help="skip the devices, for which torch is imported")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def doctor(no_torch: bool, as_json: bool) -> None:
    """Show versions, devices, threads, plugins and folders, and what to type for each problem.

    Works however broken the installation is; the exit code is 0.
    """
    report = examine(torch=not no_torch)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
        return
    width = columns(sys.stdout)
    room = None if width is None else width - 2
    for part in report.parts:
        say(one_line(part.title))
        for line in table_lines(part.rows[0], part.rows[1:], room) if part.rows else ["none"]:
            say(one_line(f"  {line}"))
        say("")
    problems = report.problems
    say(one_line(f"{len(problems)} problem{'s' * (len(problems) != 1)}{':' if problems else ''}"))
    for problem in problems:
        say(one_line(f"  - {problem}"))
