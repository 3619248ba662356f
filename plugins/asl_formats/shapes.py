"""Which axis of an array is which: time, points, coordinates and people, told by the sizes alone.

Every order of axes that files of this field have is tried on a shape. One that fits is taken; several that fit are
refused with the list of them, since a wrong one would train on noise.
"""

from __future__ import annotations

import functools

import attrs
import numpy as np

from asl_formats.layouts import BY_POINT, LAYOUTS, POSE, layouts_of_points, points_of

__all__ = ["Reading", "readings"]

#: T frames, V points, C coordinates of a point, M people, D = V·C numbers of a frame, 1 a batch of one
_ORDERS = ("TD", "DT", "1TD", "TVC", "CTV", "TVC1", "TMVC", "MTVC", "CTVM", "1CTV")
_PEOPLE = 2
_COORDINATES = (2, 3, 4)


@attrs.frozen
class Reading:
    """One way to read an array of a clip."""

    order: str  #: of the axes, such as ``TVC``
    name: str  #: of the layout
    coordinates: int  #: numbers of a point

    @property
    def stored(self) -> int:
        """Numbers of a frame as they are stored."""
        return _stored(self.name, self.coordinates)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the coordinates that are kept; a third or fourth one may be a confidence."""
        return ("x", "y") if self.coordinates == 2 or self.name in BY_POINT else ("x", "y", "z")

    def __str__(self) -> str:
        words = {
            "T": "frames", "D": "numbers", "V": "points", "C": "coordinates", "M": "people", "1": "1",
        }  # fmt: skip
        axes = ", ".join(words[letter] for letter in self.order)
        return f"({axes}) of layout {self.name}"

    def arranged(self, array: np.ndarray) -> np.ndarray:
        """The array as (people, T, points, coordinates); a view where it can be one."""
        order = self.order
        if "1" in order:
            place = order.index("1")
            array, order = array.take(0, axis=place), order.replace("1", "")
        if "D" in order:
            array = array if order == "TD" else array.T
            if self.coordinates == 4:
                return _with_visibility(array)[None]
            return array.reshape(1, len(array), -1, self.coordinates)
        if "M" not in order:
            array, order = array[None], "M" + order
        return array.transpose([order.index(letter) for letter in "MTVC"])


@functools.lru_cache(maxsize=1024)  # clips have few shapes
def readings(shape: tuple[int, ...], name: str = "") -> tuple[Reading, ...]:
    """The ways to read an array of a shape, the likelier first.

    Args:
        shape: of the array.
        name: of the layout, where it is known.
    """
    if not shape or 0 in shape:
        return ()
    found: list[Reading] = []
    for order in _ORDERS:
        if len(order) == len(shape):
            found += _fitting(order, dict(zip(order, shape, strict=True)), name)
    by_way: dict[tuple[str, int, str], Reading] = {}
    for reading in found:
        # Of one frame, or one person, two orders may be the same array.
        meaning = "".join(a for a, n in zip(reading.order, shape, strict=True) if n > 1)
        by_way.setdefault((meaning, reading.coordinates, reading.name), reading)
    return tuple(by_way.values())


def _fitting(order: str, sizes: dict[str, int], name: str) -> list[Reading]:
    if sizes.get("1", 1) != 1 or sizes.get("M", 1) > _PEOPLE:
        return []
    if "D" in order:
        names = [name] if name else [n for n in LAYOUTS if n in layouts_of_points(points_of(n))]
        pairs = [(n, c) for n in names for c in _COORDINATES if _fits(n, c) and _stored(n, c) == sizes["D"]]
        return [Reading(order, n, c) for n, c in pairs]
    names = [name] if name else list(layouts_of_points(sizes["V"]))
    return [Reading(order, n, sizes["C"]) for n in names if points_of(n) == sizes["V"] and _fits(n, sizes["C"])]


def _fits(name: str, coordinates: int) -> bool:
    """Whether points of a layout have so many numbers: a fourth one is the visibility of MediaPipe's pose."""
    return coordinates in (2, 3) or (coordinates == 4 and LAYOUTS[name][0].scheme == POSE)


def _stored(name: str, coordinates: int) -> int:
    """Numbers of a flat frame; the visibility stands with the points of the pose alone."""
    return 3 * points_of(name) + 33 if coordinates == 4 else points_of(name) * coordinates


def _with_visibility(array: np.ndarray) -> np.ndarray:
    """(T, points, 3) of frames that begin with a pose of x, y, z and visibility."""
    pose = array[:, : 33 * 4].reshape(len(array), 33, 4)[..., :3]
    rest = array[:, 33 * 4 :].reshape(len(array), -1, 3)
    return np.concatenate([pose, rest], axis=1)
