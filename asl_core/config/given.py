"""Components that a script gives as classes or objects instead of names.

    asl.run({"dataset": MyClips("folder"), "encoder": MyEncoder, "augment": ["speed", my_noise]})

A class (or a function, where the component is not one) is called as ``encoder(input_size)``, ``head(input_size,
classes)``, or without arguments in the other slots. If its first parameter is called ``options`` it is called like a
plugin's factory, and an attrs class that annotates that parameter defines settings, ``encoder.KEY``. An object is used
as it is; a module is copied with its weights, so that training does not change the script's module.

A run saves the name only: ``asl_core.load`` and the like need the same component again, see :func:`registry_with`.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from asl_core.config.run_config import RunConfig
from asl_core.config.sources import LIST_SLOTS, value_layer
from asl_core.errors import ConfigError, nearest
from asl_core.registry.component import SCRIPT, SLOTS, Component, Offer, Registry
from asl_core.registry.discovery import discover
from asl_core.registry.options import NoOptions

__all__ = ["Given", "registry_of", "registry_with", "take_objects"]


@attrs.frozen(kw_only=True)
class Given(Component):
    """A component made from a script's class or object."""

    slot: str
    target: Any = attrs.field(eq=id, repr=False)

    def load(self) -> Callable[..., Any]:
        """A factory ``(options, *arguments)``, as of a plugin."""
        # By name: it is in a wing above, which imports torch and the contracts.
        maker: Callable[..., Any] = importlib.import_module("asl_core.training.given_contract").Maker(self)
        return maker


def registry_with(**components: Any) -> Registry:
    """The components of the installed plugins and these: ``registry_with(encoder=MyEncoder, augment=[a, b])``.

    For ``registry=`` of :func:`asl_core.load`, :func:`asl_core.resume`, :func:`asl_core.evaluate_run` and others that
    read a run with components from a script, which are found by the names of their classes.

    Raises:
        ConfigError: there is no such slot, or a value cannot be a component.
    """
    registry = discover().registry
    slots = {slot.replace("-", "_"): slot for slot in SLOTS}
    if unknown := [slot for slot in components if slot not in slots]:
        raise ConfigError([f"script: there is no slot {unknown[0]!r}{nearest(unknown[0], slots)}"])
    offers: list[Offer] = []
    for slot, targets in components.items():
        several = targets if isinstance(targets, list | tuple) else [targets]
        for target in several:
            offers.append(_offer(slots[slot], target, offers))
    return _grown(registry, offers)


def take_objects(values: Mapping[str, Any], registry: Registry) -> tuple[dict[str, Any], Registry, list[str]]:
    """The values with names in place of classes and objects, a registry that has them, and notes for the user.

    Args:
        values: dotted keys to values.
        registry: components.

    Raises:
        ConfigError: a value cannot be a component.
    """
    named: dict[str, Any] = {}
    offers: list[Offer] = []
    for key, value in values.items():
        slot = _slot_of(key)
        if slot is None or isinstance(value, str):
            named[key] = value
        elif slot in LIST_SLOTS:
            several = value if isinstance(value, list | tuple) else [value]
            named[key] = [n if isinstance(n, str) else _add(slot, n, offers) for n in several]
        else:
            named[key] = _add(slot, value, offers) if _may_be_component(value) else value
    notes = [
        f"{o.slot} {o.component.name} was given by the script, and the run saves its name only: to load or resume it, "
        f"pass registry=asl.registry_with({o.slot.replace('-', '_')}=…)"
        for o in offers
        if o.slot != "observer"
    ]
    return named, _grown(registry, offers) if offers else registry, notes


def registry_of(config: RunConfig, registry: Registry | None = None) -> Registry | None:
    """A registry with the script's components of this configuration; ``registry`` where there are none."""
    heads = config.heads.values()
    losses = (loss.choice for head in heads for loss in head.losses.values())
    choices = [config.dataset, config.encoder, *(h.choice for h in heads), *losses]
    choices += [*config.transforms, *config.augments, *config.observers]
    offers = [Offer(c.slot, c.component, SCRIPT, SCRIPT) for c in choices if isinstance(c.component, Given)]
    return _grown(registry or discover().registry, offers) if offers else registry


def _grown(registry: Registry, offers: Iterable[Offer]) -> Registry:
    return Registry([*registry, *offers], registry.unused)


def _add(slot: str, target: Any, offers: list[Offer]) -> str:
    offers.append(offer := _offer(slot, target, offers))
    return offer.qualified


def _slot_of(key: str) -> str | None:
    """The slot whose component a key chooses, if any."""
    ((whole, _),) = value_layer({key: ""}, "").items()
    stem, _, last = whole.rpartition(".")
    if last == "names" and stem in LIST_SLOTS:
        return stem
    if last != "name":
        return None
    if stem.startswith("heads."):
        return "loss" if stem.count(".") == 3 else "head" if stem.count(".") == 1 else None
    return stem if stem in ("dataset", "encoder") else None


def _may_be_component(value: Any) -> bool:
    """Whether a value is not a number, a list or None, which are reported as wrong values."""
    return value is not None and not isinstance(value, bool | int | float | bytes | list | tuple | set)


def _offer(slot: str, target: Any, others: Iterable[Offer]) -> Offer:
    if not _may_be_component(target) or isinstance(target, str):
        raise ConfigError([f"script: {slot} is {target!r}: expected a class or an object"])
    if isinstance(target, Component):
        return Offer(slot, target, SCRIPT, SCRIPT)
    name = _name(slot, target)
    taken = [o.component.name for o in others if o.slot == slot]
    numbered = next(n for n in (name, *(f"{name}-{i}" for i in range(2, len(taken) + 3))) if n not in taken)
    component = Given(
        name=numbered, factory=f"{SCRIPT}:{numbered}", summary="given by a script", slot=slot, target=target,
        options=_options_class(target),
    )  # fmt: skip
    return Offer(slot, component, SCRIPT, SCRIPT)


def _name(slot: str, target: Any) -> str:
    target = getattr(target, "func", target)  # of a functools.partial
    named = target if isinstance(target, type | types.FunctionType) else type(target)
    plain = "".join(c if c.isalnum() else "-" for c in named.__name__).strip("-")
    return slot if plain in ("", "lambda") else plain


def takes_options(target: Any) -> bool:
    """Whether its first parameter is called ``options``."""
    try:
        names = list(inspect.signature(target).parameters)
    except (TypeError, ValueError):
        return False
    return bool(names) and names[0] == "options"


def _options_class(target: Any) -> type:
    if not (isinstance(target, type | types.FunctionType) and takes_options(target)):
        return NoOptions
    try:
        hints = typing.get_type_hints(vars(target).get("__init__") if isinstance(target, type) else target)
    except (NameError, TypeError, AttributeError):
        return NoOptions
    cls = hints.get("options")
    return cls if isinstance(cls, type) and attrs.has(cls) else NoOptions
