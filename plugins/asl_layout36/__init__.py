"""Empty: what was here is in ``asl_landmarks``. Environments installed before the merge still name this module."""

from __future__ import annotations

from asl_core import Component, hookimpl


@hookimpl
def asl_transforms() -> list[Component]:
    """None."""
    return []
