"""The layout of a clip's points: which numbers of a frame are which point of which part of the body.

The core carries layouts from files to transforms and into saved models; it gives no meaning to the names in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

__all__ = ["Layout", "Part"]


@attrs.frozen
class Part:
    """Points that belong together, such as one hand.

    ``scheme`` names how they are numbered (``hand21``, ``mediapipe-pose33``): the same part of two layouts can be told
    point by point where their schemes are the same. Some points of a scheme are written with their numbers in it,
    ``hand21[0,4,8]``.
    """

    name: str  #: ``left-hand``, ``right-hand``, ``hand-1`` where the side is not known, ``pose``, ``face``, …
    points: int = attrs.field(validator=attrs.validators.ge(1))
    scheme: str = attrs.field(default="")

    @scheme.validator
    def _check_scheme(self, _: object, value: str) -> None:
        if "[" in value and (not value.endswith("]") or len(self.indices) != self.points):
            raise ValueError(f"part {self.name!r} has {self.points} points and the scheme {value!r:.200}")

    @property
    def base_scheme(self) -> str:
        """The scheme without the numbers of the points that are there."""
        return self.scheme.partition("[")[0]

    @property
    def indices(self) -> tuple[int, ...]:
        """Number in the scheme of each point."""
        _, bracket, numbers = self.scheme.removesuffix("]").partition("[")
        return tuple(map(int, numbers.split(","))) if bracket else tuple(range(self.points))


def _parts(values: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(values)


def _names(values: Iterable[str]) -> tuple[str, ...]:  # mypy cannot type ``converter=tuple``
    return tuple(values)


@attrs.frozen
class Layout:
    """Which numbers of a frame are which.

    A frame is the parts one after the other, each point with all of its ``axes``: (T, points · axes).
    """

    parts: tuple[Part, ...] = attrs.field(converter=_parts)
    axes: tuple[str, ...] = attrs.field(default=("x", "y", "z"), converter=_names)
    #: of x and y: ``image`` for shares of the picture's width and height, ``pixel``, ``metre``, or ``unknown``
    unit: str = attrs.field(default="image", validator=attrs.validators.in_(("image", "pixel", "metre", "unknown")))

    @property
    def points(self) -> int:
        """Points per frame."""
        return sum(part.points for part in self.parts)

    @property
    def width(self) -> int:
        """Features per frame."""
        return self.points * len(self.axes)

    def place(self, name: str) -> slice | None:
        """Which points are those of a part, or None where the layout lacks it."""
        start = 0
        for part in self.parts:
            if part.name == name:
                return slice(start, start + part.points)
            start += part.points
        return None

    def part(self, name: str) -> Part | None:
        """The part of a name, or None."""
        return next((part for part in self.parts if part.name == name), None)

    def __str__(self) -> str:
        parts = ", ".join(f"{part.name} {part.points}" for part in self.parts)
        return f"{parts}; {' '.join(self.axes)} in {self.unit} units"

    def to_json(self) -> dict[str, Any]:
        """As plain containers."""
        return {
            "parts": [[part.name, part.points, part.scheme] for part in self.parts],
            "axes": list(self.axes),
            "unit": self.unit,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Layout:
        """What :meth:`to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        parts, axes, unit = content.get("parts"), content.get("axes"), content.get("unit")
        if not (isinstance(parts, Sequence) and isinstance(axes, Sequence) and isinstance(unit, str)):
            raise ValueError("a layout has parts, axes and a unit")
        made = []
        for part in parts:
            if not (
                isinstance(part, Sequence)
                and len(part) == 3
                and isinstance(part[0], str)
                and type(part[1]) is int
                and isinstance(part[2], str)
            ):
                raise ValueError(f"a part of a layout is a name, a number of points and a scheme, not {part!r:.60}")
            made.append(Part(part[0], part[1], part[2]))
        if not all(isinstance(axis, str) for axis in axes):
            raise ValueError("the axes of a layout are names")
        return cls(tuple(made), tuple(axes), unit)
