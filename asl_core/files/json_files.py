"""The JSON files of a run, which may be damaged or of unknown origin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asl_core.errors import CheckpointError
from asl_core.files.bounded import parse_json

__all__ = ["plain", "read_json"]


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
