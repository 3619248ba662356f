"""A command whose flags are the options of the components that its arguments choose.

``asl run --encoder gru --help`` has to know the encoder before click parses anything, because ``--help`` is
eager. So the arguments are scanned once for choices, the flags are made, and only then does click parse. Flags
nobody knows are kept aside and reported with all other faults of the configuration, not one by one.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from asl_core.cli.completion import component_names, option_values
from asl_core.cli.other_flags import flags_of_other_verbs
from asl_core.cli.wrapping import say
from asl_core.config.extends import common_layers
from asl_core.config.hints import setting_hint
from asl_core.config.origins import Kind
from asl_core.config.run_config import TABLES
from asl_core.config.sources import LIST_SLOTS, Layer, env_layer, flag_layer, merge, shown
from asl_core.errors import ConfigError
from asl_core.registry.component import Registry
from asl_core.registry.discovery import PluginReport, discover
from asl_core.registry.former import former_keys
from asl_core.registry.options import OptionSpec, option_specs
from asl_core.registry.recipes import find_recipe
from asl_core.text import one_line

__all__ = ["SINGLE_SLOTS", "ConfiguredCommand", "flags_of", "refuse_unknown", "set_pairs"]

SINGLE_SLOTS = ("dataset", "encoder", "head", "loss")
_DEFAULT_CHOICES = {"dataset": "demo", "encoder": "gru", "head": "ctc"}
_TITLES = {"train": "Training", "run": "Run", "split": "Splits for studies", "init": "Starting weights"}


@attrs.frozen
class _Group:
    title: str
    options: list[click.Option]


class ConfiguredCommand(click.Command):
    """A command that takes every setting of a run, or those of some slots, as flags."""

    def __init__(self, *args: Any, slots: Sequence[str] = (*SINGLE_SLOTS, *LIST_SLOTS), **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.slots = tuple(slots)
        self.fixed = list(self.params)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Make the flags of what the arguments choose, then let click parse."""
        report = discover()
        for warning in () if ctx.resilient_parsing else report.warnings():  # nothing is printed while Tab completes
            say(one_line(f"warning: {warning}"), err=True)
        typed = _scan(args)
        files = [*_recipe_files(typed, report), *(a for a in args if a.endswith(".toml"))]
        groups = list(self._groups(report.registry, typed, files))
        self.params = [*self.fixed, *(o for g in groups for o in g.options)]
        takes = {name: _takes(p) for p in self.params for name in (*p.opts, *p.secondary_opts)}
        ctx.meta["asl.groups"] = groups
        ctx.meta["asl.registry"] = report.registry
        rest, ctx.meta["asl.unknown"] = _set_aside(args, {**takes, "--help": "nothing", "-h": "nothing"})
        return super().parse_args(ctx, rest)

    def _groups(self, registry: Registry, typed: Mapping[str, str], files: Iterable[str]) -> Iterable[_Group]:
        chosen = self._chosen(registry, typed, files)
        yield _Group("Components", [self._choice(registry, slot) for slot in self.slots])
        for slot in self.slots:
            for name in dict.fromkeys(chosen.get(slot, ())):  # one named twice is told later
                try:
                    offer = registry.find(slot, name)
                except ConfigError:
                    continue  # told when the configuration is resolved
                stem = f"{slot}.{name}" if slot in LIST_SLOTS else slot
                specs = option_specs(offer.component.options)
                options = [_flag(f"{stem}.{s.key}", s, f"--{stem}.{s.key}") for s in specs]
                options += _former(stem, offer.component.options)
                if options:
                    yield _Group(f"{slot.capitalize()} {name}", options)
        if "head" not in self.slots:
            return
        for table, cls in TABLES.items():
            specs = option_specs(cls)
            options = [_flag(f"{table}.{s.key}", s, *_spellings(table, s.key)) for s in specs]
            yield _Group(_TITLES[table], [*options, *_former(table, cls)])

    def _chosen(self, registry: Registry, typed: Mapping[str, str], files: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Slot -> names, as far as they can be known before the configuration is resolved."""
        layers: list[Layer] = []
        paths = [Path("asl.toml"), *map(Path, files)]
        for path in paths:
            with contextlib.suppress(ConfigError):  # told when the configuration is resolved; --help works without
                layers += common_layers(path) if path.is_file() else []
        layers += [env_layer(os.environ), flag_layer(typed)]
        settings, _ = merge(layers)
        found: dict[str, tuple[str, ...]] = {}
        for slot in self.slots:
            if slot in LIST_SLOTS:
                names = settings.get(f"{slot}.names")
                found[slot] = names.value if names and isinstance(names.value, tuple) else ()
                continue
            key = {"head": "heads.main.name", "loss": "heads.main.losses.main.name"}.get(slot, f"{slot}.name")
            name = settings[key].value if key in settings else _DEFAULT_CHOICES.get(slot)
            found[slot] = (name,) if isinstance(name, str) else ()
        self._suggested(registry, found)
        return found

    def _suggested(self, registry: Registry, found: dict[str, tuple[str, ...]]) -> None:
        """Names that the chosen components bring with them."""
        for slot in ("dataset", "encoder", "head"):
            for name in found.get(slot, ()):
                try:
                    suggests = registry.find(slot, name).component.suggests
                except ConfigError:
                    continue  # told when the configuration is resolved
                if not found.get("loss") and "loss" in suggests:
                    found["loss"] = (suggests["loss"],)
                for listed in LIST_SLOTS:
                    if listed in found and not found[listed] and listed in suggests:
                        found[listed] = tuple(suggests[listed])

    @staticmethod
    def _choice(registry: Registry, slot: str) -> click.Option:
        names = ", ".join(registry.name_of(o) for o in registry.slot(slot))
        values = component_names(registry, slot, several=slot in LIST_SLOTS)
        if slot in LIST_SLOTS:
            text = f"in this order, or none: {names or 'none yet'}"
            return click.Option([f"--{slot}", slot], metavar="NAME,NAME", help=text, shell_complete=values)
        default = f" [default: {_DEFAULT_CHOICES[slot]}]" if slot in _DEFAULT_CHOICES else " [default: the head's own]"
        return click.Option([f"--{slot}", slot], metavar="NAME", help=f"{names}{default}", shell_complete=values)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help in sections: the verb's own flags, the components, the options of each."""
        groups: list[_Group] = ctx.meta.get("asl.groups", [])
        with formatter.section("Options"):
            own = [r for p in [*self.fixed, *self.get_help_options(ctx)] if (r := p.get_help_record(ctx))]
            # Taken off the line before any verb sees it, since plugins have to be known to read the rest.
            formatter.write_dl([*own, ("-P [no:]NAME", "leave a plugin out, or use no other foreign ones")])
        for group in groups:
            with formatter.section(group.title):
                formatter.write_dl([r for o in group.options if (r := o.get_help_record(ctx))])

    @staticmethod
    def get_help_options(ctx: click.Context) -> list[click.Option]:
        """The ``--help`` flag, which click keeps apart from the parameters."""
        option = ctx.command.get_help_option(ctx)
        return [option] if option else []


def flags_of(ctx: click.Context, values: Mapping[str, Any], extra: Sequence[str] = ()) -> Layer:
    """The layer of all that was set on the command line, known flags and unknown ones alike.

    Args:
        ctx: of a :class:`ConfiguredCommand`.
        values: click's parameters.
        extra: ``KEY=VALUE`` of ``--set``.

    Raises:
        ConfigError: an ``extra`` is not of that form.
    """
    flags: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for group in ctx.meta["asl.groups"]:
        for option in group.options:
            value = values.get(option.name)
            if value is not None:
                flags[option.name] = value
                spelled[option.name] = option.opts[0]
    flags |= (pairs := set_pairs(extra))
    spelled |= {key: f"--set {key}={value}" for key, value in pairs.items()}
    for flag, value in ctx.meta["asl.unknown"].items():
        name = flag.lstrip("-")
        flags[name] = value
        others = [verb for verb in flags_of_other_verbs().get(flag, ()) if verb != ctx.info_name]
        spelled[name] = f"{flag} (of `asl {others[0]}`)" if others else flag
    return flag_layer(flags, spelled)


def refuse_unknown(ctx: click.Context, flags: Layer) -> None:
    """Refuse flags that are no setting of any table, before the stages of a curriculum are read.

    Raises:
        ConfigError: with every such flag.
    """
    tables = {*TABLES, *SINGLE_SLOTS, *LIST_SLOTS, "heads", "stage"}
    unknown = [(k, s) for k, s in flags.items() if s.origin.kind is Kind.FLAG and k.partition(".")[0] not in tables]
    if unknown:
        hint = functools.partial(setting_hint, registry=ctx.meta["asl.registry"], chosen={}, as_flag=True)
        raise ConfigError([f"{s.origin}: {shown(k)}: no such setting{hint(shown(k))}" for k, s in unknown])


def set_pairs(words: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` words of ``--set``.

    Raises:
        ConfigError: one is not of that form.
    """
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise ConfigError([f"flag --set: {word!r} is not KEY=VALUE, such as heads.main.dropout=0.3"])
        found[key] = value
    return found


def _flag(name: str, spec: OptionSpec, *spelled: str) -> click.Option:
    default = "" if spec.required else f" [default: {_plain(spec.default)}]" if spec.default is not None else ""
    bounds = f" ({spec.range})" if spec.range and not spec.rule.choices else ""
    choices = f" ({'|'.join(spec.rule.choices)})" if spec.rule.choices else ""
    needed = " [required]" if spec.required else ""
    env = f" [env: {spec.rule.env}]" if spec.rule.env else ""
    metavar = {"whole number": "N", "number": "X", "true or false": "true|false", "text": "TEXT"}.get(
        spec.type_name, "VALUE"
    )
    text = f"{spec.help}{bounds}{choices}{default}{needed}{env}"
    # The last spelling is hidden by click's record only if it is not listed: show the short one alone.
    names = [*spelled, re.sub(r"\W", "_", name.replace(".", "__"))]
    if spec.type is bool:  # ``--freeze`` alone says true
        option = click.Option(
            names, metavar=metavar, help=text, is_flag=False, flag_value="true", shell_complete=option_values(spec)
        )
    else:
        option = click.Option(names, metavar=metavar, help=text, shell_complete=option_values(spec))
    option.name = name
    return option


def _former(stem: str, cls: type) -> list[click.Option]:
    """Flags by which options were given before; help and completion leave them out."""
    specs = {s.key: s for s in option_specs(cls)}
    found = []
    for old, now in former_keys([(stem, cls)]).items():
        table, _, key = old.partition(".")
        spelled = _spellings(table, key) if table in TABLES else (f"--{old}",)
        found.append(_flag(old, specs[now.removeprefix(f"{stem}.")], *spelled))
        found[-1].hidden = True
    return found


def _spellings(table: str, key: str) -> tuple[str, ...]:
    """``--epochs`` and ``--train.epochs``; of the table ``init`` only ``--init`` and ``--freeze`` say enough alone."""
    short = {"path": ("--init",), "freeze": ("--freeze",)}.get(key, ()) if table == "init" else (f"--{key}",)
    return (*short, f"--{table}.{key}")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def _scan(args: Sequence[str]) -> dict[str, str]:
    """Choices among the arguments, ``--encoder gru`` and ``--encoder=gru``; the last of each counts."""
    found = {}
    for place, word in enumerate(args):
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in (*SINGLE_SLOTS, *LIST_SLOTS, "recipe"):
            following = args[place + 1] if place + 1 < len(args) else ""
            found[name] = value if equals else following
    return found


def _recipe_files(typed: dict[str, str], report: PluginReport) -> list[str]:
    """The file of the recipe that is named; one that is not there is told when the verb runs."""
    name = typed.pop("recipe", None)
    with contextlib.suppress(ConfigError):
        return [] if name is None else [str(find_recipe(name, report).path)]
    return []


def _takes(option: click.Parameter) -> str:
    """Whether a flag is followed by a value: ``always``, ``maybe`` or ``nothing``."""
    if not isinstance(option, click.Option) or option.is_flag or option.count:
        return "nothing"
    return "maybe" if option.flag_value == "true" else "always"  # as :func:`_flag` makes those of true or false


def _set_aside(args: Sequence[str], takes: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Split arguments into those that click knows and ``{flag: value}`` of those nobody knows.

    A flag that is known keeps the word after it, so that a value such as ``-1`` is not taken for a flag.
    """
    rest: list[str] = []
    unknown: dict[str, str] = {}
    words = iter(range(len(args)))
    for place in words:
        word = args[place]
        following = args[place + 1] if place + 1 < len(args) else None
        name, equals, value = word.partition("=")
        if word == "--":
            rest += args[place:]
            break
        if not _is_flag(word):
            rest.append(word)
            continue
        if name in takes:
            rest.append(word)
            if not equals and takes[name] == "always" and following is not None and not following.startswith("--"):
                rest.append(args[next(words)])
            continue
        if not equals and following is not None and not _is_flag(following):
            value = args[next(words)]
        unknown[name] = value
    return rest, unknown


def _is_flag(word: str) -> bool:
    """``--x`` and ``-lr``, and neither ``-`` nor a negative number."""
    return word.startswith("--") or re.match(r"-[A-Za-z]", word) is not None
