"""``asl plugins``: the installed plugins; ``check`` checks one, ``new`` creates one."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asl_core.cli.examination import location
from asl_core.cli.tables import table_lines
from asl_core.cli.wrapping import say
from asl_core.errors import UsageError, as_word
from asl_core.registry.component import BUILTIN
from asl_core.registry.discovery import PluginRecord, discover
from asl_core.scaffold.slots import STARTS
from asl_core.text import one_line

if TYPE_CHECKING:
    from asl_core.testing import CheckResult

__all__ = ["plugins"]


@click.group("plugins", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="as JSON")
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List plugins: origin, components, and why one is not used."""
    if ctx.invoked_subcommand is not None:
        return
    report = discover(environ=_lenient())
    if as_json:
        import attrs

        click.echo(json.dumps([attrs.asdict(r) | {"location": location(r)} for r in report.records], indent=2))
        return
    columns = ["plugin", "distribution", "version", "from", "import", "status", "components"]
    for line in table_lines(columns, [_row(r) for r in report.records]):
        say(line)
    for record in report.records:
        if record.status == "blocked":
            say(one_line(f"{record.heading} is blocked: {record.reason}"))
    for warning in report.warnings():
        say(one_line(f"warning: {warning}"))
    for note in report.notes():
        say(one_line(f"note: {note}"))


def _row(record: PluginRecord) -> list[str]:
    components = ", ".join(f"{slot} {name}" for slot, name in record.components)
    where = "built in" if record.distribution == BUILTIN else location(record) or "?"
    return [
        record.name, record.distribution, record.version, where, f"{1000 * record.seconds:.0f} ms", record.status,
        components,
    ]  # fmt: skip


def _lenient() -> dict[str, str]:
    """The environment without strict mode, since this verb shows what is broken."""
    return {k: v for k, v in os.environ.items() if k != "ASL_STRICT_PLUGINS"}


@plugins.command("check")
@click.argument("plugin", metavar="PACKAGE_OR_PATH")
@click.option("--set", "settings", multiple=True, metavar="SLOT.NAME.KEY=VALUE", help="an option of a component")
@click.option("--sample", "samples", multiple=True, metavar="NAME=FILE", help="a file for a data set or loader to read")
@click.option("--width", type=click.IntRange(min=1), metavar="N", help="features per frame of the clips [default: 36]")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
@click.pass_context
def check(
    ctx: click.Context,
    plugin: str,
    settings: tuple[str, ...],
    samples: tuple[str, ...],
    width: int | None,
    as_json: bool,
) -> None:
    """Check that a plugin meets the contracts of its components.

    PACKAGE_OR_PATH is an installed package or plugin, or a folder with a pyproject.toml, installed or not. The exit
    code is 1 if a check failed. A check that could not be made is listed with what it needs.
    """
    from asl_core.testing.isolated import locate
    from asl_core.testing.plugin import plugin_results

    located = locate(plugin)
    options = _pairs("--set", settings, "encoder.my-encoder.hidden-size=64")
    files = _pairs("--sample", samples, "my-dataset=clip.npy")
    for name, file in files.items():
        if not Path(file).is_file():
            raise UsageError(f"--sample {name}={file}: no such file.")
    out = sys.stdout
    results: list[CheckResult] = []
    with contextlib.redirect_stdout(sys.stderr):  # keep the plugin's own printing off the output
        for result in plugin_results(located, options, files, *(() if width is None else (width,))):
            results.append(result)
            if not as_json:
                say(one_line(_line(result)), file=out)
    counts = {s: sum(r.status == s for r in results) for s in ("passed", "failed", "skipped")}
    if as_json:
        import attrs

        answer = {"plugin": located.name, **counts, "results": [attrs.asdict(r) for r in results]}
        click.echo(json.dumps(answer, indent=2))
    else:
        say(one_line(f"{located.name}: " + ", ".join(f"{n} {status}" for status, n in counts.items())))
    if counts["failed"]:
        ctx.exit(1)


def _line(result: CheckResult) -> str:
    subject, context = f"{result.slot} {result.component}", ""
    if result.contract:
        context = f" Contract: {result.contract} Tried on: {result.tried_on}."
    return f"{result.status:<8} {subject:<28} {result.check:<18} {result.reason}{context}".rstrip()


def _pairs(flag: str, words: tuple[str, ...], example: str) -> dict[str, str]:
    values = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise UsageError(f"{flag} {word}: expected {flag} {example}.")
        values[key] = value
    return values


@plugins.command("new")
@click.argument("name")
@click.option(
    "--slot", type=click.Choice(list(STARTS)), default="encoder", show_default=True, metavar="SLOT",
    help=f"what it offers: {', '.join(STARTS)}; a batch-transform is part of the model",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=".", help="folder for it")
def new(name: str, slot: str, out: Path) -> None:
    """Create a plugin package, which installs, works and passes its tests as written.

    NAME is the name of the package and of its component, such as my-encoder.
    """
    from asl_core.scaffold import names_for, write_plugin

    names = names_for(name, STARTS[slot].slot, discover(environ=_lenient()).registry)
    folder = write_plugin(names, slot, out)
    start = STARTS[slot]
    where = as_word(str(folder))
    say(one_line(f"{folder} has {start.article} {start.words} {names.name!r}: {start.summary}. Next:"))
    say("")
    # pip would take a bare relative path for a package of an index.
    local = where if folder.is_absolute() else as_word(f"./{folder.as_posix()}")
    for command in (
        f"pip install -e {local}",
        f"pytest {where}",
        f"asl plugins check {where}",
        start.example.format(name=names.name),
    ):
        say(one_line(f"  {command}"))
