"""JSON and safetensors of unknown origin, refused before they take far more memory than the file has bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asl_core.errors import CheckpointError

__all__ = ["open_tensors", "parse_json", "plain", "read_json"]

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


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """The table in a JSON file.

    Args:
        path: the file.
        remedy: what to do where it cannot be read; ends the message.

    Raises:
        CheckpointError: missing, not a file, not JSON, or not a table.
    """
    try:
        if not path.is_file():
            raise OSError("there is no such file")
        content = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__} instead of a table")
    except (OSError, ValueError, RecursionError) as fault:
        raise CheckpointError(
            f"{path} cannot be read ({type(fault).__name__}: {str(fault)[:200]}); expected a file written by a run. "
            f"{remedy}"
        ) from fault
    return content


def plain(value: Any) -> Any:
    """A value for JSON: numbers that are not finite become null, since JSON has none such."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value
