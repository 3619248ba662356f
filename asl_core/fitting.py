"""Transforms and augmentations that know one layout: refused, or left out and told, on frames of another."""

from __future__ import annotations

from typing import Any

import attrs

from asl_core.config import RunConfig
from asl_core.errors import ConfigError

__all__ = ["fit_to_width"]

_FIELDS = {"transform": "transforms", "augment": "augments"}


def fit_to_width(config: RunConfig, slot: str, width: int) -> RunConfig:
    """The configuration without the suggested components of ``slot`` that cannot take ``width`` numbers a frame.

    A component says so by a method ``unfit(width) -> str | None``. What is left out is told in the notes.

    Raises:
        ConfigError: one that the user chose does not fit.
    """
    choices = getattr(config, _FIELDS[slot])
    reasons = {}
    for choice in choices:
        unfit = getattr(choice.build(), "unfit", None)
        if unfit is not None and (reason := unfit(width)) is not None:
            reasons[choice.name] = reason
    if not reasons:
        return config
    texts = [f"{slot} {name} does not fit: {reason}" for name, reason in reasons.items()]
    origin = config.origins.get(f"{slot}.names", "default")
    if not origin.startswith("suggested by"):
        raise ConfigError([f"{origin}: {text}; leave it out of --{slot}" for text in texts])
    kept = tuple(c for c in choices if c.name not in reasons)
    notes = (*config.notes, *(f"{text}; it is left out" for text in texts))
    changed: dict[str, Any] = {_FIELDS[slot]: kept, "notes": notes}
    return attrs.evolve(config, **changed)
