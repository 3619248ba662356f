"""The configuration of a run: its components and settings, all checked, and the origin of every value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import tomli_w

from asl_core.config.origins import DEFAULT, Origin
from asl_core.config.sources import LIST_SLOTS
from asl_core.config.tables import TABLES, InitOptions, RunOptions, SplitOptions, TrainOptions
from asl_core.registry.component import BUILTIN, Component
from asl_core.registry.contract_checks import make
from asl_core.registry.option_values import unstructure
from asl_core.registry.options import former_keys, ignored_options
from asl_core.text import one_line, toml_string

__all__ = ["Choice", "HeadChoice", "LossChoice", "RunConfig", "is_resolved"]


@attrs.frozen
class Choice:
    """A chosen component and its options."""

    slot: str
    name: str  #: the shortest name that means it now, for messages
    component: Component
    options: Any
    distribution: str = BUILTIN

    @property
    def saved_name(self) -> str:
        """The name that means it whatever other plugins are installed: ``dist:name``, or a built-in's plain name."""
        return self.name if self.distribution == BUILTIN else f"{self.distribution}:{self.component.name}"

    def goes_by(self, name: str | None) -> bool:
        """Whether a saved or shown name is this component's."""
        return name in (self.name, self.saved_name)

    def build(self, *args: Any, facts: object = None) -> Any:
        """Call the factory: ``factory(options, *args)``; :class:`asl_core.Facts` go to one with a parameter ``facts``.

        Raises:
            RunError: the result does not meet the contract of its slot.
        """
        return make(self.slot, self.name, self.distribution, self.component.load(), self.options, args, facts)


@attrs.frozen
class LossChoice:
    """A loss and its weight in the sum."""

    choice: Choice
    weight: float


@attrs.frozen
class HeadChoice:
    """A head and its losses, by name."""

    choice: Choice
    losses: Mapping[str, LossChoice]


@attrs.frozen
class RunConfig:
    """Everything that determines a run; equal configurations on equal files give equal runs."""

    dataset: Choice
    encoder: Choice
    heads: Mapping[str, HeadChoice]
    transforms: tuple[Choice, ...]
    augments: tuple[Choice, ...]
    observers: tuple[Choice, ...]
    train: TrainOptions
    run: RunOptions
    split: SplitOptions
    init: InitOptions
    origins: Mapping[str, Origin] = attrs.field(eq=False)  #: dotted key -> where its value comes from
    notes: tuple[str, ...] = attrs.field(default=(), eq=False)  #: what a user should know about the settings

    def origin(self, key: str) -> Origin:
        """Where the value of a dotted key comes from."""
        return self.origins.get(key, DEFAULT)

    def values(self) -> dict[str, Any]:
        """Dotted key -> value for TOML; without ``run.name``, since a name is used once."""
        values: dict[str, Any] = {}
        for slot in ("dataset", "encoder"):
            choice: Choice = getattr(self, slot)
            values |= _dotted(slot, choice)
        for slot, choices in zip(LIST_SLOTS, (self.transforms, self.augments, self.observers), strict=True):
            values[f"{slot}.names"] = [c.saved_name for c in choices]
            for choice in choices:
                values |= {f"{slot}.{choice.saved_name}.{k}": v for k, v in unstructure(choice.options).items()}
        for name, head in self.heads.items():
            values |= _dotted(f"heads.{name}", head.choice)
            for loss_name, loss in head.losses.items():
                stem = f"heads.{name}.losses.{loss_name}"
                values |= {**_dotted(stem, loss.choice), f"{stem}.weight": loss.weight}
        for table in TABLES:
            values |= {
                f"{table}.{k}": v for k, v in unstructure(getattr(self, table)).items() if (table, k) != ("run", "name")
            }
        return values

    def option_classes(self) -> list[tuple[str, type]]:
        """``(stem, options class)`` of every table and component."""
        classes = [*TABLES.items(), ("dataset", type(self.dataset.options)), ("encoder", type(self.encoder.options))]
        for slot, choices in zip(LIST_SLOTS, (self.transforms, self.augments, self.observers), strict=True):
            classes += [(f"{slot}.{name}", type(c.options)) for c in choices for name in {c.name, c.saved_name}]
        for name, head in self.heads.items():
            classes.append((f"heads.{name}", type(head.choice.options)))
            classes += [(f"heads.{name}.losses.{n}", type(one.choice.options)) for n, one in head.losses.items()]
        return classes

    def current_names(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Values that an earlier version kept, under the current names of their options."""
        classes = self.option_classes()
        renamed = former_keys(classes)
        ignored = {f"{stem}.{key}" for stem, cls in classes for key in ignored_options(cls)}
        return {renamed.get(key, key): value for key, value in before.items() if key not in ignored}

    def changed(self, before: Mapping[str, Any]) -> list[str]:
        """The keys whose values differ from ``before``, which :meth:`values` gave and JSON stored.

        An option that the version which stored them did not have counts as changed where a user set it.
        """
        now = json.loads(json.dumps(self.values()))
        before = self.current_names(before)
        return sorted(
            key
            for key in {*now, *before}
            if (now.get(key) != before[key] if key in before else self.origin(key) != DEFAULT)
        )

    def to_toml(self) -> str:
        """The configuration file from which ``asl run FILE`` repeats this run, each value with its origin."""
        tables: dict[str, list[tuple[str, str, Any]]] = {}
        for dotted, value in self.values().items():
            table, _, key = dotted.rpartition(".")
            tables.setdefault(table, []).append((key, dotted, value))
        lines = [_RESOLVED]
        for table, entries in tables.items():
            lines += ["", f"[{'.'.join(_bare(part) for part in table.split('.'))}]"]
            for key, dotted, value in entries:
                text = f"{_bare(key)} = {_toml(value)}"
                origin = self.origin(dotted)
                lines.append(text if origin == DEFAULT else f"{text}  # {one_line(str(origin))}")
        return "\n".join(lines) + "\n"


_RESOLVED = "# The resolved configuration; `asl run` on this file repeats the run."


def is_resolved(file: Path) -> bool:
    """Whether :meth:`RunConfig.to_toml` wrote a file; False for an unreadable one, which its reader reports."""
    try:
        with file.open(encoding="utf-8-sig") as text:
            return text.readline(len(_RESOLVED) + 2).rstrip() == _RESOLVED
    except (OSError, ValueError):
        return False


def _dotted(stem: str, choice: Choice) -> dict[str, Any]:
    return {f"{stem}.name": choice.saved_name} | {f"{stem}.{k}": v for k, v in unstructure(choice.options).items()}


def _toml(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, str):
        return toml_string(value)
    return tomli_w.dumps({"x": value}, multiline_strings=False).strip().removeprefix("x = ")


def _bare(part: str) -> str:
    return part if part.replace("-", "").replace("_", "").isalnum() else toml_string(part)
