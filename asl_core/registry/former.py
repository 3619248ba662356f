"""Former names of options: read from every source of settings, and as attributes, until the release :data:`LAST`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

from asl_core.registry.options import option_specs

__all__ = ["LAST", "former_attributes", "former_keys", "former_options"]

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
