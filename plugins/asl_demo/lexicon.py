"""The signs of the demo: the handshapes, places, palms and movements of gloss number ``g``.

A sign goes from one pose to another; a pose is a handshape at a place with a palm direction. A family of eight signs
has the same two poses: four movements, each in both orders. The mean frame of a clip shows its family and little more,
so a recogniser must follow the clip through time.

Family ``f`` is a point of the parameter space, reached in steps whose length has no divisor in common with its size.
So the signs do not depend on their number, no two are equal, and there are a million of them.
"""

from __future__ import annotations

import attrs
import numpy as np

from asl_core import DataError, mix_seed

__all__ = ["ARC", "BASE", "BOTH", "FLEXION", "MOVEMENTS", "ONE", "PLACES", "SIGNS", "TWICE", "WAVE", "Lexicon", "Signs"]

# Flexion of thumb … little finger in radians: 0 is straight, 3 is folded into the palm.
HANDSHAPES = {
    "FLAT": (0.3, 0.1, 0.1, 0.1, 0.1),
    "FIST": (1.0, 2.8, 2.8, 2.8, 2.8),
    "POINT": (1.0, 0.1, 2.8, 2.8, 2.8),
    "VEE": (1.0, 0.1, 0.1, 2.8, 2.8),
    "THREE": (0.1, 0.1, 0.1, 2.8, 2.8),
    "FORK": (1.0, 0.1, 0.1, 0.1, 2.8),
    "ELL": (0.1, 0.1, 2.8, 2.8, 2.8),
    "HORNS": (1.0, 0.1, 2.8, 2.8, 0.1),
    "WYE": (0.1, 2.8, 2.8, 2.8, 0.1),
    "CLAW": (0.6, 1.4, 1.4, 1.4, 1.4),
    "RING": (0.8, 1.8, 0.2, 0.2, 0.2),
    "THUMB": (0.0, 2.8, 2.8, 2.8, 2.8),
}
# Palm centre of a right hand: x to the right of the picture, y down, z away from the camera; the origin is the
# nose and the unit the width of the shoulders.
LOCATIONS = {
    "FOREHEAD": (-0.10, -0.45, -0.10),
    "EAR": (-0.50, -0.05, 0.00),
    "CHIN": (-0.05, 0.30, -0.15),
    "SHOULDER": (-0.55, 0.75, -0.05),
    "CHEST": (-0.05, 0.95, -0.15),
    "ACROSS": (0.50, 0.65, -0.15),
    "WAIST": (-0.20, 1.60, -0.10),
    "ASIDE": (-1.05, 1.05, -0.05),
    "HIGH": (-0.95, -0.30, 0.00),
    "HIP": (0.45, 1.35, -0.10),
}
_UP, _DOWN, _IN, _OUT, _LEFT = (0, -1, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1), (1, 0, 0)
# Palm normal at the first pose and at the second.
ORIENTATIONS = {
    "UP": (_UP, _UP),
    "DOWN": (_DOWN, _DOWN),
    "IN": (_IN, _IN),
    "OUT": (_OUT, _OUT),
    "INWARD": (_LEFT, _LEFT),
    "TURN": (_UP, _DOWN),
    "ROLL": (_IN, _OUT),
}
HANDS = ("", "BOTH", "BASE")
ONE, BOTH, BASE = range(3)
MOVEMENTS = ("", "ARC", "WAVE", "TWICE")
STRAIGHT, ARC, WAVE, TWICE = range(4)
# Within a family: (movement, whether the poses are in reverse order), the two orders side by side.
MEMBERS = tuple((m, r) for m in (STRAIGHT, TWICE, WAVE, ARC) for r in (0, 1))

FLEXION = np.array(list(HANDSHAPES.values()))  #: (12, 5)
PLACES = np.array(list(LOCATIONS.values()))  #: (10, 3)
NORMALS = np.array(list(ORIENTATIONS.values()), dtype=float)  #: (7, 2, 3)
PAIRS = np.stack(np.triu_indices(len(PLACES), k=1), axis=1)  #: (45, 2) places of a family, lower number first
_SHAPES, _PLACES = np.array(list(HANDSHAPES)), np.array(list(LOCATIONS))

_RADICES = (len(PAIRS), len(FLEXION), len(FLEXION), len(NORMALS), len(HANDS))
FAMILIES = int(np.prod(_RADICES))
SIGNS = FAMILIES * len(MEMBERS)
_STRIDE = 84_101  # a prime near the golden section of FAMILIES, so that neighbours differ; not a divisor of it


@attrs.frozen(eq=False)
class Signs:
    """The parameters of signs, one array per aspect; ``...`` is the shape of the sign numbers."""

    places: np.ndarray  #: (..., 2, 3) of the dominant hand, in the order they are taken
    flexion: np.ndarray  #: (..., 2, 5)
    normals: np.ndarray  #: (..., 2, 3)
    bow: np.ndarray  #: (..., 3) unit vector across the path, the same for both orders of a family
    movement: np.ndarray  #: (...) of STRAIGHT, ARC, WAVE, TWICE
    hands: np.ndarray  #: (...) of ONE, BOTH, BASE


class Lexicon:
    """Signs 0 … ``size - 1`` of a seed.

    Raises:
        DataError: ``size`` exceeds the number of signs.
    """

    def __init__(self, size: int, seed: int):
        if size > SIGNS:
            raise DataError(
                f"the demo has {SIGNS:,} glosses; --dataset.glosses {size:,} is more. Give a smaller number."
            )
        self.size = size
        self._start = mix_seed(seed, "demo families") % FAMILIES

    def _parameters(self, numbers: np.ndarray) -> tuple[np.ndarray, ...]:
        """Pair of places, first and second handshape, orientation, hands, movement, order of each sign."""
        family, member = np.divmod(np.asarray(numbers, dtype=np.int64), len(MEMBERS))
        code = (self._start + family * _STRIDE) % FAMILIES
        digits = []
        for radix in reversed(_RADICES):
            code, digit = np.divmod(code, radix)
            digits.append(digit)
        hands, orientation, second, first, pair = digits
        movement, reverse = np.moveaxis(np.array(MEMBERS)[member], -1, 0)
        return pair, first, second, orientation, hands, movement, reverse

    def signs(self, numbers: np.ndarray) -> Signs:
        """The parameters of the signs with these numbers (any shape)."""
        pair, first, second, orientation, hands, movement, reverse = self._parameters(numbers)
        # Order of the two poses: 0, 1 or 1, 0.
        order = np.stack([reverse, 1 - reverse], axis=-1)
        places = PLACES[PAIRS[pair]]
        across = (places[..., 1, :] - places[..., 0, :])[..., [1, 0, 2]] * (1.0, -1.0, 0.0)
        return Signs(
            places=np.take_along_axis(places, order[..., None], axis=-2),
            flexion=np.take_along_axis(FLEXION[np.stack([first, second], axis=-1)], order[..., None], axis=-2),
            normals=np.take_along_axis(NORMALS[orientation], order[..., None], axis=-2),
            bow=across / np.linalg.norm(across, axis=-1, keepdims=True),
            movement=movement,
            hands=hands,
        )

    def names(self, numbers: np.ndarray) -> list[str]:
        """Glosses such as ``FLAT-CHIN-FIST-WAIST-UP-ARC-BOTH``, each different; numbers (N,).

        Handshape and place of the first pose, of the second (the shape only where it changes), palm, movement
        (straight is left out) and second hand (none is left out).
        """
        pair, first, second, orientation, hands, movement, reverse = self._parameters(numbers)
        names = []
        shapes, places = _SHAPES[np.stack([first, second], axis=1)], _PLACES[PAIRS[pair]]
        palms = list(ORIENTATIONS)
        for i, back in enumerate(reverse.tolist()):
            a, b = (1, 0) if back else (0, 1)
            shape = "" if shapes[i, a] == shapes[i, b] else shapes[i, b]
            words = (
                shapes[i, a], places[i, a], shape, places[i, b],
                palms[orientation[i]], MOVEMENTS[movement[i]], HANDS[hands[i]],
            )  # fmt: skip
            names.append("-".join(str(w) for w in words if w))
        return names
