"""Which numbers of a frame are which points: the raw layouts that files have, and the packed one of this package.

A layout is known by its width, numbers a frame, so that arrays of no other description can be read; no two widths
are equal. *Raw* is what a detector gave:

=====  ======================================================================================================
126    two slots x 21 hand points x (x, y, z); slots in order of detection, one without a hand is -1 throughout
225    pose 33, left hand 21, right hand 21, x (x, y, z)
1629   MediaPipe holistic: face 468, left hand 21, pose 33, right hand 21, x (x, y, z)
1662   pose 33 x (x, y, z, visibility), face 468, left hand 21, right hand 21, x (x, y, z)
=====  ======================================================================================================

x and y are in units of image width and height, y points down, z in about the unit of x and away from the camera. In
the last three a part that was not found is NaN or 0 throughout.

*Packed* is (x, y, z, seen) for each point: the signer's right hand, the left hand, then the body points that there
are. ``seen`` is :data:`SEEN`, :data:`FILLED` where the place was made up from frames around, or :data:`ABSENT`, and
then x, y and z are 0.
"""

from __future__ import annotations

import attrs

__all__ = [
    "ABSENT",
    "BODY",
    "FACE",
    "FILLED",
    "HAND",
    "HANDS",
    "KNUCKLES",
    "POINT",
    "POSE",
    "RAW_WIDTHS",
    "SEEN",
    "TIPS",
    "Packed",
    "unfit_packed",
    "unfit_raw",
]

SEEN, FILLED, ABSENT = 1, 0, -1

HAND = 21  #: points of a hand: wrist, then four of each finger from the thumb on, root to tip
HANDS = 2 * HAND
POINT = 4  #: packed numbers a point
KNUCKLES = (5, 9, 13, 17)  #: where the four fingers leave the palm
TIPS = (4, 8, 12, 16, 20)

#: Body points taken from MediaPipe's pose: name -> number there. Left and right are the signer's.
POSE = {
    "nose": 0,
    "right-eye": 5,
    "left-eye": 2,
    "right-mouth": 10,
    "left-mouth": 9,
    "right-shoulder": 12,
    "left-shoulder": 11,
    "right-elbow": 14,
    "left-elbow": 13,
    "right-hip": 24,
    "left-hip": 23,
}
#: Body points taken from MediaPipe's face mesh.
FACE = {
    "right-brow": 105,
    "left-brow": 334,
    "right-eye-corner": 33,
    "left-eye-corner": 263,
    "right-lip-corner": 61,
    "left-lip-corner": 291,
    "upper-lip": 13,
    "lower-lip": 14,
}
BODY = (*POSE, *FACE)  #: names of the points after the hands, in their order

RAW_WIDTHS = (126, 225, 1629, 1662)


@attrs.frozen
class Packed:
    """A packed layout: the two hands and the first ``body`` points of :data:`BODY`."""

    body: int  #: 0, those of the pose, or those of pose and face

    @classmethod
    def of_width(cls, width: int) -> Packed | None:
        """The packed layout of so many numbers a frame, or None."""
        return next((layout for layout in _PACKED if layout.width == width), None)

    @classmethod
    def require(cls, width: int, where: str) -> Packed:
        """The packed layout of so many numbers a frame.

        Raises:
            ValueError: there is none.
        """
        found = cls.of_width(width)
        if found is None:
            raise ValueError(f"{where}: {_EXPECTED}, got {width} numbers a frame; put transform landmarks before it")
        return found

    @property
    def points(self) -> int:
        """Points a frame."""
        return HANDS + self.body

    @property
    def width(self) -> int:
        """Numbers a frame."""
        return POINT * self.points

    def place(self, name: str) -> int | None:
        """Where a body point stands among the points, or None where this layout lacks it."""
        number = BODY.index(name)
        return HANDS + number if number < self.body else None

    @property
    def mirrored(self) -> tuple[int, ...]:
        """(points,) which point stands for each one when left and right are swapped."""
        names = BODY[: self.body]
        body = [HANDS + names.index(_other_side(name)) for name in names]
        return (*range(HAND, HANDS), *range(HAND), *body)


_PACKED = (Packed(0), Packed(len(POSE)), Packed(len(BODY)))
_EXPECTED = "expected packed landmarks (" + ", ".join(str(layout.width) for layout in _PACKED) + " numbers a frame)"


def _other_side(name: str) -> str:
    side, _, rest = name.partition("-")
    return {"right": f"left-{rest}", "left": f"right-{rest}"}.get(side, name)


def unfit_raw(width: int) -> str | None:
    """Why frames of this width are no raw landmarks, or None."""
    if width in RAW_WIDTHS:
        return None
    widths = ", ".join(map(str, RAW_WIDTHS))
    known = {36: " (recipe numbers36 is for those)"}
    more = "; these are packed already" if Packed.of_width(width) else known.get(width, "")
    return f"it reads raw landmarks ({widths} numbers a frame), and these frames have {width}{more}"


def unfit_packed(width: int) -> str | None:
    """Why frames of this width are no packed landmarks, or None."""
    if Packed.of_width(width) is not None:
        return None
    raw = ": put transform landmarks before it" if width in RAW_WIDTHS else ""
    return f"it {_EXPECTED.replace('expected', 'takes')}, and these frames have {width}{raw}"
