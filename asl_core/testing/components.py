"""What every component promises, whatever its slot: a summary, documented options, defaults that are allowed."""

from __future__ import annotations

from asl_core.config.run_config import TABLES
from asl_core.config.sources import LIST_SLOTS
from asl_core.errors import nearest
from asl_core.registry.component import Component
from asl_core.registry.former import former_options
from asl_core.registry.option_values import parse_text, structure, unstructure
from asl_core.registry.options import option_specs
from asl_core.testing.checks import Bench, Checks, SkippedCheck, hold, require

__all__ = ["COMPONENT_CHECKS", "check_component", "options_of"]

_CHOICES = ("dataset", "encoder", "head", "heads", "loss", *LIST_SLOTS)


def check_component(component: Component) -> None:
    """Its options are documented, its defaults pass their own checks, what it suggests exists, its factory loads."""
    hold(COMPONENT_CHECKS, Bench(component))


def options_of(component: Component, **values: object) -> object:
    """The component's options with these values and defaults for the rest."""
    return component.options(**values)


def _loads(bench: Bench) -> None:
    require(callable(bench.component.load()), f"the factory {bench.component.factory!r} is not callable")


def _documented(bench: Bench) -> str:
    name, specs = bench.component.name, option_specs(bench.component.options)
    require(bench.component.summary.strip(), f"component {name!r} has no summary: it stands in asl ls")
    require("\n" not in bench.component.summary, f"the summary of {name!r} has several lines; asl ls shows one")
    dumb = [s.key for s in specs if not s.help.strip()]
    require(not dumb, f"option {', '.join(dumb)} of {name!r} has no help: users read it in asl show")
    return f"{len(specs)} options"


def _defaults(bench: Bench) -> None:
    """The defaults are of the declared types and in range, and TOML holds them: every run writes them so."""
    if bench.missing:
        raise SkippedCheck(f"it has to be told {', '.join(s.key for s in bench.missing)}")
    options = bench.options
    again, problems = structure(bench.component.options, unstructure(options))
    faults = "; ".join(f"{p.key}: {p.text}" for p in problems)
    require(not problems, f"the defaults do not pass their own checks ({faults})")
    require(again == options, f"the options {options} come back from TOML as {again}: keep them plain values")
    for spec in option_specs(bench.component.options):
        if isinstance(spec.default, int | float | str):
            parse_text(str(spec.default), spec.type)


def _suggests(bench: Bench) -> None:
    """A suggestion under a mistyped key would be left out of every run without a word."""
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
