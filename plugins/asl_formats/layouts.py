"""The layouts that files of this field have, by name.

========== ====== ============================================================================ =====================
name       points parts, in order (points)                                                     written by
========== ====== ============================================================================ =====================
mediapipe  543    pose 33, face 468, left hand 21, right hand 21                               MediaPipe Holistic
mediapipe478 553  the same with a face of 478 (irises)                                         MediaPipe Holistic
kaggle     543    face 468, left hand 21, pose 33, right hand 21                               Kaggle asl-signs
openhands  75     pose 33, left hand 21, right hand 21                                         OpenHands; MP_Data 225
hands      42     left hand 21, right hand 21                                                  MP_Data 126
detected   42     hand-1 21, hand-2 21, in the order of detection                              MediaPipe Hands
hand       21     hand-1 21, left or right                                                     MP_Data 63
pose       33     pose 33                                                                      MediaPipe Pose
openpose   137    pose 25, face 70, left hand 21, right hand 21                                OpenPose
openpose67 67     pose 25, left hand 21, right hand 21                                         OpenPose without face
wholebody  133    pose 17, feet 6, face 68, left hand 21, right hand 21                        RTMPose, DWPose, HRNet
slgcn      27     pose 7 of 17, 10 of each hand                                                SL-GCN, SAM-SLR
spoter     54     pose 12, left hand 21, right hand 21                                         SPOTER
========== ====== ============================================================================ =====================

A hand has the same 21 points in all of them: wrist, then thumb to little finger, each from its root to its tip.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from asl_core import Layout, Part

__all__ = [
    "AXES",
    "BY_POINT",
    "FACE",
    "HAND",
    "LAYOUTS",
    "POSE",
    "hand",
    "layout_of",
    "layouts_of_points",
    "points_of",
    "selected",
]

HAND, POSE, FACE = "hand21", "mediapipe-pose33", "mediapipe-face468"
_FACE478 = "mediapipe-face478"  #: the first 468 points are those of the other
_FINGERS = (0, 4, 5, 8, 9, 12, 13, 16, 17, 20)  #: points of a hand that SL-GCN takes


def hand(name: str) -> Part:
    """A whole hand called ``name``."""
    return Part(name, 21, HAND)


def selected(name: str, scheme: str, indices: Sequence[int]) -> Part:
    """Some points of a scheme."""
    return Part(name, len(indices), f"{scheme}[{','.join(map(str, indices))}]")


_LEFT, _RIGHT = hand("left-hand"), hand("right-hand")
_POSE, _FACE = Part("pose", 33, POSE), Part("face", 468, FACE)

#: name -> parts
LAYOUTS: Mapping[str, tuple[Part, ...]] = {
    "mediapipe": (_POSE, _FACE, _LEFT, _RIGHT),
    "mediapipe478": (_POSE, Part("face", 478, _FACE478), _LEFT, _RIGHT),
    "kaggle": (_FACE, _LEFT, _POSE, _RIGHT),
    "openhands": (_POSE, _LEFT, _RIGHT),
    "hands": (_LEFT, _RIGHT),
    "detected": (hand("hand-1"), hand("hand-2")),
    "hand": (hand("hand-1"),),
    "pose": (_POSE,),
    "openpose": (Part("pose", 25, "openpose-body25"), Part("face", 70, "openpose-face70"), _LEFT, _RIGHT),
    "openpose67": (Part("pose", 25, "openpose-body25"), _LEFT, _RIGHT),
    "wholebody": (Part("pose", 17, "coco17"), Part("feet", 6, "coco-feet6"), Part("face", 68, "face68"), _LEFT, _RIGHT),
    "slgcn": (
        selected("pose", "coco17", (0, 5, 6, 7, 8, 9, 10)),
        selected("left-hand", HAND, _FINGERS),
        selected("right-hand", HAND, _FINGERS),
    ),
    "spoter": (Part("pose", 12, "spoter12"), _LEFT, _RIGHT),
}
#: layouts whose points have a confidence of their own, so that single points are missing; of the others whole parts are
BY_POINT = frozenset({"openpose", "openpose67", "wholebody", "slgcn", "spoter"})
#: layouts that are taken only where they are named or recognised by what stands in the file
_NEVER_FOUND = frozenset({"detected"})
AXES = ("x", "y", "z")


@functools.cache
def points_of(name: str) -> int:
    """Points of a layout."""
    return sum(part.points for part in LAYOUTS[name])


@functools.lru_cache(maxsize=256)
def layouts_of_points(points: int) -> tuple[str, ...]:
    """Names of the layouts with so many points."""
    return tuple(name for name in LAYOUTS if name not in _NEVER_FOUND and points_of(name) == points)


def layout_of(name: str, axes: Sequence[str] = AXES, unit: str = "image") -> Layout:
    """A layout by its name."""
    return Layout(LAYOUTS[name], tuple(axes), unit)
