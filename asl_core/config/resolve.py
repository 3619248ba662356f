"""From layers of settings to a checked configuration, or to every fault in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from asl_core.config.former import current_names, former_notes
from asl_core.config.hints import hint_for
from asl_core.config.origins import DEFAULT, Kind
from asl_core.config.run_config import Choice, HeadChoice, LossChoice, RunConfig
from asl_core.config.sources import LIST_SLOTS, Layer, Setting, merge, shown, value_layer
from asl_core.config.suggestions import find_offer, suggestions
from asl_core.config.tables import TABLES
from asl_core.errors import ConfigError
from asl_core.registry.component import SLOTS, Registry
from asl_core.registry.option_values import parse_text, structure
from asl_core.registry.options import LAST, ignored_options, option_specs

__all__ = ["current_layers", "resolve"]

_MAIN = "heads.main"
_DEFAULTS = {"dataset.name": "demo", "encoder.name": "gru"}


def resolve(layers: Iterable[Layer], registry: Registry, *, saved: bool = False) -> RunConfig:
    """A checked configuration from layers, weakest first.

    Weaker than all layers are the suggestions of the chosen components, and weaker than those the defaults.

    Args:
        layers: of settings.
        registry: components.
        saved: whether a run wrote the weakest layer. One component twice, which version 0.1 accepted, is then a note
            and not an error.

    Raises:
        ConfigError: with every fault found, each with its origin.
    """
    layers, problems = current_layers(layers, registry, saved=saved)
    settings, notes = merge(layers)
    resolver = _Resolver(settings, registry, notes, saved=saved)
    resolver.problems += problems
    return resolver.config()


def current_layers(
    layers: Iterable[Layer], registry: Registry, *, saved: bool = False
) -> tuple[list[Layer], list[str]]:
    """The layers with the current name of every setting, and a problem for each that is given by two names.

    ``saved`` says that a run wrote the weakest layer.
    """
    layers = list(layers)
    classes = _Resolver(merge(layers)[0], registry, [], saved=saved).classes()
    return current_names(layers, classes, saved=saved)


class _Resolver:
    """Turns merged settings into a configuration, gathering problems instead of stopping at the first."""

    def __init__(self, settings: dict[str, Setting], registry: Registry, notes: list[str], *, saved: bool):
        self.registry = registry
        self.saved = saved
        self.problems: list[str] = []
        self.notes = notes
        self.used: set[str] = set()
        defaults = value_layer(_DEFAULTS, DEFAULT)
        if not any(k.startswith("heads.") and not k.startswith("heads.main.") for k in settings):
            defaults = {**defaults, **value_layer({"head.name": "ctc"}, DEFAULT)}
        weaker = {**defaults, **suggestions(settings, defaults, registry)}
        # The user's settings come first, so that heads keep the order in which the user named them.
        self.settings = settings | {k: s for k, s in weaker.items() if k not in settings}

    def classes(self) -> list[tuple[str, type]]:
        """``(stem, options class)`` of the tables and of every chosen component that there is."""
        pairs = list(TABLES.items())
        for key, setting in self.settings.items():
            stem, _, last = key.rpartition(".")
            if last == "name":
                slot = "loss" if ".losses." in stem else "head" if stem.startswith("heads.") else stem
                chosen = {stem: setting}
            elif last == "names" and stem in LIST_SLOTS and isinstance(setting.value, tuple):
                slot, chosen = stem, {f"{stem}.{n}": attrs.evolve(setting, value=n) for n in setting.value}
            else:
                continue
            offers = {s: find_offer(slot, one, self.registry) for s, one in chosen.items() if slot in SLOTS}
            pairs += [(s, offer.component.options) for s, offer in offers.items() if offer is not None]
        return pairs

    def config(self) -> RunConfig:
        dataset = self._choice("dataset", "dataset")
        encoder = self._choice("encoder", "encoder")
        heads = {name: self._head(name) for name in self._children("heads")}
        # Heads start from different weights, so that two equal ones are odd but not wrong.
        for name, other in _equal({n: (h.choice, h.losses) if h.choice else None for n, h in heads.items()}):
            self.notes.append(f"heads {other!r} and {name!r} are the same component with the same options and losses")
        transforms, augments, observers = (self._list(slot) for slot in LIST_SLOTS)
        train, run, split, init = (self._options(table, cls) for table, cls in TABLES.items())
        self._unused()
        self.notes += former_notes(self.settings)
        if self.problems:
            raise ConfigError(self.problems)
        return RunConfig(
            dataset=dataset,
            encoder=encoder,
            heads=heads,
            transforms=transforms,
            augments=augments,
            observers=observers,
            train=train,
            run=run,
            split=split,
            init=init,
            origins={k: s.origin for k, s in self.settings.items()},
            notes=tuple(self.notes),
        )

    def _children(self, stem: str) -> list[str]:
        """The names right below ``stem``, in the order they were first set."""
        depth = stem.count(".") + 1
        return list(dict.fromkeys(k.split(".")[depth] for k in self.settings if k.startswith(f"{stem}.")))

    def _choice(self, slot: str, stem: str, reserved: tuple[str, ...] = ()) -> Any:
        key = f"{stem}.name"
        self.used.add(key)
        setting = self.settings.get(key)
        if setting is None:
            names = ", ".join(o.component.name for o in self.registry.slot(slot))
            self.problems.append(f"{self._beside(stem)}{shown(key)} is not set: choose a {slot} ({names})")
            self._swallow(stem)
            return None
        if not isinstance(setting.value, str):
            self.problems.append(f"{setting.origin}: {shown(key)} is {setting.value!r}: expected the name of a {slot}")
            self._swallow(stem)
            return None
        return self._component(slot, setting, stem, reserved)

    def _component(self, slot: str, setting: Setting, stem: str, reserved: tuple[str, ...] = ()) -> Any:
        try:
            offer = self.registry.find(slot, setting.value)
        except ConfigError as fault:
            self.problems.append(f"{setting.origin}: {fault.problems[0]} (`asl ls {slot}` lists them)")
            self._swallow(stem)
            return None
        options = self._options(stem, offer.component.options, reserved=("name", *reserved))
        return Choice(slot, self.registry.name_of(offer), offer.component, options, offer.distribution)

    def _swallow(self, stem: str) -> None:
        """Do not report the options of a missing component one by one."""
        self.used |= {k for k in self.settings if k.startswith(f"{stem}.") and ".losses." not in k[len(stem) :]}

    def _head(self, name: str) -> Any:
        stem = f"heads.{name}"
        choice = self._choice("head", stem, reserved=("losses",))
        losses = {}
        for loss in self._children(f"{stem}.losses"):
            at = f"{stem}.losses.{loss}"
            weight = self._number(f"{at}.weight", 1.0)
            losses[loss] = LossChoice(self._choice("loss", at, reserved=("weight",)), weight)
        if choice is not None and not losses:
            beside = self._beside(stem)
            self.problems.append(f"{beside}head {name!r} has no loss: set {stem}.losses.main.name (--loss NAME)")
        for loss, other in _equal({n: one.choice for n, one in losses.items()}):
            text = f"head {name!r}: loss {loss!r} is the same component with the same options as {other!r}"
            self._repeated(text, "leave one out, or give the other another weight")
        return HeadChoice(choice, losses)

    def _repeated(self, text: str, remedy: str) -> None:
        if self.saved:
            self.notes.append(f"{text}, and counts each time")
        else:
            self.problems.append(f"{text}, and would count each time; {remedy}")

    def _beside(self, stem: str) -> str:
        """The origin of a setting of the same component, for a fault that belongs to no single setting."""
        return next((f"{s.origin}: " for k, s in self.settings.items() if k.startswith(f"{stem}.")), "")

    def _number(self, key: str, default: float) -> float:
        self.used.add(key)
        setting = self.settings.get(key)
        if setting is None:
            return default
        try:
            value = parse_text(setting.value, float) if setting.text else setting.value
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise ValueError(f"{value!r} is not a number of at least 0")
            return float(value)
        except (ValueError, OverflowError) as fault:
            self.problems.append(f"{setting.origin}: {shown(key)}: {fault}")
            return default

    def _list(self, slot: str) -> tuple[Choice, ...]:
        key = f"{slot}.names"
        self.used.add(key)
        setting = self.settings.get(key, Setting((), DEFAULT))
        names = setting.value
        if not isinstance(names, tuple) or not all(isinstance(n, str) for n in names):
            self.problems.append(f"{setting.origin}: {shown(key)} is {names!r}: expected a list of {slot} names")
            self._swallow(slot)
            return ()
        choices = [self._component(slot, attrs.evolve(setting, value=n), f"{slot}.{n}") for n in names]
        times = Counter((c.distribution, c.component.name) for c in choices if c is not None)
        for (_, name), count in times.items():
            if count > 1:  # options are kept by name, so that the second can only repeat the first
                self._repeated(
                    f"{setting.origin}: {shown(key)}: {slot} {name!r} is named {count} times", "name it once"
                )
        for name, choice in zip(names, choices, strict=True):
            if choice is not None and name != choice.saved_name:
                self._copy_origins(f"{slot}.{name}.", f"{slot}.{choice.saved_name}.")
        return tuple(c for c in choices if c is not None)

    def _copy_origins(self, given: str, saved: str) -> None:
        """Keep the origins of a component's options under the name it is saved by as well."""
        for key, setting in list(self.settings.items()):
            if key.startswith(given):
                other = saved + key.removeprefix(given)
                self.settings.setdefault(other, setting)
                self.used.add(other)

    def _options(self, stem: str, cls: type, reserved: tuple[str, ...] = ()) -> Any:
        specs = {s.key: s for s in option_specs(cls)}
        ignored = ignored_options(cls)
        prefix = f"{stem}."
        values: dict[str, Any] = {}
        unreadable = set()
        for key, setting in self.settings.items():
            name = key.removeprefix(prefix)
            if not key.startswith(prefix) or "." in name or name in reserved:
                continue
            self.used.add(key)
            if name in ignored:
                self.notes.append(
                    f"{shown(key)} is no longer needed, and ignored ({setting.origin}): {ignored[name]}; from {LAST} "
                    f"on it is an error"
                )
                continue
            spec = specs.get(name)
            if spec is None:
                self._unknown("option", key)
                continue
            try:
                values[name] = parse_text(setting.value, spec.type) if setting.text else setting.value
            except ValueError as fault:
                more = f" ({spec.range})" if spec.range else ""
                self.problems.append(f"{setting.origin}: {shown(key)}: {fault}{more}")
                unreadable.add(name)
        options, problems = structure(cls, values)
        for problem in problems:
            if problem.key in unreadable:
                continue
            # Without a key it concerns several options; the origin is that of the one its text begins with.
            named = problem.text.partition(" ")[0]
            whole = stem if stem in TABLES else f"{stem}.name"
            key = f"{prefix}{problem.key}" if problem.key else whole
            culprit = self.settings.get(key if problem.key or named not in specs else f"{prefix}{named}")
            origin = f"{culprit.origin}: " if culprit else self._beside(stem)
            self.problems.append(f"{origin}{shown(key)}: {problem.text}")
        return options

    def _unknown(self, what: str, key: str) -> None:
        hint = hint_for(key, self.settings, self.registry)
        self.problems.append(f"{self.settings[key].origin}: {shown(key)}: no such {what}{hint}")

    def _unused(self) -> None:
        for key in self.settings:
            if key in self.used or self.settings[key].origin.kind is Kind.SUGGESTION:
                continue
            setting = self.settings[key]
            slot, _, rest = key.partition(".")
            if slot in LIST_SLOTS and "." in rest:
                name = rest.partition(".")[0]
                self.problems.append(
                    f"{setting.origin}: {shown(key)}: {slot} {name!r} is not chosen; add it to {slot}.names"
                )
            else:
                self._unknown("setting", key)


def _equal(parts: Mapping[str, object]) -> list[tuple[str, str]]:
    """Each name whose part is equal to that of an earlier name, with that name."""
    names = list(parts)
    pairs = []
    for index, name in enumerate(names):
        before = next((n for n in names[:index] if parts[n] is not None and parts[n] == parts[name]), None)
        if before is not None:
            pairs.append((name, before))
    return pairs
