"""A cell: the values of one coordinate over time, ``"[0.51, 0.52, 0.0]"``, read without running anything."""

from __future__ import annotations

import json
import re

import numpy as np

__all__ = ["read_cell"]

_WORDS = re.compile(r"\b(?:nan|None|null)\b")  # a missing value, as Python or JSON writes it
_LARGEST = float(np.finfo(np.float32).max)


def read_cell(text: str) -> np.ndarray | None:
    """(T,) float32 values, 0 where one is missing; None where the whole cell is missing (empty, or a lone 0).

    Raises:
        ValueError: the text is no list of numbers; the message says what it is.
    """
    text = text.strip()
    if text in ("", "0", "0.0"):
        return None
    try:
        values = json.loads(_WORDS.sub("NaN", text) if "n" in text else text)
    except (ValueError, RecursionError) as fault:
        raise ValueError(f"{text[:40]!r} is not a list of numbers") from fault
    if not isinstance(values, list):
        raise ValueError(f"{text[:40]!r} is no list")
    if strange := set(map(type, values)) - {int, float}:  # a bool, a list, a text
        place = next(i for i, value in enumerate(values) if type(value) in strange)
        raise ValueError(f"value {place + 1} of the list is {str(values[place])[:40]!r}, which is no number")
    # Cells come by the hundred thousand: the extremes say it, and only where a NaN is among them, each value.
    if values and not -_LARGEST <= min(values) <= max(values) <= _LARGEST and not all(map(_fits, values)):
        raise ValueError(f"{text[:40]!r} is a list with numbers of more than 32 bits")
    found = np.array(values, dtype=np.float32)
    found[np.isnan(found)] = 0.0
    return found


def _fits(value: float) -> bool:
    return not abs(value) > _LARGEST  # NaN, which stands for a missing value, does
