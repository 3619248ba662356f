"""Checks that a component meets the contract of its slot, when it is made and when it is called.

An error states what the contract requires and points to ``asl plugins check``; without it a plugin's author would see a
bare ``TypeError``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from asl_core.errors import AslError, RunError
from asl_core.registry.component import SCRIPT
from asl_core.registry.installed import BUILTIN

__all__ = ["broken", "calling", "make", "returned", "takes_facts"]

#: slot -> arguments of its factory after the options, and the class of its contract
_FACTORIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "dataset": ((), "Dataset"),
    "format": ((), "Format"),
    "transform": ((), "Transform"),
    "augment": ((), "Augment"),
    "encoder": (("input_size",), "Encoder"),
    "head": (("input_size", "classes"), "Head"),
    "loss": ((), "Loss"),
    "checkpoint-loader": ((), "CheckpointLoader"),
    "observer": ((), "Observer"),
}
#: slot -> its methods and their arguments
_METHODS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "dataset": {"splits": (), "clips": ("split",), "findings": ()},
    "format": {"recognises": ("path",), "read": ("path",)},
    "transform": {"__call__": ("clip",)},
    "augment": {"__call__": ("batch", "random")},
    "encoder": {"forward": ("features", "lengths"), "output_lengths": ("lengths",)},
    "head": {"forward": ("frames", "lengths"), "scores": ("output",), "min_frames": ("targets",)},
    "loss": {"forward": ("sample",), "prepare": ("store",)},
    "checkpoint-loader": {"recognises": ("path",), "load": ("path",)},
    "observer": {"on_start": ("config", "summary"), "on_epoch": ("report",), "on_end": ("summary",)},
}
#: slot -> attributes that the core reads
_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "encoder": ("output_size", "frames"),
    "head": ("kind", "needs_frames", "ranks"),
    "loss": ("accepts", "views", "corrupts", "labels"),
}


#: class of a component -> its distribution, for messages
_HOMES: dict[type, str] = {}


def make(
    slot: str,
    name: str,
    distribution: str,
    factory: Callable[..., Any],
    options: Any,
    arguments: tuple[Any, ...],
    facts: object = None,
) -> Any:
    """The component that a factory makes, checked against the contract of its slot.

    ``facts`` (:class:`asl_core.Facts`) go to a factory whose signature names them, as pluggy hands arguments to hooks.

    Raises:
        RunError: the factory takes other arguments, or the component lacks a part of the contract.
    """
    more = {"facts": facts} if takes_facts(factory) else {}
    if distribution == SCRIPT:
        return factory(options, *arguments, **more)  # held to its contract by Maker
    if isinstance(factory, type):
        _HOMES[factory] = distribution
    wanted = ("options", *_FACTORIES[slot][0])
    if not callable(factory):
        raise broken(slot, name, factory, f"its factory is a {type(factory).__name__}, which cannot be called")
    if (fault := _call_fault(factory, (options, *arguments), more)) is not None:
        raise broken(slot, name, factory, f"its factory is called as ({', '.join(wanted)}), and {fault}")
    built = factory(options, *arguments, **more)
    _HOMES[type(built)] = distribution
    if (fault := _fault(slot, built)) is not None:
        raise broken(slot, name, factory, fault)
    return built


def takes_facts(factory: Callable[..., Any]) -> bool:
    """Whether a factory has a parameter ``facts``."""
    try:
        return "facts" in inspect.signature(factory).parameters
    except (TypeError, ValueError):  # written in C
        return False


def broken(slot: str, name: str, component: object, fault: str) -> RunError:
    """The error for a component that does not meet its contract."""
    kind = component if isinstance(component, type) or inspect.isroutine(component) else type(component)
    module = getattr(kind, "__module__", "?")
    where = f"{module}.{getattr(kind, '__qualname__', '')}"
    home = _HOMES.get(kind, BUILTIN) if isinstance(kind, type) else BUILTIN
    checked = module.partition(".")[0] if home in (BUILTIN, "unknown") else home
    named = f"{slot} {name!r} ({where})" if name else f"{slot} {where}"
    return RunError(
        f"{named} does not meet the contract of asl_core.{_FACTORIES[slot][1]}: {fault}. It is a fault of the plugin: "
        f"see `asl plugins check {checked}`."
    )


@contextmanager
def calling(slot: str, component: object) -> Iterator[None]:
    """Attribute what a component raises to it, except messages for the user and memory errors."""
    try:
        yield
    except (AslError, MemoryError):
        raise
    except Exception as fault:
        if type(fault).__name__ == "OutOfMemoryError" or "memory" in str(fault).lower():
            raise
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:400]
        raise broken(slot, "", component, f"it raised {reason}") from fault


def returned(slot: str, component: object, value: Any, kind: type, words: str) -> Any:
    """The result of a call, which must be of the type in the contract.

    Raises:
        RunError: it is not.
    """
    if not isinstance(value, kind):
        raise broken(slot, "", component, f"it gave a {type(value).__name__}, and {words} is expected")
    return value


def _fault(slot: str, built: Any) -> str | None:
    base = f"derive from asl_core.{_FACTORIES[slot][1]}"
    if slot in _ATTRIBUTES:
        from torch import nn

        if not isinstance(built, nn.Module):
            return f"its factory gave a {type(built).__name__}, and an nn.Module is expected: {base}"
    if lacking := [a for a in _ATTRIBUTES.get(slot, ()) if not hasattr(built, a)]:
        return f"it has no {', '.join(lacking)}: {base}, and set what has no default in __init__"
    if slot == "encoder" and (not isinstance(built.output_size, int) or built.output_size < 1):
        return f"its output_size is {built.output_size!r}, and a whole number of at least 1 is expected"
    if slot == "loss" and not built.accepts:
        return 'it accepts no kind of head: set accepts = frozenset({"logits"}), with the kind of the head'
    methods = _METHODS[slot]
    if slot == "observer" and hasattr(built, "on_event"):
        methods = {"on_event": ("event",)}
    for method, arguments in methods.items():
        function = built if method == "__call__" else getattr(built, method, None)
        call = f"{'it' if method == '__call__' else method}({', '.join(arguments)})"
        if not callable(function):
            return (
                f"it has no {call}" if function is not built else f"a {type(built).__name__} cannot be called as {call}"
            )
        if (fault := _call_fault(function, arguments)) is not None:
            return f"it is called as {call}, and {fault}"
    batchwise = slot == "transform" and getattr(built, "batchwise", False)
    lacks = batchwise and not callable(getattr(built, "output_width", None))
    return "it is batchwise and has no output_width(width)" if lacks else None


def _call_fault(function: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any] | None = None) -> str | None:
    """Why a function cannot be called with these arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C
        return None
    try:
        signature.bind(*arguments, **(keywords or {}))
    except TypeError as fault:
        return f"it takes {signature} ({fault})"
    return None
