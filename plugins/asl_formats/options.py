"""Options of the formats; each has a default, since a format is made before anybody chose it."""

from __future__ import annotations

import attrs

from asl_core import option

__all__ = ["ArrayOptions"]

#: those of :mod:`asl_formats.layouts`, which would import numpy; a test holds them to it
NAMES = (
    "mediapipe", "mediapipe478", "kaggle", "openhands", "hands", "detected", "hand", "pose", "openpose", "openpose67",
    "wholebody", "slgcn", "spoter",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class ArrayOptions:
    """Options of formats whose files hold bare arrays of numbers."""

    layout: str | None = option(None, choices=NAMES, help="layout of the points (default: by the shape)")
