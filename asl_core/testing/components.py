"""The contract of every component, whatever its slot: a summary, documented options, defaults that are valid."""

from __future__ import annotations

from asl_core.config.sources import LIST_SLOTS
from asl_core.config.tables import TABLES
from asl_core.errors import nearest
from asl_core.registry.component import Component
from asl_core.registry.option_values import parse_text, structure, unstructure
from asl_core.registry.options import former_options, option_specs
from asl_core.testing.checks import AnyBench, Bench, Checks, SkippedCheck, hold, require

__all__ = ["COMPONENT_CHECKS", "check_component", "hold_all", "options_of"]

_CHOICES = ("dataset", "encoder", "head", "heads", "loss", *LIST_SLOTS)


def check_component(component: Component) -> None:
    """Check the summary, options, defaults and suggestions of a component, and that its factory loads.

    Raises:
        ContractError: of the first check that fails.
    """
    hold(COMPONENT_CHECKS, Bench(component))


def hold_all(checks: Checks[AnyBench], bench: AnyBench) -> None:
    """The checks of every component, then those of its slot."""
    hold(COMPONENT_CHECKS, bench)
    hold(checks, bench)


def options_of(component: Component, **values: object) -> object:
    """The component's options with these values and defaults for the rest."""
    return component.options(**values)


def _loads(bench: Bench) -> None:
    """The factory "module:callable" can be imported and called."""
    require(callable(bench.component.load()), f"the factory {bench.component.factory!r} is not callable")


def _documented(bench: Bench) -> str:
    """A component has a summary of one line, and every option has a help text."""
    name, specs = bench.component.name, option_specs(bench.component.options)
    require(bench.component.summary.strip(), f"component {name!r} has no summary, which asl ls shows: write one line")
    require("\n" not in bench.component.summary, f"the summary of {name!r} has several lines; asl ls shows one")
    undocumented = [s.key for s in specs if not s.help.strip()]
    require(
        not undocumented,
        f"option {', '.join(undocumented)} of {name!r} has no help, which asl show prints: give option(..., help=...)",
    )
    return f"{len(specs)} options"


def _defaults(bench: Bench) -> None:
    """The defaults have the declared types, are in range, and survive TOML, in which every run saves them."""
    if bench.missing:
        raise SkippedCheck(f"it requires values for {', '.join(s.key for s in bench.missing)}")
    options = bench.options
    again, problems = structure(bench.component.options, unstructure(options))
    faults = "; ".join(f"{p.key}: {p.text}" for p in problems)
    require(not problems, f"the defaults do not pass their own checks ({faults}): change the default or the check")
    require(again == options, f"the options {options} come back from TOML as {again}: keep them plain values")
    for spec in option_specs(bench.component.options):
        if isinstance(spec.default, int | float | str):
            parse_text(str(spec.default), spec.type)


def _suggests(bench: Bench) -> None:
    """The settings it suggests exist and have valid values.

    A suggestion under a mistyped key would be left out of every run without a word.
    """
    for key, value in bench.component.suggests.items():
        table, _, rest = key.partition(".")
        if table not in TABLES:
            require(table in _CHOICES, f"it suggests {key}, which is no setting{nearest(table, [*TABLES, *_CHOICES])}")
            continue
        specs = {s.key: s for s in option_specs(TABLES[table])}
        rest = former_options(TABLES[table]).get(rest, rest)
        require(rest in specs, f"it suggests {key}, which is no setting{nearest(rest, specs)}")
        _, problems = structure(TABLES[table], {rest: value})
        require(not problems, f"it suggests {key} = {value!r}: {'; '.join(p.text for p in problems)}")


COMPONENT_CHECKS: Checks[Bench] = {
    "loads": _loads,
    "documented": _documented,
    "defaults": _defaults,
    "suggests": _suggests,
}
