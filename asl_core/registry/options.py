"""Options classes: attrs classes whose fields state range and meaning, read strictly from text or TOML.

A component's options are an attrs class made with :func:`option`. Flags (``--encoder.hidden-size``), help, checks and
TOML keys come from that class alone. Nothing here imports torch.
"""

from __future__ import annotations

import math
import types
import typing
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import attrs

__all__ = [
    "LAST", "NoOptions", "OptionSpec", "describe_type", "former_attributes", "former_keys", "former_options",
    "ignored_options", "option", "option_specs", "type_members", "unwritable",
]  # fmt: skip

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
        help: one line for ``--help`` and ``asl show``, with the unit where there is one. Required.
        ge: smallest allowed value.
        gt: bound the value must exceed.
        le: largest allowed value.
        lt: bound the value must stay under.
        choices: the allowed strings.
        env: an environment variable that sets it (weaker than a flag, stronger than a file).
        path: whether it is a file or folder; a relative path is made absolute, so that a run that is used from
            another folder still finds it.
        exists: whether the file or folder must exist when a run begins; checked before torch is imported.
        former: earlier names, which every source of settings still accepts, with a notice: keys of the same table
            (``"pool"``) or whole keys (``"train.pool"``). The decorator ``former_attributes`` keeps them readable.
        ignored: why the option is no longer needed: its value is accepted and ignored, with a notice, and help does
            not list it. It needs a default, and no ``help``.

    Raises:
        ValueError: there is no help, or an ignored option has no default.
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
        if fault := unwritable(value):
            raise ValueError(f"{attribute.name}: {fault}")
        if expected := rule.fault(value):
            raise ValueError(f"{attribute.name} is {value!r}: expected {expected}")

    converter = _absolute if path else None
    return attrs.field(default=default, metadata={_META: rule}, validator=validate, converter=converter, kw_only=True)


def unwritable(value: Any) -> str | None:
    """Why a TOML file cannot hold a text, such as a path whose bytes are not UTF-8."""
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
        bounds = {"at least": self.ge, "more than": self.gt, "at most": self.le, "less than": self.lt}
        return " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)

    def fault(self, value: Any) -> str | None:
        """What was expected, where ``value`` breaks the rule. None stands for "not set"."""
        if value is None:
            return None
        if self.choices and isinstance(value, tuple) and len(set(value)) < len(value):
            twice = next(item for item in value if value.count(item) > 1)
            return f"each name once, and {twice!r} occurs {value.count(twice)} times"
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
    """One option, as help and settings name it."""

    name: str  #: attribute of the options class, ``hidden_size``
    key: str  #: in flags and TOML, ``hidden-size``
    type: Any
    default: Any  #: ``attrs.NOTHING`` where it is required
    rule: _Rule

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is attrs.NOTHING

    @property
    def former(self) -> tuple[str, ...]:
        """Earlier names."""
        return self.rule.former

    @property
    def help(self) -> str:
        """Its meaning, one line."""
        return self.rule.help

    @property
    def range(self) -> str:
        """The allowed values in words; empty where the type alone decides."""
        return self.rule.range

    @property
    def type_name(self) -> str:
        """The type in words."""
        return describe_type(self.type)


@attrs.frozen
class NoOptions:
    """For a component without options."""


@cache
def option_specs(cls: Any) -> tuple[OptionSpec, ...]:
    """Every option of an options class that is not ignored, in the order of its fields."""
    hints = typing.get_type_hints(cls)
    return tuple(
        OptionSpec(a.name, a.name.replace("_", "-"), hints[a.name], _default(a), _rule(a))
        for a in attrs.fields(cls)
        if a.init and not _rule(a).ignored
    )


@cache
def ignored_options(cls: Any) -> Mapping[str, str]:
    """Key of each option that is accepted and ignored -> why."""
    return {a.name.replace("_", "-"): _rule(a).ignored for a in attrs.fields(cls) if _rule(a).ignored}


def _rule(attribute: attrs.Attribute[Any]) -> _Rule:
    rule: _Rule = attribute.metadata.get(_META, _Rule())
    return rule


def _default(attribute: attrs.Attribute[Any]) -> Any:
    if isinstance(attribute.default, attrs.Factory):  # type: ignore[arg-type]  # attrs types Factory as a function
        return attribute.default.factory()  # type: ignore[union-attr]
    return attribute.default


_NAMES = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "unset"}


def describe_type(tp: Any) -> str:
    """``int | None`` as "whole number", ``tuple[str, ...]`` as "list of text"."""
    if tp in _NAMES:
        return _NAMES[tp]
    members = type_members(tp)
    if len(members) > 1:
        return " or ".join(describe_type(m) for m in members if m is not type(None))
    if typing.get_origin(tp) is tuple:
        return f"list of {describe_type(typing.get_args(tp)[0])}"
    return getattr(tp, "__name__", str(tp))


def type_members(tp: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    if typing.get_origin(tp) in (typing.Union, types.UnionType):
        return typing.get_args(tp)
    return (tp,)


LAST = "0.3"  #: the first release that refuses former names
_T = TypeVar("_T")


@cache
def former_options(cls: Any) -> Mapping[str, str]:
    """Former name -> key of the option now, both without the table; whole keys (``train.pool``) are not among them."""
    return {old: spec.key for spec in option_specs(cls) for old in spec.former if "." not in old}


def former_keys(classes: Iterable[tuple[str, type]]) -> dict[str, str]:
    """Former dotted key -> dotted key now.

    Args:
        classes: ``(stem, options class)``, such as ``("train", TrainOptions)``.
    """
    return {
        old if "." in old else f"{stem}.{old}": f"{stem}.{spec.key}"
        for stem, cls in classes
        for spec in option_specs(cls)
        for old in spec.former
    }


def former_attributes(cls: type[_T]) -> type[_T]:
    """A class decorator above ``@attrs.frozen``: former names of options are readable, with a DeprecationWarning."""

    def read(self: Any, name: str) -> Any:
        now = former_options(self.__class__).get(name.replace("_", "-"))
        if now is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        attribute = now.replace("-", "_")
        text = f"{type(self).__name__}.{name} is now .{attribute}; the old name works until {LAST}"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return getattr(self, attribute)

    cls.__getattr__ = read  # type: ignore[attr-defined]
    return cls
