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
        ValueError: the text is not a list of numbers.
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
    if others := set(map(type, values)) - {int, float}:  # a bool, a list, a text
        index = next(i for i, value in enumerate(values) if type(value) in others)
        raise ValueError(f"value {index + 1} of the list is {str(values[index])[:40]!r}, which is no number")
    # For speed only the extremes are tested; every value only where a NaN is among them.
    if values and not -_LARGEST <= min(values) <= max(values) <= _LARGEST and not all(map(_fits, values)):
        raise ValueError(f"{text[:40]!r} is a list with numbers of more than 32 bits")
    array = np.array(values, dtype=np.float32)
    array[np.isnan(array)] = 0.0
    return array


def _fits(value: float) -> bool:
    return not abs(value) > _LARGEST  # true for NaN, a missing value
