"""Options classes: attrs classes whose fields say their range and meaning, read strictly from text or TOML.

A component's options are an attrs class made with :func:`option`. From that class alone come the flags
(``--encoder.hidden-size``), the help, the checks, and the TOML keys; nothing here imports torch.
"""

from __future__ import annotations

import enum
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs
from cattrs import Converter
from cattrs.errors import AttributeValidationNote, ClassValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from asl_core.errors import nearest

__all__ = [
    "NoOptions",
    "OptionSpec",
    "Problem",
    "ignored_options",
    "option",
    "option_specs",
    "parse_text",
    "structure",
    "unstructure",
]

_META = "asl"


def option(
    default: Any = attrs.NOTHING,
    *,
    help: str = "",  # noqa: A002 - the word every command-line library uses for it
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Sequence[str] | None = None,
    env: str | None = None,
    path: bool = False,
    exists: bool = False,
    former: Sequence[str] = (),
    ignored: str = "",
) -> Any:
    """An attrs field of an options class.

    Args:
        default: value when nobody sets it; without one the option is required.
        help: one line for ``--help`` and ``asl show``; units belong here. It has to be given.
        ge: smallest allowed value.
        gt: bound the value must exceed.
        le: largest allowed value.
        lt: bound the value must stay under.
        choices: the allowed strings.
        env: an environment variable that sets it (weaker than a flag, stronger than a file).
        path: whether it is a file or folder; a relative one is made absolute, so that a run that is used from
            another folder still finds it.
        exists: whether what it names has to be there when a run begins: said before anything heavy is imported.
        former: earlier names, which every source of settings still takes, with a notice: keys beside this one
            (``"pool"``), or whole ones (``"train.pool"``). The decorator ``former_attributes`` keeps them readable.
        ignored: why the option is no longer needed; its value is accepted and ignored, with a notice, and help does
            not list it. It needs a default, and no ``help``.

    Raises:
        ValueError: there is no help; an option that nobody explains is of no use on a command line.
    """
    help = help or ignored  # noqa: A001
    if ignored and default is attrs.NOTHING:
        raise ValueError("an option that is ignored has no default: give the one it had")
    if not isinstance(help, str) or not help.strip():
        known = "" if default is attrs.NOTHING else f"{default!r}, "
        raise ValueError(
            f'an option has no help: say option({known}help="…"), one line that --help and asl show print, with the '
            f"unit where there is one"
        )
    rule = _Rule(
        ge=ge, gt=gt, le=le, lt=lt, choices=tuple(choices) if choices else None, env=env, help=help, path=path,
        exists=exists, former=(former,) if isinstance(former, str) else tuple(former), ignored=ignored,
    )  # fmt: skip

    def validate(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if unwritable := _unwritable(value):
            raise ValueError(f"{attribute.name}: {unwritable}")
        fault = rule.fault(value)
        if fault:
            raise ValueError(f"{attribute.name} is {value!r}: expected {fault}")

    converter = _absolute if path else None
    return attrs.field(default=default, metadata={_META: rule}, validator=validate, converter=converter, kw_only=True)


def _unwritable(value: Any) -> str | None:
    """What is wrong with a text that no file of settings can hold, such as a path whose bytes are not UTF-8."""
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, str) and any("\ud800" <= c <= "\udfff" for c in item):
            return (
                f"{item!r} has bytes that are not UTF-8, and a run's config.toml cannot keep them; rename the file or "
                f"folder, or name a link to it that has a plain name"
            )
    return None


def _absolute(value: str | None) -> str | None:
    return str(Path(value).expanduser().absolute()) if value else value


@attrs.frozen
class _Rule:
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[str, ...] | None = None
    env: str | None = None
    help: str = ""
    exists: bool = False
    path: bool = False
    former: tuple[str, ...] = ()
    ignored: str = ""

    @property
    def range(self) -> str:
        if self.choices:
            return "one of " + ", ".join(self.choices)
        low = (
            f"at least {self.ge:g}" if self.ge is not None else f"more than {self.gt:g}" if self.gt is not None else ""
        )
        high = (
            f"at most {self.le:g}" if self.le is not None else f"less than {self.lt:g}" if self.lt is not None else ""
        )
        return " and ".join(part for part in (low, high) if part)

    def fault(self, value: Any) -> str | None:
        """What was expected, where ``value`` breaks the rule. None stands for "not set"."""
        if value is None:
            return None
        if self.choices and isinstance(value, tuple) and len(set(value)) < len(value):
            twice = next(item for item in value if value.count(item) > 1)
            return f"each name once, and {twice!r} stands there {value.count(twice)} times"
        for item in value if isinstance(value, tuple) else (value,):
            if self.choices and item not in self.choices:
                return self.range
            if isinstance(item, int | float) and not isinstance(item, bool):
                if isinstance(item, float) and not math.isfinite(item):
                    return "a finite number"
                inside = (
                    (self.ge is None or item >= self.ge)
                    and (self.gt is None or item > self.gt)
                    and (self.le is None or item <= self.le)
                    and (self.lt is None or item < self.lt)
                )
                if not inside:
                    return self.range
        return None


@attrs.frozen
class OptionSpec:
    """One option as a user meets it."""

    name: str  #: attribute of the options class, ``hidden_size``
    key: str  #: in flags and TOML, ``hidden-size``
    type: Any
    default: Any  #: ``attrs.NOTHING`` where it is required
    rule: _Rule

    @property
    def required(self) -> bool:
        """Whether somebody has to set it."""
        return self.default is attrs.NOTHING

    @property
    def former(self) -> tuple[str, ...]:
        """Names that it had before."""
        return self.rule.former

    @property
    def help(self) -> str:
        """One line of meaning."""
        return self.rule.help

    @property
    def range(self) -> str:
        """What values are allowed, in words; empty where any of the type is."""
        return self.rule.range

    @property
    def type_name(self) -> str:
        """The type in a user's words."""
        return describe_type(self.type)


@attrs.frozen
class NoOptions:
    """For a component without options."""


@attrs.frozen
class Problem:
    """One fault found while reading options: the key it is at, and what was expected."""

    key: str
    text: str


@cache
def option_specs(cls: Any) -> tuple[OptionSpec, ...]:
    """Every option of an options class that still counts, in the order of its fields."""
    hints = typing.get_type_hints(cls)
    return tuple(
        OptionSpec(
            name=a.name,
            key=a.name.replace("_", "-"),
            type=hints[a.name],
            default=_default(a),
            rule=a.metadata.get(_META, _Rule()),
        )
        for a in attrs.fields(cls)
        if a.init and not a.metadata.get(_META, _Rule()).ignored
    )


@cache
def ignored_options(cls: Any) -> Mapping[str, str]:
    """Key of each option that is accepted and ignored -> why."""
    rules = {a.name.replace("_", "-"): a.metadata.get(_META, _Rule()) for a in attrs.fields(cls)}
    return {key: rule.ignored for key, rule in rules.items() if rule.ignored}


def _default(attribute: attrs.Attribute[Any]) -> Any:
    if isinstance(attribute.default, attrs.Factory):  # type: ignore[arg-type]  # attrs types Factory as a function
        return attribute.default.factory()  # type: ignore[union-attr]
    return attribute.default


_NAMES = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "unset"}


def describe_type(tp: Any) -> str:
    """``int | None`` as "whole number", ``tuple[str, ...]`` as "list of text"."""
    if tp in _NAMES:
        return _NAMES[tp]
    members = _members(tp)
    if len(members) > 1:
        return " or ".join(describe_type(m) for m in members if m is not type(None))
    if typing.get_origin(tp) is tuple:
        return f"list of {describe_type(typing.get_args(tp)[0])}"
    return getattr(tp, "__name__", str(tp))


def _members(tp: Any) -> tuple[Any, ...]:
    if typing.get_origin(tp) in (typing.Union, types.UnionType):
        return typing.get_args(tp)
    return (tp,)


class _MismatchError(ValueError):
    """A value is not of the type or range that its option takes."""


def _strict(value: Any, tp: Any) -> Any:
    """``value`` as ``tp`` without a lossy step: 3.9 is no int, "false" is no bool."""
    for member in _members(tp):
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
    raise _MismatchError(f"{value!r} is not a {describe_type(tp)}")


def parse_text(text: str, tp: Any) -> Any:
    """A flag's or a variable's text as a value of ``tp``.

    Raises:
        ValueError: the text is not of that type; the message says what was expected.
    """
    for member in _members(tp):
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
    raise _MismatchError(f"{text!r} is not a {describe_type(tp)}")


@cache
def _structure_fn(cls: Any) -> Callable[[Any, Any], Any]:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)

    def hook(spec: OptionSpec) -> Callable[[Any, Any], Any]:
        def check(value: Any, _: Any) -> Any:
            strict = _strict(value, spec.type)
            if unwritable := _unwritable(strict):
                raise _MismatchError(unwritable)
            fault = spec.rule.fault(strict)
            if fault:
                raise _MismatchError(f"{value!r} is out of range: expected {fault}")
            return strict

        return check

    overrides = {s.name: override(rename=s.key, struct_hook=hook(s)) for s in option_specs(cls)}
    return make_dict_structure_fn(cls, converter, **overrides)  # type: ignore[arg-type]  # not flags but fields


def structure(cls: Any, values: Mapping[str, Any]) -> tuple[Any, list[Problem]]:
    """An instance of an options class from TOML-like values, or every fault in them.

    Returns:
        ``(instance, [])``, or ``(None, problems)`` with one problem for each fault.
    """
    try:
        return _structure_fn(cls)(dict(values), cls), []
    except ClassValidationError as group:
        return None, list(_problems(cls, group))


def _problems(cls: type, group: ClassValidationError) -> typing.Iterator[Problem]:
    specs = {s.name: s for s in option_specs(cls)}
    keys = [s.key for s in specs.values()]
    for fault in group.exceptions:
        if isinstance(fault, ForbiddenExtraKeysError):
            for key in sorted(fault.extra_fields):
                yield Problem(key, f"no such option{nearest(key, keys)}")
            continue
        notes = [n for n in getattr(fault, "__notes__", ()) if isinstance(n, AttributeValidationNote)]
        spec = specs[notes[0].name] if notes else None
        if isinstance(fault, KeyError) and spec is not None:
            yield Problem(spec.key, f"is required ({spec.type_name}): {spec.help}")
        else:
            more = f" ({spec.range})" if spec and spec.range and "out of range" not in str(fault) else ""
            yield Problem(spec.key if spec else "", f"{fault}{more}")


def unstructure(options: Any) -> dict[str, Any]:
    """The options as TOML-like values; what is None is left out, since TOML has no null."""
    found = {}
    for spec in option_specs(options.__class__):
        value = getattr(options, spec.name)
        if value is None:
            continue
        if isinstance(value, enum.Enum):
            value = value.value
        found[spec.key] = list(value) if isinstance(value, tuple) else value
    return found
