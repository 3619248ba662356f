"""Which format a file or folder is of, among those that plugins offer: by content, and never by a guess."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from asl_core.contracts import Format
from asl_core.errors import DataError
from asl_core.registry.component import Offer
from asl_core.registry.discovery import discover
from asl_core.registry.kept import make

__all__ = ["Formats", "find_format"]


@attrs.frozen(eq=False)
class Formats:
    """The formats that are installed, each made once with its default options, to be asked about many paths."""

    _made: tuple[tuple[str, Format], ...]

    @classmethod
    def installed(cls) -> Formats:
        """Those of every working plugin."""
        registry = discover().registry
        return cls(tuple((registry.name_of(offer), _make(offer)) for offer in registry.slot("format")))

    @property
    def names(self) -> Sequence[str]:
        """Names of the formats."""
        return tuple(name for name, _ in self._made)

    def named(self, name: str) -> Format:
        """The format of a name.

        Raises:
            DataError: there is none.
        """
        for known, made in self._made:
            if name == known:
                return made
        raise DataError(f"there is no format {name!r}; expected one of {', '.join(self.names)}.")

    def of(self, path: Path) -> tuple[str, Format] | None:
        """Name and format of a file or folder, or None where no format recognises it.

        Raises:
            DataError: several recognise it.
        """
        folder = path.is_dir()
        suffix = path.name.lower()
        takers = [
            (name, made)
            for name, made in self._made
            if (folder or suffix.endswith(_suffixes(made))) and made.recognises(path)
        ]
        if len(takers) > 1:
            names = " and ".join(name for name, _ in takers)
            raise DataError(f"{path} is recognised as {names}; say which it is with --dataset.format NAME.")
        return takers[0] if takers else None


def _suffixes(made: Format) -> tuple[str, ...]:
    """Endings worth asking about; the empty one is of every name."""
    return tuple(getattr(made, "suffixes", ())) or ("",)


def _make(offer: Offer) -> Format:
    component = offer.component
    made: Format = make("format", component.name, offer.distribution, component.load(), component.options(), ())
    return made


def find_format(path: Path) -> tuple[str, Format] | None:
    """Name and format of one file or folder, or None; see :meth:`Formats.of`."""
    return Formats.installed().of(path)
