"""``asl check``: settings, without training on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asl_core.cli.paths import check_data_paths, check_settings_file
from asl_core.cli.showing import findings_are_printed
from asl_core.cli.wrapping import say
from asl_core.config.configure import configure
from asl_core.errors import ConfigError, as_word
from asl_core.files.toml_file import read_toml
from asl_core.registry.discovery import discover
from asl_core.text import one_line, printable

if TYPE_CHECKING:
    from asl_core.config.run_config import RunConfig
    from asl_core.registry.component import Registry

__all__ = ["check"]


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--resolved", is_flag=True, help="print the whole configuration, each value with its origin")
@click.option("--data", "with_data", is_flag=True, help="also read all clips, audit them and check their labels")
def check(file: Path, resolved: bool, with_data: bool) -> None:
    """Check a TOML file of settings, of a run or a curriculum: lists everything that `asl run FILE` would refuse.

    asl.toml in the working directory and the environment (ASL_RUN__…) count, as for `asl run`. The clips are read only
    with --data.
    """
    check_settings_file(file, "check")
    registry = discover().registry
    configs, after = _configs(file, registry)
    problems: list[str] = []
    from asl_core.training.checking import check_data, check_parts

    for name, config in configs.items():
        try:
            check_data_paths(config)
            # A begun stage is continued, and the weights it starts from may not exist yet.
            check_parts(config, registry, own_init=name not in after, own_name=not name)
        except ConfigError as fault:
            problems += [f"stage {name!r}: {p}" if name else p for p in fault.problems]
    if problems:
        raise ConfigError(problems)
    for name, config in configs.items():
        if resolved:
            click.echo(printable((f"# stage {name}\n" if name else "") + config.to_toml()))
            continue
        for note in config.notes:
            say(one_line(f"note: {f'stage {name}: ' if name else ''}{note}"))
    if with_data:
        from asl_core.cli.console import audit_lines

        for name, config in configs.items():
            with findings_are_printed():
                audit = check_data(config, own_init=name not in after)
            for line in audit_lines(audit):
                say(one_line(f"{name}: {line}" if name else line), err=resolved)
    if not resolved:
        what = f"{file} is sound" + (f" ({len(configs)} stages)" if "" not in configs else "")
        say(one_line(f"{what}; `asl run {as_word(file)}` would run it."))


def _configs(file: Path, registry: Registry) -> tuple[dict[str, RunConfig], set[str]]:
    """The configuration under the empty name, or those of all stages; and the stages that start from another."""
    if "stage" not in read_toml(file).values:
        return {"": configure(file=file, registry=registry)}, set()
    from asl_core.studies.curriculum import load_curriculum

    stages = load_curriculum(file, None, registry, os.environ).stages
    return {stage.name: stage.config for stage in stages}, {stage.name for stage in stages if stage.after}
