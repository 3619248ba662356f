"""Which features of a frame are which points: the raw layouts of files, and the packed layout of this package.

A layout is recognised by its width, the number of features per frame; no two widths are equal. *Raw* is what a
detector wrote:

=====  ======================================================================================================
126    two slots x 21 hand points x (x, y, z); slots in order of detection, one without a hand is -1 throughout
225    pose 33, left hand 21, right hand 21, x (x, y, z)
1629   MediaPipe holistic: face 468, left hand 21, pose 33, right hand 21, x (x, y, z)
1662   pose 33 x (x, y, z, visibility), face 468, left hand 21, right hand 21, x (x, y, z)
=====  ======================================================================================================

x and y are in units of image width and height, y points down, z in about the unit of x and away from the camera. In
the last three a part that was not found is NaN or 0 throughout.

*Packed* is (x, y, z, seen) for each point: the signer's right hand, the left hand, then the body points, if any.
``seen`` is :data:`SEEN`, :data:`FILLED` where the place was interpolated, or :data:`ABSENT`; then x, y and z are 0.
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
    "other_side",
    "unfit_packed",
    "unfit_raw",
]

SEEN, FILLED, ABSENT = 1, 0, -1

HAND = 21  #: points of a hand: wrist, then four of each finger from the thumb on, root to tip
HANDS = 2 * HAND
POINT = 4  #: packed features per point
KNUCKLES = (5, 9, 13, 17)  #: where the four fingers leave the palm
TIPS = (4, 8, 12, 16, 20)

#: Body points taken from MediaPipe's pose: name -> index there. Left and right are the signer's.
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
        """The packed layout of ``width`` features per frame, or None."""
        return next((layout for layout in _PACKED if layout.width == width), None)

    @classmethod
    def require(cls, width: int, where: str) -> Packed:
        """The packed layout of ``width`` features per frame.

        Raises:
            ValueError: there is none.
        """
        layout = cls.of_width(width)
        if layout is None:
            raise ValueError(f"{where}: {_EXPECTED}, got {width}; put transform landmarks before it")
        return layout

    @property
    def points(self) -> int:
        """Points per frame."""
        return HANDS + self.body

    @property
    def width(self) -> int:
        """Features per frame."""
        return POINT * self.points

    def index_of(self, name: str) -> int | None:
        """Index of a body point among the points, or None where this layout lacks it."""
        number = BODY.index(name)
        return HANDS + number if number < self.body else None

    @property
    def mirrored(self) -> tuple[int, ...]:
        """(points,) index of the point that takes the place of each one in a mirror."""
        names = BODY[: self.body]
        body = [HANDS + names.index(other_side(name)) for name in names]
        return (*range(HAND, HANDS), *range(HAND), *body)


_PACKED = (Packed(0), Packed(len(POSE)), Packed(len(BODY)))
_EXPECTED = "expected packed landmarks (" + ", ".join(str(layout.width) for layout in _PACKED) + " features per frame)"


def other_side(name: str) -> str:
    """``right-NAME`` for ``left-NAME`` and the reverse; other names as they are."""
    side, _, rest = name.partition("-")
    return {"right": f"left-{rest}", "left": f"right-{rest}"}.get(side, name)


def unfit_raw(width: int) -> str | None:
    """Why frames of ``width`` features are not raw landmarks, or None."""
    if width in RAW_WIDTHS:
        return None
    widths = ", ".join(map(str, RAW_WIDTHS))
    more = " (recipe numbers36 is for those)" if width == 36 else ""
    more = "; these are packed already" if Packed.of_width(width) else more
    return f"it reads raw landmarks ({widths} features per frame), and these frames have {width}{more}"


def unfit_packed(width: int) -> str | None:
    """Why frames of ``width`` features are not packed landmarks, or None."""
    if Packed.of_width(width) is not None:
        return None
    raw = ": put transform landmarks before it" if width in RAW_WIDTHS else ""
    return f"it {_EXPECTED.replace('expected', 'takes')}, and these frames have {width}{raw}"
