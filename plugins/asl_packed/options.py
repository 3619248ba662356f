"""Options of the data set ``packed``."""

from __future__ import annotations

import attrs

from asl_core import option

__all__ = ["PackedOptions"]


@attrs.frozen(kw_only=True)
class PackedOptions:
    """Options of the ``packed`` data set."""

    root: str | None = option(None, path=True, exists=True, help="folder that `asl pack` wrote")
    fps: float | None = option(None, help="frames per second of clips without a rate", gt=0, le=1000)
    bad_clips: str = option(
        "stop", choices=("stop", "drop"), help="what to do with clips that have NaN or infinite numbers"
    )
