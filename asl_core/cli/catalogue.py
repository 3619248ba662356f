"""``asl ls`` and ``asl show``: components, recipes and their options, without importing factories."""

from __future__ import annotations

import json
from typing import Any

import click
from click.shell_completion import CompletionItem

from asl_core.cli.completion import starting
from asl_core.cli.recipe import show_recipe
from asl_core.cli.tables import table_lines
from asl_core.cli.wrapping import say
from asl_core.config.hints import plain_word
from asl_core.errors import UsageError, nearest
from asl_core.registry.component import SLOTS
from asl_core.registry.discovery import discover
from asl_core.registry.options import OptionSpec, option_specs
from asl_core.registry.recipes import Recipe, find_recipe, recipes
from asl_core.text import one_line

__all__ = ["ls", "show"]


KINDS = (*SLOTS, "recipe")
_OTHER_WORDS = {
    "data": "dataset", "data-set": "dataset", "loader": "checkpoint-loader", "checkpoint": "checkpoint-loader",
    "augmentation": "augment", "model": "encoder", "decoder": "head", "criterion": "loss", "callback": "observer",
    "losse": "loss", "preprocessing": "transform",
}  # fmt: skip


class _Kind(click.ParamType[str]):
    """A slot, or ``recipe``; an unknown word is answered with the nearest one."""

    name = "slot"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in KINDS:
            return str(value)
        word = plain_word(str(value)).replace(" ", "-").removesuffix("s")
        word = _OTHER_WORDS.get(word, word)
        if word in KINDS:
            raise UsageError(f"there is no slot {value!r}; did you mean {word!r}?")
        named = [o.slot for o in discover().registry if o.component.name == value]
        if named:
            raise UsageError(
                f"{value!r} is the name of {' and of '.join(named)}: `asl show {named[0]} {value}` shows it."
            )
        if any(r.name == value for r in recipes()):
            raise UsageError(f"{value!r} is the name of a recipe: `asl show recipe {value}` shows it.")
        raise UsageError(f"there is no slot {value!r}{nearest(str(value), KINDS)}")

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The slots."""
        return starting(KINDS, incomplete)


def _names(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the slot in the argument before, for completion."""
    report, slot = discover(), str(ctx.params.get("slot"))
    names = [r.name for r in recipes(report)] if slot == "recipe" else []
    names += [report.registry.name_of(o) for o in report.registry.slot(slot)] if slot in SLOTS else []
    return starting(names, incomplete)


@click.command("ls")
@click.argument("slot", required=False, type=_Kind(), metavar="[SLOT]")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def ls(slot: str | None, as_json: bool) -> None:
    """List the components, of one SLOT or all, and the recipes.

    SLOT is dataset, format, transform, augment, encoder, head, loss, checkpoint-loader, observer, or recipe.
    """
    report = discover()
    if slot == "recipe":
        _list_recipes(recipes(report), as_json)
        return
    offers = report.registry.slot(slot) if slot else tuple(report.registry)
    if as_json:
        rows = [
            {
                "slot": o.slot,
                "name": report.registry.name_of(o),
                "from": o.distribution,
                "summary": o.component.summary,
            }
            for o in offers
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    _print_table(
        ["slot", "name", "from", "summary"],
        [[o.slot, report.registry.name_of(o), o.distribution, o.component.summary] for o in offers],
    )
    for warning in report.warnings():
        say(one_line(f"warning: {warning}"), err=True)


def _list_recipes(every: list[Recipe], as_json: bool) -> None:
    if as_json:
        rows = [{"name": r.name, "from": r.distribution, "path": str(r.path), "summary": r.summary} for r in every]
        click.echo(json.dumps(rows, indent=2))
        return
    _print_table(["recipe", "from", "summary"], [[r.name, r.distribution, r.summary] for r in every])


@click.command("show")
@click.argument("slot", type=_Kind(), metavar="SLOT")
@click.argument("name", required=False, shell_complete=_names)
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def show(slot: str, name: str | None, as_json: bool) -> None:
    """Show a component: every option with type, default, range and meaning; or what a recipe sets.

    SLOT is dataset, format, transform, augment, encoder, head, loss, checkpoint-loader, observer, or recipe; `asl
    ls SLOT` lists the names.
    """
    report = discover()
    if name is None:
        names = [r.name for r in recipes(report)] if slot == "recipe" else []
        names += [report.registry.name_of(o) for o in report.registry.slot(slot)] if slot in SLOTS else []
        raise UsageError(f"asl show {slot} needs a name: {', '.join(names) or 'there is none'}.")
    if slot == "recipe":
        show_recipe(find_recipe(name, report), as_json)
        return
    offer = report.registry.find(slot, name)
    component = offer.component
    specs = option_specs(component.options)
    if as_json:
        value: dict[str, Any] = {
            "slot": slot, "name": component.name, "from": offer.distribution, "summary": component.summary,
            "factory": component.factory, "suggests": dict(component.suggests),
            "options": [
                {"key": s.key, "type": s.type_name, "default": None if s.required else s.default,
                 "required": s.required, "range": s.range, "help": s.help} for s in specs
            ],
        }  # fmt: skip
        click.echo(json.dumps(value, indent=2))
        return
    say(one_line(f"{slot} {component.name} (from {offer.distribution}, {component.factory})"))
    say(one_line(component.summary))
    if component.suggests:
        pairs = ", ".join(f"{k} = {v}" for k, v in component.suggests.items())
        say(one_line(f"suggests: {pairs}"))
    if specs:
        say("")
        _print_table(["option", "type", "default", "range", "meaning"], [_row(s) for s in specs])
    else:
        say("It has no options.")


def _row(spec: OptionSpec) -> list[str]:
    default = "required" if spec.required else "" if spec.default is None else str(spec.default)
    return [
        spec.key,
        spec.type_name,
        default,
        spec.range,
        spec.help + (f" [env: {spec.rule.env}]" if spec.rule.env else ""),
    ]


def _print_table(columns: list[str], rows: list[list[str]]) -> None:
    for line in table_lines(columns, rows):
        say(line)
