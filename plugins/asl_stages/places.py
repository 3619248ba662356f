"""Where a checkpoint keeps its state dicts: every place is looked at, and the one that fits best is taken.

The first dict of tensors that is met may be a metric: ``{'model': …, 'best_acc': tensor(.91)}`` holds a lone tensor at
its top. Which of several is the encoder's only the encoder can say, so all are handed on, the likelier first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from torch import Tensor

__all__ = ["StateDict", "state_dicts"]

#: where programs keep a state dict, the likelier first
_PLACES = (
    "state_dict", "model_state_dict", "encoder_state_dict", "model", "encoder", "net", "network", "module", "weights",
    "params", "checkpoint", "ema", "model_ema", "ema_model", "teacher", "shadow",
)  # fmt: skip
_DEPTH = 6
_LONGEST_KEY = 400  #: characters of a key, as a part of a place
_MOST = 200  #: dicts that are looked at: a file may hold any number
#: what wrappers put before each name: data parallel, torch.compile, Lightning
_WRAPPERS = re.compile(r"^((?:module|_orig_mod|_module|model|net|network|encoder)\.)+")


@attrs.frozen
class StateDict:
    """Tensors that stand together."""

    place: str  #: dotted keys that lead to it, empty for the content itself
    tensors: Mapping[str, Tensor]
    gathered: bool = False  #: from the tables in it, and not its own
    prefix: str = ""  #: what was taken from each of its names, with its last dot

    @property
    def numbers(self) -> int:
        """How many it holds."""
        return sum(t.numel() for t in self.tensors.values())

    def described(self) -> str:
        """``state dict under 'model', without 'module.'``."""
        where = f" under {self.place!r}" if self.place else ""
        return f"state dict{where}" + (f", names without {self.prefix!r}" if self.prefix else "")


def state_dicts(content: Any) -> list[StateDict]:
    """Every state dict of a checkpoint, the likeliest first: the most numbers, then the more usual place.

    Last come tables of nothing but tables of tensors, under dotted names: parts of one model may be kept so
    (``{'lstm': {'weight': …}, 'norm': {'weight': …}}``). Optimisers and schedules are left out.
    """
    direct, nested = [], []
    for place, table in _tables(content):
        if own := {k: v for k, v in table.items() if isinstance(k, str) and isinstance(v, Tensor)}:
            direct.append(StateDict(place, own))
        elif whole := _nested(table):
            nested.append(StateDict(place, whole, gathered=True))
    found: dict[frozenset[int], StateDict] = {}
    for group in (direct, nested):
        for one in sorted(group, key=lambda one: (-one.numbers, _rank(one.place))):
            found.setdefault(frozenset(map(id, one.tensors.values())), one)  # the same tensors twice: the likelier
    return [form for one in found.values() for form in _without_wrappers(one)]


def _tables(content: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Every table in nested tables and lists, with its place; each container once, since one may hold itself."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [("", content, 0)] if isinstance(content, Mapping | list | tuple) else []
    for place, value, depth in waiting:  # grows while it is gone through: breadth first
        if id(value) in seen or depth > _DEPTH or len(seen) > _MOST:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            yield place, value
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in pairs:
            if isinstance(inner, Mapping | list | tuple) and not _is_state_of_training(key):
                name = str(key)[:_LONGEST_KEY]
                waiting.append((f"{place}.{name}" if place else name, inner, depth + 1))
                if len(waiting) > 10 * _MOST:
                    break


def _is_state_of_training(key: Any) -> bool:
    return isinstance(key, str) and ("optim" in key.lower() or "sched" in key.lower())


def _nested(table: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Tensors of tables of tables under dotted names, where nothing but tables of tensors is in it; else nothing."""
    found: dict[str, Tensor] = {}
    waiting: list[tuple[str, Any, int]] = [("", table, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, Tensor):
            found[name] = value
        elif isinstance(value, Mapping) and depth <= _DEPTH and len(found) < 10_000:
            for key, inner in value.items():
                if not isinstance(key, str) or not isinstance(inner, Mapping | Tensor):
                    return {}
                waiting.append((f"{name}.{key}" if name else key, inner, depth + 1))
        else:
            return {}
    return dict(reversed(found.items()))


def _without_wrappers(one: StateDict) -> Iterator[StateDict]:
    """As it is; then, where all or some of its names begin with the name of a wrapper, those without it."""
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
    """How usual a place is: the order of its keys among the usual ones, fewer keys first."""
    keys = place.split(".") if place else []
    return (len(keys), *(_PLACES.index(key) if key in _PLACES else len(_PLACES) for key in keys))
