"""Augmentations that know where the 36 numbers of the reference layout stand.

Handshape 0:10, location 10:16, orientation 16:22 and velocity 22:28 hold the left hand and then the right,
28:30 how fast the left palm and the right one turn, 31:34 the direction of gaze.
"""

from __future__ import annotations

import torch

from asl_augment.chance import changed
from asl_augment.options import MirrorOptions
from asl_core import Batch, ClipRandom

__all__ = ["MIRROR_FROM", "MIRROR_SIGN", "WIDTH", "Mirror"]

WIDTH = 36

#: (36,) where the mirrored frame takes each number from
MIRROR_FROM = (
    *range(5, 10), *range(5),
    *range(13, 16), *range(10, 13),
    *range(19, 22), *range(16, 19),
    *range(25, 28), *range(22, 25),
    29, 28, 30, *range(31, 36),
)  # fmt: skip

# A place, a velocity and a gaze turn their x around. A palm normal is a cross product of two vectors in the
# hand, so it keeps x and turns y and z around.
_TURNED = (10, 13, 17, 18, 20, 21, 22, 25, 31)
#: (36,) and with which sign
MIRROR_SIGN = tuple(-1.0 if d in _TURNED else 1.0 for d in range(WIDTH))


class Mirror:
    """A clip as a left-handed signer would perform it; exact, since it works on frames as they were extracted."""

    raw = True  # before standardisation, whose means and deviations differ between the two hands

    def __init__(self, options: MirrorOptions):
        self.options = options
        self._from = torch.tensor(MIRROR_FROM)
        self._sign = torch.tensor(MIRROR_SIGN)

    @staticmethod
    def unfit(width: int) -> str | None:
        """It knows one layout only."""
        if width == WIDTH:
            return None
        return f"it swaps the hands of the {WIDTH} numbers of the reference layout, and these frames have {width}"

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips, some of them mirrored."""
        features = batch.features
        chosen = changed(random, self.options.probability)
        mirrored = features.index_select(2, self._from.to(features.device)) * self._sign.to(features)
        return batch.with_features(torch.where(chosen[:, None, None], mirrored, features))
