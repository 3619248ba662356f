"""Values for shell completion by click; ``eval "$(_ASL_COMPLETE=bash_source asl)"`` turns it on.

Imports no torch. Where a list cannot be made, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from asl_core.config.runs import list_runs, out_folder
from asl_core.errors import AslError
from asl_core.registry.component import Registry
from asl_core.registry.options import OptionSpec
from asl_core.registry.recipes import recipes

__all__ = ["Completer", "component_names", "option_values", "recipe_names", "run_names", "starting"]

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The names that begin with the typed text."""
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def component_names(registry: Registry, slot: str, *, several: bool) -> Completer:
    """Names of components of a slot; with ``several``, of the last in a list."""

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        names = [registry.name_of(offer) for offer in registry.slot(slot)]
        if not several:
            return starting(names, incomplete)
        before, comma, _ = incomplete.rpartition(",")
        chosen = before.split(",")
        return starting([f"{before}{comma}{name}" for name in [*names, "none"] if name not in chosen], incomplete)

    return complete


def option_values(spec: OptionSpec) -> Completer | None:
    """Values of a component's option; None where any is allowed."""
    if spec.rule.path:
        return lambda _context, _parameter, incomplete: [CompletionItem(incomplete, type="file")]
    values = spec.rule.choices or (("true", "false") if spec.type is bool else ())
    return (lambda _context, _parameter, incomplete: starting(values, incomplete)) if values else None


def recipe_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of recipes."""
    return starting([recipe.name for recipe in recipes()], incomplete)


def run_names(incomplete: str) -> list[CompletionItem]:
    """Names of runs in the folder of runs; a path where none fits."""
    try:
        names = [run.name for run in list_runs(out_folder())]
    except AslError:  # no folder of runs, or a damaged asl.toml: `asl runs` reports it
        names = []
    return starting(names, incomplete) or [CompletionItem(incomplete, type="file")]
