"""What reading one pickle may cost: memory and time, spent by every instruction, in proportion to the file."""

from __future__ import annotations

__all__ = ["PickleBudget", "PickleRefused"]


class PickleRefused(Exception):  # noqa: N818 - it becomes a DataError or CheckpointError where the file's name is known
    """The pickle asks for something that a data file does not need; the text says what."""


class PickleBudget:
    """What is left to spend on one file.

    A pickle may name one object a million times, or make a Python object of 200 bytes with an instruction of two. So
    each instruction pays for what it makes, at what CPython takes for it, before or as it is made.

    Args:
        size: bytes of the pickle.
        steps: instructions that it may have; most cost one step, calls cost more.
    """

    __slots__ = ("memory", "probes", "steps")

    def __init__(self, size: int, steps: int | None = None):
        self.memory = (40 << 20) + 6 * size  #: bytes of Python objects
        # Clips take 20 to 80 bytes an instruction; a file of millions of 1-byte instructions holds no data.
        self.steps = 1_000_000 + size // 16 if steps is None else steps
        self.probes = 1 << 29  #: places of dicts that are looked at; some seconds

    def spend(self, memory: int) -> None:
        """Pay for ``memory`` bytes.

        Raises:
            PickleRefused: there is less left.
        """
        self.memory -= memory
        if self.memory < 0:
            raise PickleRefused(
                "objects that take far more memory than the file has bytes, as a file made to fill it does"
            )

    def work(self, steps: int) -> None:
        """Pay for what takes as long as ``steps`` instructions.

        Raises:
            PickleRefused: there is less left.
        """
        self.steps -= steps
        if self.steps < 0:
            raise PickleRefused("far more instructions than data, as a file does that is made to take up the processor")

    def probe(self, keys: int, size: int) -> None:
        """Pay for ``keys`` numbers as keys, put into a dict of ``size``: at the worst each meets all that are there.

        Text hashes by a secret of the process. Numbers hash the same everywhere, and whoever makes a file can choose
        them so that every one lands where all the others are.

        Raises:
            PickleRefused: there is less left.
        """
        self.probes -= keys * (size + keys // 2)
        if self.probes < 0:
            raise PickleRefused("a dict with tens of thousands of numbers as keys, where text was expected")
