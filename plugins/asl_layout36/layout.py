"""Where the 36 numbers of the reference layout stand, and what a mirror makes of them.

Handshape 0:10 (five angles), location 10:16 (palm centres), orientation 16:22 (palm normals) and velocity 22:28 hold
the left hand and then the right, 28:30 how fast the left palm and the right one turn, 31:34 the direction of gaze. A
hand that was not found is 0 throughout.
"""

from __future__ import annotations

__all__ = ["MIRROR_FROM", "MIRROR_SIGN", "PALM", "PLACE", "SHAPE", "VELOCITY", "WIDTH", "unfit36"]

WIDTH = 36
_RAW_WIDTHS = (126, 225, 1629, 1662)  #: of MediaPipe: hands; pose and hands; holistic without and with visibility
SHAPE = slice(0, 10)
PLACE = slice(10, 16)
PALM = slice(16, 22)
VELOCITY = slice(22, 28)

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


def unfit36(width: int) -> str | None:
    """Why frames of ``width`` numbers cannot be of this layout."""
    if width == WIDTH:
        return None
    more = " (recipe hands is for raw landmarks such as those)" if width in _RAW_WIDTHS else ""
    return f"it knows the hands of the {WIDTH} numbers of the reference layout, and these frames have {width}{more}"
