"""What a ``.pt`` file holds besides its state dict: all tensors by dotted names, and the facts that it states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

__all__ = ["TangledError", "is_state_of_training", "key_text", "named_tensors", "plain_facts", "tensors_under"]

_DEEPEST = 50  #: levels of nested containers
_LONGEST_KEY = 400  #: characters of a key, as a part of a name
_ROOM_FOR_NAMES = 24 << 20  #: bytes of the dotted names of all tensors


class TangledError(Exception):
    """The names of a file's tensors would take far more room than any checkpoint's."""


def tensors_under(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """All tensors in nested dicts and lists by dotted names, without those of optimisers and schedules."""
    return dict(named_tensors({k: v for k, v in content.items() if not is_state_of_training(k)}))


def named_tensors(content: Any) -> Iterator[tuple[str, Tensor]]:
    """Every tensor with its dotted name; each container is visited once, since a pickle may hold one in itself.

    Raises:
        TangledError: containers are nested very deep, or one tensor has very many names.
    """
    visited: set[int] = set()
    waiting: list[tuple[str, int, Any]] = [("", 0, content)]
    room = _ROOM_FOR_NAMES
    while waiting:
        name, depth, value = waiting.pop()
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in visited:
            visited.add(id(value))
            pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
            inner = [(k, v) for k, v in pairs if isinstance(v, Tensor | Mapping | list | tuple)]
            room -= len(inner) * (100 + len(name))
            if inner and (depth > _DEEPEST or room < 0):
                raise TangledError("nests its contents deeper, or repeats them more often, than any checkpoint does")
            waiting += [(f"{name}.{key_text(k)}" if name else key_text(k), depth + 1, v) for k, v in reversed(inner)]


def key_text(key: Any) -> str:
    """A key as a part of a name, cut where it is very long."""
    text = str(key)
    return text if len(text) <= _LONGEST_KEY else f"{text[:_LONGEST_KEY]}…"


def is_state_of_training(key: Any) -> bool:
    """Whether a key names an optimiser or a schedule."""
    return isinstance(key, str) and ("optim" in key.lower() or "sched" in key.lower())


def plain_facts(content: Mapping[Any, Any]) -> dict[str, Any]:
    """The numbers and texts at a checkpoint's top level, with small tables and the last entry of long lists."""
    facts: dict[str, Any] = {}
    for key, value in content.items():
        if is_state_of_training(key) or key in ("gloss_to_id", "id_to_gloss"):
            continue
        if _is_plain(value):
            facts[str(key)] = value
        elif isinstance(value, list) and value and (_is_plain(value[-1]) or _is_table(value[-1])):
            facts[f"{key} (last of {len(value)})"] = value[-1]
        elif _is_table(value):
            facts[str(key)] = {str(k): v if _is_plain(v) else str(v)[:80] for k, v in value.items()}
    return facts


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200)


def _is_table(value: Any) -> bool:
    def leaf(v: Any) -> bool:
        return _is_plain(v) or (isinstance(v, list | tuple) and len(v) <= 8 and all(_is_plain(x) for x in v))

    return (
        isinstance(value, Mapping)
        and 0 < len(value) <= 64
        and all(isinstance(k, str) and leaf(v) for k, v in value.items())
    )
