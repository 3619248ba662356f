"""Finding plugins: each imported under its own guard, so that a broken one is reported and harms nobody.

pluggy's ``load_setuptools_entrypoints`` is not used: it stops at the first bad import, loads in the order of
the file system and silently skips a second entry point of the same name.
"""

from __future__ import annotations

import importlib.metadata as metadata
import os
import time
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

import attrs
import pluggy

from asl_core import hookspecs
from asl_core.component import API, BUILTIN, SLOTS, Component, Offer, Registry
from asl_core.errors import UsageError
from asl_core.options import option_specs

__all__ = ["ENTRY_POINTS", "PluginRecord", "PluginReport", "discover"]

ENTRY_POINTS = "asl.plugins"


@attrs.frozen
class PluginRecord:
    """What became of one entry point."""

    name: str
    distribution: str
    version: str
    module: str
    status: str  #: ``ok``, ``broken`` or ``blocked``
    reason: str = ""
    seconds: float = 0.0  #: time its import took
    components: tuple[tuple[str, str], ...] = ()  #: (slot, name)

    @property
    def heading(self) -> str:
        """``plugin NAME of DIST VERSION``."""
        return f"plugin {self.name!r} of {self.distribution} {self.version}"


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
        """What a user should know: broken plugins and names claimed twice, each with what to do."""
        found = []
        for record in self.broken:
            foreign = record.distribution != BUILTIN
            remedy = f"fix, uninstall or block it (ASL_PLUGINS=-{record.name})" if foreign else "reinstall asl"
            found.append(f"{record.heading} is not used: {record.reason} Everything else works; {remedy}.")
        for slot, name, offers in self.registry.clashes():
            names = " and ".join(o.qualified for o in offers)
            meant = "plain name means the built-in" if offers[0].distribution == BUILTIN else "plain name is refused"
            found.append(f"{slot} {name!r} is offered twice: {names} say which; the {meant}.")
        return found


class _BrokenPluginError(Exception):
    """The reason why a plugin cannot be used."""


def discover(
    entry_points: Iterable[metadata.EntryPoint] | None = None,
    environ: Mapping[str, str] | None = None,
    block: Iterable[str] = (),
) -> PluginReport:
    """Find, import and check every installed plugin; never raises because of one, unless told to be strict.

    Args:
        entry_points: what to load instead of the installed ones (tests).
        environ: where ``ASL_PLUGINS`` and ``ASL_STRICT_PLUGINS`` are read (default: the process's).
            ``ASL_PLUGINS=a,b`` allows only these besides the built-ins, ``ASL_PLUGINS=-a`` blocks one,
            ``ASL_PLUGINS=`` blocks everything foreign.
        block: names of entry points or distributions to leave out.

    Raises:
        UsageError: ``ASL_STRICT_PLUGINS=1`` and a plugin is broken.
    """
    environ = os.environ if environ is None else environ
    if entry_points is None:
        entry_points = metadata.entry_points(group=ENTRY_POINTS)
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)

    found = sorted(((_distribution(ep), ep) for ep in entry_points), key=lambda pair: (pair[0], pair[1].name))
    records, offers = [], []
    for (distribution, version), entry in found:
        record = PluginRecord(entry.name, distribution, version, entry.value, "ok")
        if not _allowed(record, environ.get("ASL_PLUGINS"), set(block)):
            records.append(attrs.evolve(record, status="blocked", reason="left out on request."))
            continue
        started = time.perf_counter()
        try:
            module = _import(entry)
            record = attrs.evolve(record, seconds=time.perf_counter() - started)
            mine = _register(manager, module, record)
        except _BrokenPluginError as why:
            seconds = time.perf_counter() - started
            records.append(attrs.evolve(record, status="broken", reason=str(why), seconds=seconds))
            continue
        offers += mine
        records.append(attrs.evolve(record, components=tuple((o.slot, o.component.name) for o in mine)))

    report = PluginReport(tuple(records), Registry(offers), manager)
    if environ.get("ASL_STRICT_PLUGINS", "") not in ("", "0") and (faults := report.warnings()):
        raise UsageError("plugins must be sound (ASL_STRICT_PLUGINS is set):\n" + "\n".join(f"  - {f}" for f in faults))
    return report


def _distribution(entry: metadata.EntryPoint) -> tuple[str, str]:
    dist = getattr(entry, "dist", None)
    if dist is None:
        return ("unknown", "0")
    # An interrupted uninstall leaves entry points without the metadata that names their distribution.
    metadata_of = dist.metadata or {}
    return (metadata_of.get("Name") or "unknown", metadata_of.get("Version") or "0")


def _allowed(record: PluginRecord, spec: str | None, block: set[str]) -> bool:
    names = {record.name, record.distribution}
    if names & block:
        return False
    if spec is None or record.distribution == BUILTIN:
        return True
    words = [w.strip() for w in spec.split(",") if w.strip()]
    if any(w.removeprefix("-") in names for w in words if w.startswith("-")):
        return False
    allowed = [w for w in words if not w.startswith("-")]
    return bool(words) and (not allowed or bool(names & set(allowed)))


def _import(entry: metadata.EntryPoint) -> ModuleType:
    try:
        loaded = entry.load()
    except Exception as fault:
        raise _BrokenPluginError(f"its import of {entry.value!r} failed ({type(fault).__name__}: {fault}).") from fault
    except SystemExit as fault:
        raise _BrokenPluginError(f"its import of {entry.value!r} called exit({fault.code}).") from fault
    if not isinstance(loaded, ModuleType):
        raise _BrokenPluginError(f"its entry point {entry.value!r} is a {type(loaded).__name__}; expected a module.")
    return loaded


def _register(manager: pluggy.PluginManager, module: ModuleType, record: PluginRecord) -> list[Offer]:
    """Register a module and collect what it offers; on any fault it is taken out again."""
    name = f"{record.distribution}:{record.name}"
    if manager.is_registered(module):
        raise _BrokenPluginError(f"its module {record.module!r} is a plugin already, as {manager.get_name(module)}.")
    try:
        manager.register(module, name=name)
        manager.check_pending()
        offers = [
            Offer(slot, component, record.distribution, record.name)
            for slot, hook in SLOTS.items()
            for component in _call(manager, module, hook)
        ]
        if not offers:
            raise _BrokenPluginError("it implements no hook (mark the functions with @asl_core.hookimpl).")
        return offers
    except _BrokenPluginError:
        _forget(manager, module)
        raise
    except pluggy.PluginValidationError as fault:
        _forget(manager, module)
        raise _BrokenPluginError(
            f"pluggy refuses its hooks ({fault}); the hooks are {', '.join(SLOTS.values())}."
        ) from fault
    except Exception as fault:
        _forget(manager, module)
        raise _BrokenPluginError(f"a hook of it failed ({type(fault).__name__}: {fault}).") from fault
    except SystemExit as fault:
        _forget(manager, module)
        raise _BrokenPluginError(f"a hook of it called exit({fault.code}).") from fault


def _forget(manager: pluggy.PluginManager, module: ModuleType) -> None:
    if manager.is_registered(module):
        manager.unregister(module)


def _call(manager: pluggy.PluginManager, module: ModuleType, hook: str) -> list[Component]:
    """Call one hook of one plugin, through pluggy, so that a hook may gain arguments later."""
    others = [p for p in manager.get_plugins() if p is not module]
    results: list[Any] = manager.subset_hook_caller(hook, others)()
    components = [c for result in results for c in result]
    for component in components:
        if not isinstance(component, Component):
            raise _BrokenPluginError(f"{hook} returned a {type(component).__name__}; expected asl_core.Component.")
        if not 1 <= component.api <= API:
            raise _BrokenPluginError(
                f"component {component.name!r} is written for plugin api {component.api}, this asl speaks "
                f"1 to {API}; install a version of it for this asl."
            )
        option_specs(component.options)
    return components
