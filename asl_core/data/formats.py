"""Which format a file or folder is of, among those that plugins offer: by content, and never by a guess."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core.contracts import Format
from asl_core.errors import DataError
from asl_core.registry.component import Offer
from asl_core.registry.contract_checks import calling, make
from asl_core.registry.discovery import discover
from asl_core.registry.options import option_specs

__all__ = ["Formats", "find_format", "natural_order"]

_DEEPEST = 12  #: folders within one another that are looked into


@attrs.frozen(eq=False)
class Formats:
    """The formats that are installed, each made once with its default options, to be asked about many paths."""

    _made: tuple[tuple[str, Format], ...]

    @classmethod
    def installed(cls, **options: Any) -> Formats:
        """Those of every working plugin, with the given options where a format has them.

        Raises:
            DataError: a format does not take the value of its option.
        """
        registry = discover().registry
        return cls(tuple((registry.name_of(offer), _make(offer, options)) for offer in registry.slot("format")))

    @property
    def names(self) -> Sequence[str]:
        """Names of the formats."""
        return tuple(name for name, _ in self._made)

    def only(self, name: str) -> Formats:
        """The format of a name alone.

        Raises:
            DataError: there is none.
        """
        if name not in self.names:
            raise DataError(f"there is no format {name!r}; expected one of {', '.join(self.names)}.")
        return Formats(tuple((known, made) for known, made in self._made if name == known))

    def of(self, path: Path) -> tuple[str, Format] | None:
        """Name and format of a file or folder, or None where no format recognises it.

        Raises:
            DataError: several recognise it.
        """
        suffix = path.name.lower()
        takers = []
        for name, made in self._made:
            if not suffix.endswith(_suffixes(made)):
                continue
            with calling("format", made):
                if made.recognises(path):
                    takers.append((name, made))
        if len(takers) > 1:
            names = " and ".join(name for name, _ in takers)
            raise DataError(f"{path} is recognised as {names}; say which it is with --dataset.format NAME.")
        return takers[0] if takers else None

    def walk(self, folder: Path) -> Iterator[tuple[Path, tuple[str, Format] | None]]:
        """Every recording below a folder with its format, and every other file with None, as people count names.

        What lies in a folder that is a recording itself, hidden files, links to folders and links that lead out are
        passed over. Formats that are slow to read (:attr:`Format.on_request`) are looked for only where :meth:`only`
        chose them.

        Raises:
            DataError: several formats recognise a path.
        """
        searched = self
        if len(self._made) > 1:
            searched = Formats(tuple(pair for pair in self._made if not getattr(pair[1], "on_request", False)))
        yield from searched._walk(folder, folder.resolve(), 0)

    def _walk(self, folder: Path, inside: Path, depth: int) -> Iterator[tuple[Path, tuple[str, Format] | None]]:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: natural_order(entry.name))
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith((".", "__MACOSX")):
                continue
            # A link to a folder would show what is in it twice, or for ever.
            unsafe = entry.is_symlink() and (entry.is_dir() or not path.resolve().is_relative_to(inside))
            if unsafe or not (entry.is_file() or entry.is_dir()):  # a pipe would be waited for
                yield path, None
                continue
            taken = self.of(path)
            if taken is not None or not entry.is_dir():
                yield path, taken
            elif depth < _DEEPEST:
                yield from self._walk(path, inside, depth + 1)


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which names sort as people count: ``9`` before ``10``."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d{1,18})", name))


def _suffixes(made: Format) -> tuple[str, ...]:
    """Endings worth asking about; the empty one is of every name."""
    return tuple(getattr(made, "suffixes", ())) or ("",)


def _make(offer: Offer, values: Mapping[str, Any]) -> Format:
    component = offer.component
    known = {spec.name for spec in option_specs(component.options)}
    try:
        options = component.options(**{name: value for name, value in values.items() if name in known})
    except ValueError as fault:
        raise DataError(f"format {component.name}: {fault}.") from fault
    made: Format = make("format", component.name, offer.distribution, component.load(), options, ())
    return made


def find_format(path: Path) -> tuple[str, Format] | None:
    """Name and format of one file or folder, or None; see :meth:`Formats.of`."""
    return Formats.installed().of(path)
