"""What became of the installed plugins: a record for each, and the warnings and notes for users and authors."""

from __future__ import annotations

import attrs
import pluggy

from asl_core.registry.component import BUILTIN, Registry
from asl_core.registry.installed import ALLOW

__all__ = ["PluginRecord", "PluginReport"]


@attrs.frozen
class PluginRecord:
    """The outcome of loading one entry point."""

    name: str
    distribution: str
    version: str
    module: str
    status: str  #: ``ok``, ``broken`` or ``blocked``
    reason: str = ""  #: why it is not ``ok``
    seconds: float = 0.0  #: of its import
    components: tuple[tuple[str, str], ...] = ()  #: (slot, name)
    notes: tuple[str, ...] = ()  #: for its author, although it works

    @property
    def heading(self) -> str:
        """``plugin NAME of DIST VERSION``."""
        what = f"plugin {self.name!r} of" if self.name else "package"
        return f"{what} {self.distribution} {self.version}"


@attrs.frozen
class PluginReport:
    """Every plugin found, and the registry of what the working ones offer."""

    records: tuple[PluginRecord, ...]
    registry: Registry
    manager: pluggy.PluginManager

    @property
    def broken(self) -> tuple[PluginRecord, ...]:
        """Those that could not be used."""
        return tuple(r for r in self.records if r.status == "broken")

    def warnings(self) -> list[str]:
        """Broken plugins and names offered twice, each with what to do."""
        messages = []
        for record in self.broken:
            name = record.name or record.distribution
            if sum(name in (r.name, r.distribution) for r in self.records) > 1:
                name = f"{record.distribution}:{record.name}"
            remedy = f"fix, uninstall or leave it out (-P no:{name} or {ALLOW}=-{name})"
            if record.distribution == BUILTIN:
                remedy = f"reinstall {BUILTIN}"
            messages.append(f"{record.heading} is not used: {record.reason} Everything else works; {remedy}.")
        for slot, name, offers in self.registry.clashes():
            names = " or ".join(o.qualified for o in offers)
            meant = "plain name means the built-in" if offers[0].distribution == BUILTIN else "plain name is refused"
            messages.append(f"{slot} {name!r} is offered twice: choose {names}; the {meant}.")
        return messages

    def notes(self) -> list[str]:
        """What authors should change in working plugins."""
        return [f"{record.heading} works, but {note}" for record in self.records for note in record.notes]
