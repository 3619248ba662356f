"""JSON and safetensors of unknown origin, refused before they take far more memory than the file has bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["open_tensors", "parse_json"]

_SPARE = 48 << 20  #: bytes that any JSON may take
_TIMES = 7  #: and for each of its characters
_HEADER = 2 << 20  #: bytes of a safetensors header, of some hundred for each tensor


def parse_json(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """JSON as Python values, unless they would take far more memory than the text.

    Args:
        text: of a file.
        pairs: ``object_pairs_hook`` of :func:`json.loads`.

    Raises:
        ValueError: it is not JSON, is nested too deep, or consists of millions of empty lists and tables.
    """
    # Bytes in CPython of a list, a dict, half a text and the place of an item in what holds it.
    weight = 72 * text.count("[") + 256 * text.count("{") + 32 * text.count('"') + 40 * text.count(",")
    if weight > _SPARE + _TIMES * len(text):
        raise ValueError(f"it would take some {weight >> 20} MiB of memory, many times its size")
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except RecursionError as fault:
        raise ValueError("it is nested deeper than any such file") from fault


@contextmanager
def open_tensors(path: Path) -> Iterator[Any]:
    """A safetensors file for reading on the CPU, its header bounded before it is parsed.

    Raises:
        ValueError: the header is larger than any model needs, or shorter than it claims.
        safetensors.SafetensorError: it is damaged.
        OSError: it cannot be read.
    """
    import safetensors  # slow, and not needed for JSON

    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    size = path.stat().st_size
    if length > size - 8:
        raise ValueError(f"its header claims {length:,} bytes, and the file has {size:,}")
    if length > _HEADER + size // 100:
        raise ValueError(f"its header has {length:,} bytes, more than the names of any model's tensors take")
    with safetensors.safe_open(path, framework="pt", device="cpu") as opened:
        yield opened
