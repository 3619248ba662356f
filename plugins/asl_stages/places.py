"""Finding the state dicts of a checkpoint, wherever it keeps them.

The first dict of tensors may be a metric: ``{'model': …, 'best_acc': tensor(.91)}`` has a single tensor at its top.
Only the encoder can tell which of several is its own, so all are returned, the likeliest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from torch import Tensor

from asl_stages.content import is_state_of_training, key_text

__all__ = ["StateDict", "state_dicts"]

#: where programs keep a state dict, the likelier first
_PLACES = (
    "state_dict", "model_state_dict", "encoder_state_dict", "model", "encoder", "net", "network", "module", "weights",
    "params", "checkpoint", "ema", "model_ema", "ema_model", "teacher", "shadow",
)  # fmt: skip
_DEPTH = 6
_MOST = 200  #: dicts that are visited: a file may hold any number
#: prefixes of wrappers: data parallel, torch.compile, Lightning
_WRAPPERS = re.compile(r"^((?:module|_orig_mod|_module|model|net|network|encoder)\.)+")


@attrs.frozen
class StateDict:
    """Tensors in one dict, or in nested ones."""

    place: str  #: dotted keys of the dict, empty for the content itself
    tensors: Mapping[str, Tensor]
    gathered: bool = False  #: from nested dicts
    prefix: str = ""  #: removed from each name, with its last dot

    @property
    def numbers(self) -> int:
        """How many values it holds."""
        return sum(t.numel() for t in self.tensors.values())

    def described(self) -> str:
        """``state dict under 'model', without 'module.'``."""
        where = f" under {self.place!r}" if self.place else ""
        return f"state dict{where}" + (f", names without {self.prefix!r}" if self.prefix else "")


def state_dicts(content: Any) -> list[StateDict]:
    """Every state dict of a checkpoint, the likeliest first: the most values, then the more usual place.

    Last come dicts of nothing but dicts of tensors, by dotted names: ``{'lstm': {'weight': …}, 'norm': {…}}``.
    Optimisers and schedules are left out.
    """
    direct, nested = [], []
    for place, table in _tables(content):
        if own := {k: v for k, v in table.items() if isinstance(k, str) and isinstance(v, Tensor)}:
            direct.append(StateDict(place, own))
        elif whole := _nested(table):
            nested.append(StateDict(place, whole, gathered=True))
    distinct: dict[frozenset[int], StateDict] = {}
    for group in (direct, nested):
        for one in sorted(group, key=lambda one: (-one.numbers, _rank(one.place))):
            distinct.setdefault(frozenset(map(id, one.tensors.values())), one)  # the same tensors twice: the likelier
    return [form for one in distinct.values() for form in _without_wrappers(one)]


def _tables(content: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Every dict in nested dicts and lists, with its place; each container once, since one may hold itself."""
    visited: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [("", content, 0)] if isinstance(content, Mapping | list | tuple) else []
    for place, value, depth in waiting:  # grows during the loop: breadth first
        if id(value) in visited or depth > _DEPTH or len(visited) > _MOST:
            continue
        visited.add(id(value))
        if isinstance(value, Mapping):
            yield place, value
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in pairs:
            if isinstance(inner, Mapping | list | tuple) and not is_state_of_training(key):
                name = key_text(key)
                waiting.append((f"{place}.{name}" if place else name, inner, depth + 1))
                if len(waiting) > 10 * _MOST:
                    break


def _nested(table: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Tensors of nested dicts by dotted names; empty where anything else is among them."""
    tensors: dict[str, Tensor] = {}
    waiting: list[tuple[str, Any, int]] = [("", table, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, Tensor):
            tensors[name] = value
        elif isinstance(value, Mapping) and depth <= _DEPTH and len(tensors) < 10_000:
            for key, inner in value.items():
                if not isinstance(key, str) or not isinstance(inner, Mapping | Tensor):
                    return {}
                waiting.append((f"{name}.{key}" if name else key, inner, depth + 1))
        else:
            return {}
    return dict(reversed(tensors.items()))


def _without_wrappers(one: StateDict) -> Iterator[StateDict]:
    """As it is; then, for each wrapper among its prefixes, the names below it."""
    yield one
    prefixes = dict.fromkeys(
        prefix[: end + 1]
        for name in one.tensors
        if (match := _WRAPPERS.match(name)) is not None
        for prefix in [match.group()]
        for end, letter in enumerate(prefix)
        if letter == "."
    )
    for prefix in list(prefixes)[:20]:
        inner = {n.removeprefix(prefix): t for n, t in one.tensors.items() if n.startswith(prefix)}
        yield StateDict(one.place, inner, one.gathered, prefix)


def _rank(place: str) -> tuple[int, ...]:
    """Sort key by how usual a place is: fewer keys first, then the order of :data:`_PLACES`."""
    keys = place.split(".") if place else []
    return (len(keys), *(_PLACES.index(key) if key in _PLACES else len(_PLACES) for key in keys))
