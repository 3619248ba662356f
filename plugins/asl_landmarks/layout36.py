"""The 36 features of the reference extractor: where they are, their names, and how a mirror image changes them.

====== =========== =============================================================================================
0:10   handshape   of each hand the angle between thumb tip and index root as seen from the wrist, then of each
                   finger the one by which root to tip bends away from wrist to root; radians, 0 is straight
10:16  location    of each hand the mean of wrist and finger roots (x, y, z) from the nose, in shoulder widths
16:22  orientation of each hand the unit normal of wrist, index root and little root
22:28  movement    of each hand the change of location since the frame before
28:31              of each hand the size of the change of its normal, then 0
31:36  non-manual  the direction the face looks in (x, y, z), how far the mouth is open, 0
====== =========== =============================================================================================

The left hand comes first. The features of a hand that was not detected are 0.
"""

from __future__ import annotations

import numpy as np

from asl_landmarks.layout import RAW_WIDTHS, other_side

__all__ = [
    "MIRROR_FROM",
    "MIRROR_SIGN",
    "NAMES",
    "PALM",
    "PLACE",
    "SHAPE",
    "VELOCITY",
    "WIDTH",
    "hands_seen36",
    "unfit36",
]

SHAPE = slice(0, 10)
PLACE = slice(10, 16)  #: palm centres
PALM = slice(16, 22)  #: palm normals
VELOCITY = slice(22, 28)


def _of_hands(*features: str) -> list[str]:
    return [f"{side}-{feature}" for side in ("left", "right") for feature in features]


#: (36,) name of each feature
NAMES = (
    *_of_hands("thumb", "index", "middle", "ring", "little"),
    *_of_hands("place-x", "place-y", "place-z"),
    *_of_hands("normal-x", "normal-y", "normal-z"),
    *_of_hands("velocity-x", "velocity-y", "velocity-z"),
    *_of_hands("turning"),
    "unused-30", "gaze-x", "gaze-y", "gaze-z", "mouth", "unused-35",
)  # fmt: skip
WIDTH = len(NAMES)

#: (36,) index of the feature that the mirrored frame has in each position
MIRROR_FROM = tuple(NAMES.index(other_side(name)) for name in NAMES)

# A mirror reverses the x of a place, a velocity and a gaze. A palm normal is a cross product of two vectors in the
# hand, so it keeps x and reverses y and z.
_REVERSED = ("place-x", "velocity-x", "gaze-x", "normal-y", "normal-z")
#: (36,) 1 or -1: the sign it has there
MIRROR_SIGN = tuple(-1.0 if name.endswith(_REVERSED) else 1.0 for name in NAMES)


def unfit36(width: int) -> str | None:
    """Why frames of ``width`` features cannot be of this layout, or None."""
    if width == WIDTH:
        return None
    more = " (recipe hands is for raw landmarks such as those)" if width in RAW_WIDTHS else ""
    return f"it takes the {WIDTH} features of the reference layout, and these frames have {width}{more}"


def hands_seen36(features: np.ndarray) -> np.ndarray:
    """(T, 2) bool: whether frames (T, 36) show the left and the right hand."""
    shapes, places = features[:, SHAPE].reshape(-1, 2, 5), features[:, PLACE].reshape(-1, 2, 3)
    return np.asarray((shapes != 0).any(2) | (places != 0).any(2))
