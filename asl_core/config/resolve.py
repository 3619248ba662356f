"""From layers of settings to a checked configuration: names found, options read, every fault gathered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from asl_core.config.former import current_names, former_notes
from asl_core.config.hints import option_hint, option_hint_of_table, setting_hint
from asl_core.config.origins import DEFAULT, Kind, Origin
from asl_core.config.run_config import TABLES, Choice, HeadChoice, LossChoice, RunConfig
from asl_core.config.sources import LIST_SLOTS, Layer, Setting, merge, shown, value_layer
from asl_core.errors import ConfigError
from asl_core.registry.component import SLOTS, Offer, Registry
from asl_core.registry.former import LAST, former_keys
from asl_core.registry.option_values import parse_text, structure
from asl_core.registry.options import ignored_options, option_specs

__all__ = ["current_layers", "resolve"]

_MAIN = "heads.main"
_DEFAULTS = {"dataset.name": "demo", "encoder.name": "gru"}
_FORMER = former_keys(TABLES.items())  #: names by which a plugin written for an earlier version suggests settings


def resolve(layers: Iterable[Layer], registry: Registry, *, saved: bool = False) -> RunConfig:
    """A checked configuration from layers, weakest first.

    Below the layers stand the suggestions of the chosen components, and below those the defaults.

    Args:
        layers: of settings.
        registry: components.
        saved: whether a run was trained with these settings: one component twice, which version 0.1 took, is noted
            instead of refused.

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


def _moved(key: str, stem: str) -> str:
    return stem + key.removeprefix(_MAIN) if key.startswith(f"{_MAIN}.") else key


def _applies(key: str, suggests: Layer, settings: Mapping[str, Setting], defaults: Layer) -> bool:
    """Whether a suggestion is about what the user chose: not about another component, nor a head that is not there."""
    stem = key.rpartition(".")[0]
    name = f"{stem}.name"
    if name in settings and name in suggests and settings[name].value != suggests[name].value:
        return False
    head, losses, _ = stem.partition(".losses.")
    if head.startswith("heads.") and not any(k.startswith(f"{head}.") for k in (*settings, *defaults)):
        return False
    # A loss that the user names replaces those that come with the head.
    return not losses or name in settings or not any(_names_loss(k, head) for k in settings)


def _names_loss(key: str, head: str) -> bool:
    return key.startswith(f"{head}.losses.") and key.endswith(".name")


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
        weaker = {**defaults, **self._suggestions(settings, defaults)}
        # What was said comes first: the heads stand in the order in which the user named them.
        self.settings = settings | {k: s for k, s in weaker.items() if k not in settings}

    def classes(self) -> list[tuple[str, type]]:
        """``(stem, options class)`` of the tables and of every chosen component that there is."""
        found = list(TABLES.items())
        for key, setting in self.settings.items():
            stem, _, last = key.rpartition(".")
            if last == "name":
                slot = "loss" if ".losses." in stem else "head" if stem.startswith("heads.") else stem
                chosen = {stem: setting}
            elif last == "names" and stem in LIST_SLOTS and isinstance(setting.value, tuple):
                slot, chosen = stem, {f"{stem}.{n}": attrs.evolve(setting, value=n) for n in setting.value}
            else:
                continue
            offers = {s: self._offer(slot, one) for s, one in chosen.items() if slot in SLOTS}
            found += [(s, offer.component.options) for s, offer in offers.items() if offer is not None]
        return found

    def config(self) -> RunConfig:
        dataset = self._choice("dataset", "dataset")
        encoder = self._choice("encoder", "encoder")
        heads = {name: self._head(name) for name in self._children("heads")}
        # Heads start from weights of their own, so that two equal ones are odd and not wrong.
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

    def _suggestions(self, settings: Mapping[str, Setting], defaults: Layer) -> dict[str, Setting]:
        """What the chosen components suggest: data set, encoder, heads, the later the stronger."""
        found: dict[str, Setting] = {}

        def add(slot: str, stem: str) -> None:
            key = f"{stem}.name"
            offer = self._offer(slot, settings.get(key) or found.get(key) or defaults.get(key))
            if offer is None:
                return
            suggests = value_layer(offer.component.suggests, Origin(Kind.SUGGESTION, f"{slot} {offer.component.name}"))
            suggests = {_FORMER.get(k, k): s for k, s in suggests.items()}
            if slot == "head":  # "head" and "loss" are its own place, whatever it is called in this run
                suggests = {_moved(k, stem): s for k, s in suggests.items()}
            found.update({k: s for k, s in suggests.items() if _applies(k, suggests, settings, defaults)})

        add("dataset", "dataset")
        add("encoder", "encoder")
        for name in dict.fromkeys(k.split(".")[1] for k in (*settings, *defaults) if k.startswith("heads.")):
            add("head", f"heads.{name}")
        return found

    def _offer(self, slot: str, setting: Setting | None) -> Offer | None:
        if setting is None or not isinstance(setting.value, str):
            return None
        try:
            return self.registry.find(slot, setting.value)
        except ConfigError:
            return None  # told once, by _choice

    def _choice(self, slot: str, stem: str, reserved: tuple[str, ...] = ()) -> Any:
        key = f"{stem}.name"
        self.used.add(key)
        setting = self.settings.get(key)
        if setting is None:
            there = ", ".join(o.component.name for o in self.registry.slot(slot))
            self.problems.append(f"{self._beside(stem)}{shown(key)} is not set: choose a {slot} ({there})")
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
        """Options of a component that is not there are not reported one by one."""
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
        """Where something about the same component was set, for a fault that no one setting has."""
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
        found = [self._component(slot, attrs.evolve(setting, value=n), f"{slot}.{n}") for n in names]
        times = Counter((c.distribution, c.component.name) for c in found if c is not None)
        for (_, name), count in times.items():
            if count > 1:  # its options stand under its name, so that the second can only repeat the first
                self._repeated(
                    f"{setting.origin}: {shown(key)}: {slot} {name!r} is named {count} times", "name it once"
                )
        for name, choice in zip(names, found, strict=True):
            if choice is not None and name != choice.saved_name:
                self._tell_origins(f"{slot}.{name}.", f"{slot}.{choice.saved_name}.")
        return tuple(c for c in found if c is not None)

    def _tell_origins(self, said: str, saved: str) -> None:
        """Where options of a component come from, under the name that it is saved by too."""
        for key, setting in list(self.settings.items()):
            if key.startswith(said):
                other = saved + key.removeprefix(said)
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
                self.problems.append(f"{setting.origin}: {shown(key)}: no such option{self._meant(key, setting)}")
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
            # Without a key it is of several options together; the one that its text begins with is to blame.
            named = problem.text.partition(" ")[0]
            whole = stem if stem in TABLES else f"{stem}.name"
            key = f"{prefix}{problem.key}" if problem.key else whole
            at = self.settings.get(key if problem.key or named not in specs else f"{prefix}{named}")
            origin = f"{at.origin}: " if at else self._beside(stem)
            self.problems.append(f"{origin}{shown(key)}: {problem.text}")
        return options

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
                self.problems.append(f"{setting.origin}: {shown(key)}: no such setting{self._meant(key, setting)}")

    def _meant(self, key: str, setting: Setting) -> str:
        """What may have been meant by a key that nothing has, as the flag or the key that it was."""
        as_flag = setting.origin.kind is Kind.FLAG
        stem, _, name = key.rpartition(".")
        if stem in TABLES:
            return option_hint_of_table(stem, name, as_flag=as_flag)
        slot = "loss" if ".losses." in stem else stem.partition(".")[0]
        slot = "head" if slot == "heads" else slot
        at = self.settings.get(f"{stem}.name")
        offer = self._offer(slot, at) if at is not None and slot in SLOTS else None
        if at is not None and offer is not None:
            return option_hint(slot, offer, name, self.registry, as_flag=as_flag, default=at.origin == DEFAULT)
        if (
            slot in LIST_SLOTS
            and "." in stem
            and (offer := self._offer(slot, Setting(stem.partition(".")[2], setting.origin)))
        ):
            return option_hint(slot, offer, name, self.registry, as_flag=as_flag)
        return setting_hint(shown(key), self.registry, self._chosen(), as_flag=as_flag)

    def _chosen(self) -> dict[str, list[str]]:
        """Slot -> names of the components that the settings choose."""
        found: dict[str, list[str]] = {}
        for key, setting in self.settings.items():
            slot, _, rest = key.partition(".")
            slot = ("loss" if ".losses." in key else "head") if slot == "heads" else slot
            values = setting.value if rest == "names" and isinstance(setting.value, tuple) else [setting.value]
            if key.rpartition(".")[2] in ("name", "names"):
                found.setdefault(slot, []).extend(v for v in values if isinstance(v, str))
        return found


def _equal(parts: Mapping[str, object]) -> list[tuple[str, str]]:
    """Each name whose part is equal to that of an earlier name, with that name."""
    names = list(parts)
    found = []
    for place, name in enumerate(names):
        before = next((n for n in names[:place] if parts[n] is not None and parts[n] == parts[name]), None)
        if before is not None:
            found.append((name, before))
    return found
