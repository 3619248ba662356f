"""The command line: one file per verb, each a thin layer over a library call.

Verbs are imported when called, so that ``asl --help`` is quick and works however broken an installed plugin is.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import gc
import os
import re
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType

import click

import asl_core
from asl_core.cli.former import VERBS as FORMER_VERBS
from asl_core.cli.former import renamed
from asl_core.cli.plugin_flag import plugins_chosen, take_plugin_flags
from asl_core.cli.screen import lasting_screen
from asl_core.cli.verbs import OF_BUILTIN_PLUGINS, VERBS, command_of
from asl_core.cli.wrapping import say
from asl_core.errors import AslError
from asl_core.registry.installed import ALLOW, BUILTIN, COMMANDS, Installed, Wanted, installed, unknown_names
from asl_core.text import printable

__all__ = ["VERBS", "cli", "main"]


class _Verbs(click.Group):
    """Our verbs, and those of plugins from their metadata, without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, *_of_plugins()]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in VERBS:
            return command_of(name)
        command = _of_plugins().get(name)
        if command is None:
            return None  # :meth:`resolve_command` reports it
        try:
            loaded = command.entry.load()
        except Exception as fault:
            raise AslError(
                f"verb {name!r} of {command.distribution} cannot be loaded ({type(fault).__name__}: {fault}). Fix or "
                f"uninstall that package; the other verbs work."
            ) from fault
        if not isinstance(loaded, click.Command):
            value = command.entry.value
            raise AslError(f"verb {name!r} is a {type(loaded).__name__}; expected a click.Command at {value!r}.")
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with former names replaced; an unknown verb is answered with the nearest one."""
        args = renamed(args, quiet=ctx.resilient_parsing)
        if args and not ctx.resilient_parsing and args[0] not in VERBS and args[0] not in _of_plugins():
            from asl_core.cli.usage import verb_hint

            raise click.UsageError(verb_hint(args[0], self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, VERBS[name][1]) for name in VERBS]
        rows += [(name, _summary(one)) for name, one in _of_plugins().items()]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)


def _is_verb_alone(word: str) -> bool:
    """Whether a word is a verb and not a page of the manual."""
    from asl_core.cli.help import topics

    return word in VERBS and word not in topics()


def _of_plugins() -> dict[str, Installed]:
    """Verbs of the plugins in use; two of one name are called ``distribution:name``."""
    wanted = Wanted.parse(os.environ.get(ALLOW))
    commands = [one for one in installed(COMMANDS)[0] if wanted.takes(one.distribution, one.entry.name)]
    names = [*VERBS, *FORMER_VERBS, *(one.entry.name for one in commands)]
    plain = {n for n in names if names.count(n) == 1}
    return {n if (n := one.entry.name) in plain else f"{one.distribution}:{n}": one for one in commands}


def _summary(command: Installed) -> str:
    """One line on a plugin's verb, known without importing it."""
    if command.distribution == BUILTIN and command.entry.name in OF_BUILTIN_PLUGINS:
        return OF_BUILTIN_PLUGINS[command.entry.name]
    return f"(from {command.distribution})"


_HELP = """Train recognisers of signs from landmark features.

\b
asl run                           train on synthetic signs, to try it
asl audit features/               check your own feature files
asl run --dataset wlasl --dataset.root features/
asl run --encoder lstm --help     all settings of the chosen components
asl doctor                        versions, devices, plugins, problems

With any verb: --debug shows the traceback of an error, -P no:NAME leaves a plugin out, -P NAME uses no other
third-party plugin. `asl help` lists the pages of the manual.
"""


@click.command(
    cls=_Verbs,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(asl_core.__version__, prog_name="asl")
def cli() -> None:
    """The group of all verbs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 terminated."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in args or os.environ.get("ASL_DEBUG", "") not in ("", "0")
    args = [a for a in args if a != "--debug"]
    if args[:1] == ["help"] and args[1:2] and _is_verb_alone(args[1]):  # `asl help run` is `asl run --help`
        args = [args[1], "--help"]
    if debug:
        sys.excepthook = _show_traceback
    trains = args[:1] == ["run"]
    if sys.__stderr__ is not None and not faulthandler.is_enabled():
        with contextlib.suppress(OSError, ValueError):  # standard error is not a file
            faulthandler.enable(sys.__stderr__)  # prints where a library crashed (SIGSEGV, SIGBUS)

    def lost(fault: OSError) -> None:
        if trains:
            reason = "was closed" if fault.errno == errno.EPIPE else f"cannot be written ({fault.strerror})"
            _say(f"the output {reason}; training continues, and the run directory keeps its figures")

    with lasting_screen(lost) as screen:
        code = _run(args, debug)
        if sys.stdout is not None:
            sys.stdout.flush()
        if screen.lost is not None and not screen.closed and not trains and not code:
            _say(
                f"error: the output cannot be written ({screen.lost.strerror}), and part of it is lost. Make room, or "
                f"redirect it elsewhere, and repeat the command."
            )
            code = 1
    if arguments is None:  # the process ends: collecting garbage first would take a second
        gc.freeze()
    sys.exit(code)


def _run(args: Sequence[str], debug: bool) -> int:
    """The exit code of a command, whatever it raises."""
    try:
        args, words = take_plugin_flags(args)
        with plugins_chosen(words):
            for fault in unknown_names(os.environ.get(ALLOW)):
                _say(f"warning: {fault}")
            result = cli.main(args or ["--help"], prog_name="asl", standalone_mode=False)
            code = result if isinstance(result, int) else 0  # a plugin's verb may return anything
    except (KeyboardInterrupt, click.Abort) as stop:
        # By name: its module is not imported for --help. Click replaces either by its Abort.
        terminated = "Terminated" in (type(stop).__name__, type(stop.__cause__).__name__)
        _say("terminated (SIGTERM)." if terminated else "interrupted.")
        code = 143 if terminated else 130
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as fault:
        from asl_core.cli.usage import usage_text

        _say(f"error: {usage_text(fault)}")
        code = fault.exit_code
    except AslError as fault:
        if debug:
            raise
        _say(f"error: {fault}")
        code = fault.exit_code
    except Exception as fault:
        if debug:
            raise
        if (
            isinstance(fault, MemoryError)
            or "OutOfMemory" in type(fault).__name__
            or "DefaultCPUAllocator" in str(fault)
        ):
            _say("error: memory ran out. Try a smaller model or batch, or a machine with more.")
            return 1
        _say(f"error: {type(fault).__name__}: {fault}. This is a fault of asl or of a plugin; --debug shows where.")
        code = 1
    return code


def _show_traceback(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    """As Python does, with the text made printable, since it may come from a file."""
    sys.stderr.write(printable("".join(traceback.format_exception(kind, fault, trace))))


def _say(text: str) -> None:
    """Print on standard error; of processes that are not connected yet only one per machine."""
    torch = sys.modules.get("torch.distributed")
    connected = torch is not None and torch.is_available() and torch.is_initialized()
    if not connected and os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("LOCAL_RANK", "0") != "0":
        return
    # Further lines are indented, so that text from a file cannot pass for a message.
    say(re.sub(r"\n(?=\S)", "\n  ", printable(text)), err=True)
