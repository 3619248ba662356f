"""Values of options: read strictly from text or from TOML-like values, and written back."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

import attrs
from cattrs import Converter
from cattrs.errors import AttributeValidationNote, ClassValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from asl_core.errors import nearest
from asl_core.registry.options import OptionSpec, describe_type, ignored_options, option_specs, type_members, unwritable

__all__ = ["Problem", "parse_text", "structure", "unstructure"]


@attrs.frozen
class Problem:
    """One fault in the values of options."""

    key: str  #: empty for a fault of several options together
    text: str


def _strict(value: Any, tp: Any) -> Any:
    """``value`` as ``tp`` without loss: 3.9 is not an int, "false" is not a bool."""
    for member in type_members(tp):
        if member is type(None) and value is None:
            return None
        if member is bool and isinstance(value, bool):
            return value
        if member is int and isinstance(value, int) and not isinstance(value, bool):
            return value
        if member is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if member is str and isinstance(value, str):
            return value
        if typing.get_origin(member) is tuple and isinstance(value, list | tuple):
            inner = typing.get_args(member)[0]
            return tuple(_strict(v, inner) for v in value)
    raise ValueError(f"{value!r} is not a {describe_type(tp)}")


def parse_text(text: str, tp: Any) -> Any:
    """The text of a flag or variable as a value of ``tp``.

    Raises:
        ValueError: the text is not of that type; the message says what was expected.
    """
    for member in type_members(tp):
        if member is type(None) and text.lower() in ("none", ""):
            return None
        if member is bool and text.lower() in ("true", "false", "yes", "no", "on", "off", "1", "0"):
            return text.lower() in ("true", "yes", "on", "1")
        if member in (int, float):
            try:
                return member(text)
            except ValueError:
                continue
        if member is str:
            return text
        if typing.get_origin(member) is tuple:
            inner = typing.get_args(member)[0]
            parts = [] if text.lower() == "none" else text.split(",")
            return tuple(parse_text(part.strip(), inner) for part in parts if part.strip())
    raise ValueError(f"{text!r} is not a {describe_type(tp)}")


@cache
def _reader(cls: Any) -> Callable[[Mapping[str, Any], Any], Any]:
    overrides = {s.name: override(rename=s.key, struct_hook=partial(_checked, s)) for s in option_specs(cls)}
    overrides |= {key.replace("-", "_"): override(omit=True) for key in ignored_options(cls)}
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    return make_dict_structure_fn(cls, converter, **overrides)  # type: ignore[arg-type]  # fields, not its own flags


def structure(cls: Any, values: Mapping[str, Any]) -> tuple[Any, list[Problem]]:
    """An instance of an options class from TOML-like values, or every fault in them.

    Returns:
        ``(instance, [])``, or ``(None, problems)`` with one problem for each fault.
    """
    try:
        return _reader(cls)(values, cls), []
    except ClassValidationError as group:
        return None, list(_problems(cls, group))


def _problems(cls: Any, group: ClassValidationError) -> Iterator[Problem]:
    specs = {spec.name: spec for spec in option_specs(cls)}
    for fault in group.exceptions:
        if isinstance(fault, ForbiddenExtraKeysError):
            keys = [spec.key for spec in specs.values()]
            yield from (Problem(key, f"no such option{nearest(key, keys)}") for key in sorted(fault.extra_fields))
            continue
        fields = [note.name for note in getattr(fault, "__notes__", ()) if isinstance(note, AttributeValidationNote)]
        if not fields:  # from a check of the class's own, over several options
            yield Problem("", str(fault))
            continue
        spec = specs[fields[0]]
        missing = isinstance(fault, KeyError)
        yield Problem(spec.key, f"is required ({spec.type_name}): {spec.help}" if missing else str(fault))


def _checked(spec: OptionSpec, value: Any, _: Any) -> Any:
    bounds = f" ({spec.range})" if spec.range else ""
    try:
        strict = _strict(value, spec.type)
        fault = unwritable(strict)
    except (ValueError, OverflowError) as mismatch:
        fault = str(mismatch)
    if fault:
        raise ValueError(f"{fault}{bounds}")
    if expected := spec.rule.fault(strict):
        raise ValueError(f"{value!r} is out of range: expected {expected}")
    return strict


def unstructure(options: Any) -> dict[str, Any]:
    """The options as TOML-like values; what is None is left out, since TOML has no null."""
    values = {spec.key: getattr(options, spec.name) for spec in option_specs(options.__class__)}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v is not None}
