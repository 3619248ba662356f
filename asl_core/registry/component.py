"""Components, which plugins offer, and the registry that finds them by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from asl_core.errors import ConfigError, RunError, nearest
from asl_core.registry.installed import BUILTIN, current_name
from asl_core.registry.options import NoOptions

__all__ = ["API", "BUILTIN", "SCRIPT", "SLOTS", "Component", "Offer", "Registry"]

API = 1  #: version of the plugin interface of this core
SCRIPT = "script"  #: in place of a distribution, for classes and objects that a script gives

#: slot -> the hook that fills it
SLOTS: Mapping[str, str] = {
    "dataset": "asl_datasets",
    "format": "asl_formats",
    "transform": "asl_transforms",
    "augment": "asl_augments",
    "encoder": "asl_encoders",
    "head": "asl_heads",
    "loss": "asl_losses",
    "checkpoint-loader": "asl_checkpoint_loaders",
    "observer": "asl_observers",
}


def _factory_path(_: object, __: object, value: str) -> None:
    module, colon, attribute = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not (module and colon and attribute):
        raise ValueError(f'factory is {value!r}: expected "package.module:callable"')


def _plain_name(_: object, __: object, value: str) -> None:
    if not isinstance(value, str) or not value or not all(ch.isalnum() or ch == "-" for ch in value):
        raise ValueError(f"component name {value!r}: expected letters, digits and '-'")


def _api_number(component: Any, __: object, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(
            f"component {component.name!r} says api={value!r}: expected the whole number of the plugin interface that "
            f"it was written for, api={API}; or leave it out"
        )


@attrs.frozen(kw_only=True)
class Component:
    """What a plugin offers for a slot. Creating one imports nothing heavy; :meth:`load` does."""

    name: str = attrs.field(validator=_plain_name)  #: as in ``--encoder NAME``
    factory: str = attrs.field(validator=_factory_path)  #: ``"package.module:callable"``
    summary: str  #: one line for ``asl ls``
    options: type = NoOptions  #: an attrs class made with :func:`asl_core.option`; needs no torch
    #: settings that suit it, ``{"train.learning-rate": 2e-3}``; anything that a user sets overrides them
    suggests: Mapping[str, Any] = attrs.field(factory=dict)
    api: int = attrs.field(default=1, validator=_api_number)  #: version of the plugin interface it was written for

    def load(self) -> Callable[..., Any]:
        """Import the factory.

        Raises:
            RunError: its module or attribute does not load; the message names the factory and the reason.
        """
        module_name, _, attribute = self.factory.partition(":")
        try:
            target: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                target = getattr(target, part)
        except (ImportError, AttributeError) as fault:
            raise RunError(
                f"component {self.name!r} cannot be used: its factory {self.factory!r} does not load "
                f"({type(fault).__name__}: {fault}). Reinstall or update the package it comes from."
            ) from fault
        return target  # type: ignore[no-any-return]


@attrs.frozen
class Offer:
    """A component and its plugin."""

    slot: str
    component: Component
    distribution: str
    plugin: str  #: name of the entry point

    @property
    def qualified(self) -> str:
        """``dist:name``, which means this component whatever else is installed."""
        return f"{self.distribution}:{self.component.name}"


class Registry:
    """Finds components by slot and name.

    A plain name means the built-in component of that name if there is one, so that a third-party package cannot replace
    it; otherwise the only component of that name. Where two packages offer a name, ``dist:name`` says which.
    """

    def __init__(self, offers: Iterable[Offer], unused: Iterable[str] = ()):
        """Make the tables.

        Args:
            offers: of the working plugins.
            unused: plugins that are broken or left out, for messages: a missing component may be theirs.
        """
        self.unused = tuple(unused)
        self._offers: dict[str, list[Offer]] = {slot: [] for slot in SLOTS}
        for offer in offers:
            self._offers[offer.slot].append(offer)

    def slot(self, slot: str) -> tuple[Offer, ...]:
        """All components of a slot, sorted by name, built-ins first."""
        return tuple(
            sorted(
                self._offers[slot],
                key=lambda o: (o.component.name, o.distribution != BUILTIN, o.distribution),
            )
        )

    def __iter__(self) -> Iterator[Offer]:
        for slot in SLOTS:
            yield from self.slot(slot)

    def find(self, slot: str, name: str) -> Offer:
        """The component of a name, plain or ``dist:name``; ``asl:name``, as 0.1 wrote it, is a built-in.

        Raises:
            ConfigError: there is none, or several third-party ones.
        """
        offers = self.slot(slot)
        matches = [o for o in offers if name in (o.component.name, o.qualified)]
        if not matches:
            matches = [o for o in offers if current_name(name) == o.qualified]
        if not matches:
            if name.startswith(f"{SCRIPT}:"):
                raise ConfigError([_of_a_script(slot, name)])
            known = [o.component.name for o in offers] + [o.qualified for o in offers if ":" in name]
            theirs = f"; it may be in a plugin that is not used: {', '.join(self.unused)}" if self.unused else ""
            raise ConfigError([f"there is no {slot} {name!r}{nearest(name, set(known))}{theirs}"])
        if len(matches) > 1 and matches[0].distribution != BUILTIN:
            choices = " or ".join(o.qualified for o in matches)
            raise ConfigError([f"{slot} {name!r} is offered by {len(matches)} packages: choose {choices}"])
        return matches[0]

    def name_of(self, offer: Offer) -> str:
        """The shortest name that means this component."""
        same = [o for o in self.slot(offer.slot) if o.component.name == offer.component.name]
        return (
            offer.component.name
            if same[0] is offer and (len(same) == 1 or offer.distribution == BUILTIN)
            else (offer.qualified)
        )

    def clashes(self) -> list[tuple[str, str, tuple[Offer, ...]]]:
        """``(slot, name, components)`` of every name that several packages offer."""
        clashes = []
        for slot in SLOTS:
            by_name: dict[str, list[Offer]] = {}
            for offer in self.slot(slot):
                by_name.setdefault(offer.component.name, []).append(offer)
            clashes += [(slot, name, tuple(offers)) for name, offers in by_name.items() if len(offers) > 1]
        return clashes


def _of_a_script(slot: str, name: str) -> str:
    plain = name.partition(":")[2]
    keyword = slot.replace("-", "_")
    return (
        f"{slot} {name!r} was given by a script as a class or object, and a run saves its name only: in Python pass "
        f"registry=asl.registry_with({keyword}={plain}); the command line needs it in a plugin"
    )
