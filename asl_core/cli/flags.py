"""A command whose flags are the options of the components that its arguments choose.

click handles ``--help`` before other flags, and the help of ``asl run --encoder gru --help`` depends on the encoder. So
the arguments are scanned for choices, the flags are made, and then click parses. Unknown flags are set aside and
reported with all other faults of the configuration.
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

from asl_core.cli.arguments import scan, set_aside, takes_value
from asl_core.cli.completion import component_names, option_values
from asl_core.cli.other_flags import flags_of_other_verbs
from asl_core.cli.wrapping import say
from asl_core.config.extends import table_layers
from asl_core.config.hints import setting_hint
from asl_core.config.origins import Kind
from asl_core.config.sources import LIST_SLOTS, Layer, env_layer, flag_layer, merge, shown
from asl_core.config.tables import TABLES
from asl_core.errors import ConfigError
from asl_core.files.toml_file import read_toml
from asl_core.registry.component import Registry
from asl_core.registry.discovery import PluginReport, discover
from asl_core.registry.options import OptionSpec, former_keys, option_specs
from asl_core.registry.recipes import find_recipe
from asl_core.text import one_line

__all__ = ["SINGLE_SLOTS", "ConfiguredCommand", "flags_of", "refuse_unknown", "set_pairs"]

SINGLE_SLOTS = ("dataset", "encoder", "head", "loss")
_DEFAULT_CHOICES = {"dataset": "demo", "encoder": "gru", "head": "ctc"}
_TITLES = {"train": "Training", "run": "Run", "split": "Splits for studies", "init": "Starting weights"}
#: settings that help shows first
_MOST_USED = (
    "train.epochs", "train.batch-size", "train.learning-rate", "train.patience", "init.path", "run.name", "run.out",
    "run.seed", "run.device",
)  # fmt: skip


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
        """Make the flags of the chosen components, then let click parse."""
        report = discover()
        for warning in () if ctx.resilient_parsing else report.warnings():  # not during completion
            say(one_line(f"warning: {warning}"), err=True)
        typed = scan(args, (*SINGLE_SLOTS, *LIST_SLOTS, "recipe"))
        files = [*_recipe_files(typed, report), *(a for a in args if a.endswith(".toml"))]
        groups = list(self._groups(report.registry, typed, files))
        self.params = [*self.fixed, *(o for g in groups for o in g.options)]
        takes = {name: takes_value(p) for p in self.params for name in (*p.opts, *p.secondary_opts)}
        ctx.meta["asl.groups"] = groups
        ctx.meta["asl.registry"] = report.registry
        rest, ctx.meta["asl.unknown"] = set_aside(args, {**takes, "--help": "nothing", "-h": "nothing"})
        return super().parse_args(ctx, rest)

    def _groups(self, registry: Registry, typed: Mapping[str, str], files: Iterable[str]) -> Iterable[_Group]:
        chosen = self._chosen(registry, typed, files)
        yield _Group("Components", [self._choice(registry, slot) for slot in self.slots])
        for slot in self.slots:
            for name in dict.fromkeys(chosen.get(slot, ())):  # a repeated name is reported later
                try:
                    offer = registry.find(slot, name)
                except ConfigError:
                    continue  # reported when the configuration is resolved
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
        """Slot -> names, as far as known before the configuration is resolved."""
        layers: list[Layer] = []
        paths = [Path("asl.toml"), *map(Path, files)]
        for path in paths:
            with contextlib.suppress(ConfigError):  # reported when the configuration is resolved
                layers += _common_layers(path) if path.is_file() else []
        layers += [env_layer(os.environ), flag_layer(typed)]
        settings, _ = merge(layers)
        choices: dict[str, tuple[str, ...]] = {}
        for slot in self.slots:
            if slot in LIST_SLOTS:
                names = settings.get(f"{slot}.names")
                choices[slot] = names.value if names and isinstance(names.value, tuple) else ()
                continue
            key = {"head": "heads.main.name", "loss": "heads.main.losses.main.name"}.get(slot, f"{slot}.name")
            name = settings[key].value if key in settings else _DEFAULT_CHOICES.get(slot)
            choices[slot] = (name,) if isinstance(name, str) else ()
        self._suggested(registry, choices)
        return choices

    def _suggested(self, registry: Registry, choices: dict[str, tuple[str, ...]]) -> None:
        """Add the names that the chosen components suggest."""
        for slot in ("dataset", "encoder", "head"):
            for name in choices.get(slot, ()):
                try:
                    suggests = registry.find(slot, name).component.suggests
                except ConfigError:
                    continue  # reported when the configuration is resolved
                if not choices.get("loss") and "loss" in suggests:
                    choices["loss"] = (suggests["loss"],)
                for listed in LIST_SLOTS:
                    if listed in choices and not choices[listed] and listed in suggests:
                        choices[listed] = tuple(suggests[listed])

    @staticmethod
    def _choice(registry: Registry, slot: str) -> click.Option:
        names = ", ".join(registry.name_of(o) for o in registry.slot(slot))
        values = component_names(registry, slot, several=slot in LIST_SLOTS)
        if slot in LIST_SLOTS:
            text = f"in this order, or none: {names}" if names else "none is installed"
            return click.Option([f"--{slot}", slot], metavar="NAME,NAME", help=text, shell_complete=values)
        default = f" [default: {_DEFAULT_CHOICES[slot]}]" if slot in _DEFAULT_CHOICES else " [default: the head's own]"
        return click.Option([f"--{slot}", slot], metavar="NAME", help=f"{names}{default}", shell_complete=values)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help in sections: flags of the verb, components, most used settings, all other settings."""
        groups: list[_Group] = ctx.meta.get("asl.groups", [])
        with formatter.section("Options"):
            fixed = [p for p in [*self.fixed, *self.get_help_options(ctx)] if isinstance(p, click.Option)]
            records = [r for p in fixed if (r := p.get_help_record(ctx))]
            # -P is taken off the line before any verb sees it: the rest depends on which plugins are used.
            formatter.write_dl([*records, ("-P [no:]NAME", "leave a plugin out, or use no other third-party plugin")])
        options = [o for g in groups for o in g.options if o.name in _MOST_USED]
        most_used = _Group("Most used settings", sorted(options, key=lambda o: _MOST_USED.index(str(o.name))))
        for group in (*groups[:1], *([most_used] if options else ()), *groups[1:]):
            shown = [o for o in group.options if not o.hidden and (group is most_used or o not in options)]
            if shown:
                with formatter.section(group.title):
                    formatter.write_dl([(f"{o.opts[0]} {o.metavar}", o.help or "") for o in shown])

    @staticmethod
    def get_help_options(ctx: click.Context) -> list[click.Option]:
        """The ``--help`` flag, which click keeps apart from the parameters."""
        option = ctx.command.get_help_option(ctx)
        return [option] if option else []


def flags_of(ctx: click.Context, values: Mapping[str, Any], extra: Sequence[str] = ()) -> Layer:
    """The settings on the command line, from known and unknown flags.

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
    """Refuse flags that are not a setting of any table, before the stages of a curriculum are read.

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
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise ConfigError([f"flag --set: {word!r} is not KEY=VALUE, such as heads.main.dropout=0.3"])
        pairs[key] = value
    return pairs


def _flag(name: str, spec: OptionSpec, *spelled: str) -> click.Option:
    default = "" if spec.required or spec.default in (None, ()) else f" [default: {_plain(spec.default)}]"
    bounds = f" ({spec.range})" if spec.range and not spec.rule.choices else ""
    choices = f" ({'|'.join(spec.rule.choices)})" if spec.rule.choices else ""
    needed = " [required]" if spec.required else ""
    env = f" [env: {spec.rule.env}]" if spec.rule.env else ""
    metavar = {"whole number": "N", "number": "X", "true or false": "true|false", "text": "TEXT"}.get(
        spec.type_name, "VALUE"
    )
    text = f"{spec.help}{bounds}{choices}{default}{needed}{env}"
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
    flags = []
    for old, now in former_keys([(stem, cls)]).items():
        table, _, key = old.partition(".")
        spelled = _spellings(table, key) if table in TABLES else (f"--{old}",)
        flags.append(_flag(old, specs[now.removeprefix(f"{stem}.")], *spelled))
        flags[-1].hidden = True
    return flags


def _spellings(table: str, key: str) -> tuple[str, ...]:
    """``--epochs`` and ``--train.epochs``; of the table ``init`` only ``--init`` and ``--freeze`` say enough alone."""
    short = {"path": ("--init",), "freeze": ("--freeze",)}.get(key, ()) if table == "init" else (f"--{key}",)
    return (*short, f"--{table}.{key}")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def _recipe_files(typed: dict[str, str], report: PluginReport) -> list[str]:
    """The file of the named recipe; the verb reports an unknown one."""
    name = typed.pop("recipe", None)
    with contextlib.suppress(ConfigError):
        return [] if name is None else [str(find_recipe(name, report).path)]
    return []


def _common_layers(path: Path) -> list[Layer]:
    """The settings of a file and of the recipes that it extends; of a curriculum, those common to its stages."""
    content = read_toml(path)
    if "stage" not in content.values:
        return table_layers(content.values, content, path)
    common = content.values.get("common")
    return table_layers(common, content, path, ("common",)) if isinstance(common, Mapping) else []
