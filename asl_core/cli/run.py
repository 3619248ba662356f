"""``asl run``: train, or continue a run."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asl_core.cli.completion import recipe_names
from asl_core.cli.flags import ConfiguredCommand, flags_of, refuse_unknown
from asl_core.cli.paths import check_data_paths, check_run, check_settings_file
from asl_core.cli.run_argument import RUN
from asl_core.cli.showing import Display, display, findings_are_printed
from asl_core.cli.wrapping import say
from asl_core.config.configure import configure
from asl_core.config.resuming import resumed_config
from asl_core.errors import UsageError, as_word
from asl_core.files.toml_file import read_toml
from asl_core.registry.recipes import find_recipe
from asl_core.text import one_line

if TYPE_CHECKING:
    from asl_core.config.run_config import RunConfig
    from asl_core.config.sources import Layer
    from asl_core.training.events import EpochReport

__all__ = ["run"]


@click.command(cls=ConfiguredCommand)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--recipe",
    metavar="NAME",
    shell_complete=recipe_names,
    help="settings that work well together, shipped with a plugin; asl ls recipe lists them",
)
@click.option("--resume", type=RUN, metavar="RUN", help="continue an interrupted run")
@click.option("--quiet", is_flag=True, help="print only the result")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line, for programs")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="any setting by its dotted key")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    file: Path | None,
    recipe: str | None,
    resume: Path | None,
    quiet: bool,
    as_json: bool,
    settings: tuple[str, ...],
    **values: Any,
) -> None:
    """Train a recogniser.

    \b
    asl run                                      train on synthetic signs
    asl run --dataset wlasl --dataset.root DIR   train on feature files
    asl run --encoder lstm --epochs 30           choose an encoder, set epochs
    asl run --resume runs/NAME                   continue an interrupted run

    FILE is a TOML file of settings, such as the config.toml of an earlier run, or a curriculum ([[stage]] tables, run
    in order); a flag beats the file. The options of a component are shown once it is chosen: --encoder lstm --help.
    The settings below Components also work with their table, as --train.epochs, and in files, as epochs under [train].
    """  # noqa: D301 - click takes \\b for a paragraph that is not wrapped
    flags = flags_of(ctx, values, settings)
    if recipe is not None:
        if file is not None:
            raise UsageError(f"--recipe {recipe} is a file of settings, and so is {file}: give one of them.")
        file = find_recipe(recipe).path
    if resume is not None:
        check_run(resume, "run --resume")
        if (resume / "config.toml").is_file():  # before torch is imported
            others = (str(file),) if file is not None else ()
            resumed_config(resume / "config.toml", flags, ctx.meta["asl.registry"], others=others)
    elif file is not None:
        check_settings_file(file)
    config = _configured(ctx, file, flags) if resume is None else None  # before torch is imported
    with display(quiet=quiet, as_json=as_json) as on:
        _train(ctx, on, file, resume, flags, config, quiet=quiet, as_json=as_json)


def _train(
    ctx: click.Context,
    on: Display,
    file: Path | None,
    resume: Path | None,
    flags: Layer,
    config: RunConfig | None,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    from asl_core import api
    from asl_core.cli.console import ConsoleObserver, JsonObserver, QuietObserver, print_stages
    from asl_core.compute.distributed import EchoError
    from asl_core.compute.signals import stoppable
    from asl_core.compute.torchrun import wanted
    from asl_core.studies import curriculum

    if wanted() > 1:
        if file is not None and curriculum.is_curriculum(file):
            raise UsageError(
                f"{file} holds a curriculum, whose stages are run by one process; leave out torchrun, or run each "
                f"stage in several processes as a run of its own with --init run:RUN."
            )
        if os.environ.get("RANK", "0") != "0":
            logging.disable(logging.WARNING)  # the first process says it
    kind = JsonObserver if as_json else QuietObserver if quiet else ConsoleObserver
    registry = ctx.meta["asl.registry"]
    watcher = _Watcher()
    try:
        with stoppable(), findings_are_printed():
            if resume is not None:
                api.resume(resume, [watcher, kind(on)], flags=flags, registry=registry)
            elif file is not None and curriculum.is_curriculum(file):
                stages = curriculum.load_curriculum(file, flags, registry, os.environ)
                results = curriculum.run_curriculum(stages, lambda _: [watcher, kind(on)])
                if not as_json:
                    print_stages(results)
            else:
                assert config is not None  # noqa: S101 - made above
                api.run(config, [watcher, kind(on)], registry=registry)
    except EchoError as fault:
        raise click.exceptions.Exit(fault.exit_code) from fault
    except KeyboardInterrupt:
        if watcher.path is not None:
            say(
                one_line(
                    f"finished epochs ({watcher.done}) are kept, the interrupted one is repeated; `asl run --resume "
                    f"{as_word(watcher.path)}` continues, and ends with the same bits."
                ),
                err=True,
            )
        raise


def _configured(ctx: click.Context, file: Path | None, flags: Layer) -> RunConfig | None:
    """The configuration of a run; None of a curriculum, whose stages are read one by one.

    Raises:
        ConfigError: with every fault of it.
    """
    registry = ctx.meta["asl.registry"]
    if file is not None and "stage" in read_toml(file).values:
        refuse_unknown(ctx, flags)
        return None
    config = configure(file=file, flags=flags, registry=registry)
    check_data_paths(config)
    return config


class _Watcher:
    """Remembers the run directory, for the message at an interrupt."""

    path: str | None = None
    done = 0

    def on_start(self, config: RunConfig, summary: Mapping[str, Any]) -> None:
        self.path, self.done = summary["run"], summary["done"]

    def on_epoch(self, report: EpochReport) -> None:
        self.done = report.epoch

    def on_end(self, summary: Mapping[str, Any]) -> None:
        self.path = None
