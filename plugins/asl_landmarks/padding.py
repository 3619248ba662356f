"""Frames of zeros at either end of a clip, by which clips are padded to a common length, cut off."""

from __future__ import annotations

import attrs
import numpy as np

from asl_core import Clip, NoOptions

__all__ = ["Unpad"]


class Unpad:
    """The transform ``unpad``: takes features of any layout. A clip of zeros alone stays as it is."""

    cuts_padding = True  #: the audit names it where clips look padded

    def __init__(self, options: NoOptions):
        pass

    def unfit(self, width: int) -> str | None:
        """Nothing: any number of features will do."""
        return None

    def __call__(self, clip: Clip) -> Clip:
        """The clip from its first to its last frame that has a number other than 0."""
        return attrs.evolve(clip, features=clip.features[self.frames_kept(clip)])

    def frames_kept(self, clip: Clip) -> slice:
        """Those between the padding."""
        seen = np.flatnonzero((clip.features != 0).any(1))
        return slice(int(seen[0]), int(seen[-1]) + 1) if len(seen) else slice(0, len(clip.features))
