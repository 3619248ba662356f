"""Options of the format ``video``; each has a default, since a format is made before anybody chose it."""

from __future__ import annotations

import attrs

from asl_core import option

__all__ = ["VideoOptions"]


@attrs.frozen(kw_only=True)
class VideoOptions:
    """What finds the landmarks."""

    detector: str | None = option(
        None, help="a detector, or MODULE:FUNCTION (default: ASL_DETECTOR, or mediapipe-hands)"
    )
    model: str | None = option(None, help="model file of the detector (default: ASL_HAND_MODEL, or the downloaded one)")
    mirror: bool = option(False, help="pictures are mirrored, as some selfie cameras save them")
