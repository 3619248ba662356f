"""Finding and loading plugins. A broken plugin is reported, and everything else works.

pluggy's ``load_setuptools_entrypoints`` is not used: it stops at the first bad import, loads in the order of the file
system and silently skips a second entry point of the same name.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from types import ModuleType
from typing import Any

import attrs
import pluggy

from asl_core.errors import UsageError
from asl_core.registry import hookspecs
from asl_core.registry.component import API, BUILTIN, SLOTS, Component, Offer, Registry
from asl_core.registry.installed import (
    ALLOW,
    PLUGINS,
    Damaged,
    Installed,
    Wanted,
    former_requirement,
    installed,
    name_and_version,
    unknown_names,
)
from asl_core.registry.options import option_specs
from asl_core.registry.plugin_report import PluginRecord, PluginReport

__all__ = ["PluginRecord", "PluginReport", "discover"]

PATIENCE = 5.0  #: seconds after which a message names the plugin that is being imported
SLOW = 1.0  #: seconds of import above which a plugin gets a note
HEAVY = ("torch", "tensorflow", "jax")  #: slow modules that a catalogue does not need


class _BrokenPluginError(Exception):
    """The reason why a plugin cannot be used."""


def discover(
    entry_points: Iterable[metadata.EntryPoint] | None = None,
    environ: Mapping[str, str] | None = None,
    block: Iterable[str] = (),
) -> PluginReport:
    """Find, import and check every installed plugin; raises for a broken one only in strict mode.

    Args:
        entry_points: to load instead of the installed ones (tests).
        environ: where ``ASL_PLUGINS`` (see :class:`asl_core.registry.installed.Wanted`) and ``ASL_STRICT_PLUGINS``
            are read (default: the process's).
        block: names of entry points or distributions to leave out.

    Raises:
        UsageError: ``ASL_STRICT_PLUGINS=1``, and a plugin is broken, clashes, or is named but not installed.
    """
    environ = os.environ if environ is None else environ
    entries, damaged = installed(PLUGINS) if entry_points is None else (_sorted(entry_points), [])
    wanted = Wanted.parse(environ.get(ALLOW), block)
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    records = [_unreadable(package, wanted) for package in damaged]
    offers: list[Offer] = []
    for one in entries:
        record, mine = _load(one, manager, wanted, offers)
        records.append(record)
        offers += mine
    unused = [
        f"{r.name or r.distribution} ({'broken; `asl plugins` says why' if r.status == 'broken' else 'left out'})"
        for r in records
        if r.status != "ok"
    ]
    report = PluginReport(tuple(records), Registry(offers, unused), manager)
    if environ.get("ASL_STRICT_PLUGINS", "") not in ("", "0"):
        faults = report.warnings() + ([] if entry_points is not None else unknown_names(environ.get(ALLOW)))
        if faults:
            lines = "\n".join(f"  - {fault}" for fault in faults)
            raise UsageError(f"no plugin may have a fault (ASL_STRICT_PLUGINS is set):\n{lines}")
    return report


def _sorted(entry_points: Iterable[metadata.EntryPoint]) -> list[Installed]:
    every = [Installed(entry, *name_and_version(entry.dist)) for entry in entry_points]
    return sorted(every, key=lambda one: (one.distribution, one.entry.name))


def _unreadable(package: Damaged, wanted: Wanted) -> PluginRecord:
    status = "broken" if wanted.takes(package.distribution, "") else "blocked"
    reason = f"its entry_points.txt cannot be read ({package.reason})."
    return PluginRecord("", package.distribution, package.version, "", status, reason)


def _load(
    one: Installed, manager: pluggy.PluginManager, wanted: Wanted, before: Iterable[Offer]
) -> tuple[PluginRecord, list[Offer]]:
    """Import and register one plugin, whatever it does on import."""
    entry = one.entry
    record = PluginRecord(entry.name, one.distribution, one.version, entry.value, "ok")
    if not wanted.takes(one.distribution, entry.name, builtin=one.distribution == BUILTIN):
        return attrs.evolve(record, status="blocked", reason="left out on request."), []
    loaded = set(sys.modules)
    printed = io.StringIO()
    offers: list[Offer] = []
    started = time.perf_counter()
    try:
        with _announced(record), contextlib.redirect_stdout(printed):
            module = _import(entry)
            record = attrs.evolve(record, seconds=time.perf_counter() - started)
            offers = _register(manager, module, record, before)
    except _BrokenPluginError as why:
        seconds = record.seconds or time.perf_counter() - started
        record = attrs.evolve(record, status="broken", reason=str(why), seconds=seconds)
    notes = []
    heavy = [m for m in HEAVY if m in sys.modules and m not in loaded]
    if heavy or record.seconds >= SLOW:
        also = f", since it imports {' and '.join(heavy)}" if heavy else ""
        notes.append(f"its import takes {record.seconds:.1f} s{also}: name factories by their path, import there.")
    if requirement := former_requirement(entry.dist):
        notes.append(
            f"it requires {requirement!r}, an unrelated project on the public index: its author should require "
            f"{BUILTIN!r}; until then install it with --no-deps."
        )
    if text := printed.getvalue().strip():
        notes.append(f"it prints when it is imported ({text[:60]!r}); that is kept off the output of asl.")
    components = tuple((o.slot, o.component.name) for o in offers)
    return attrs.evolve(record, components=components, notes=tuple(notes)), offers


@contextlib.contextmanager
def _announced(record: PluginRecord) -> Iterator[None]:
    """Name the plugin in a message when its import takes long."""

    def say() -> None:
        import logging  # prints to stderr unless the program configured it

        logging.getLogger("asl").warning(
            "%s has been importing for %g s; if it does not end, interrupt and leave it out with -P no:%s.",
            record.heading, PATIENCE, record.name,
        )  # fmt: skip

    timer = threading.Timer(PATIENCE, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _guarded(what: str) -> Iterator[None]:
    """Turn whatever a plugin raises into the reason why it is not used; only Ctrl-C passes.

    ``sys.exit`` and ``pytest.skip`` raise what is not an ``Exception``.
    """
    try:
        yield
    except (_BrokenPluginError, KeyboardInterrupt):
        raise
    except pluggy.PluginValidationError as fault:
        hooks = SLOTS.values()
        misspelt = re.search(r"unknown hook '(\w+)'", str(fault))
        if misspelt is not None:
            near = difflib.get_close_matches(misspelt[1], hooks, n=1)
            meant = f"; did you mean {near[0]!r}? The hooks are" if near else "; the hooks are"
            raise _BrokenPluginError(f"there is no hook {misspelt[1]!r}{meant} {', '.join(hooks)}.") from fault
        raise _BrokenPluginError(f"pluggy refuses its hooks ({fault}); the hooks are {', '.join(hooks)}.") from fault
    except SystemExit as fault:
        raise _BrokenPluginError(f"{what} called exit({fault.code}).") from fault
    except BaseException as fault:
        raise _BrokenPluginError(f"{what} failed ({type(fault).__name__}: {fault}).") from fault


def _import(entry: metadata.EntryPoint) -> ModuleType:
    if entry.pattern.match(entry.value) is None:
        raise _BrokenPluginError(f"its entry point {entry.value!r} is not the name of a module.")
    with _guarded(f"its import of {entry.value!r}"):
        loaded = entry.load()
    if not isinstance(loaded, ModuleType):
        raise _BrokenPluginError(f"its entry point {entry.value!r} is a {type(loaded).__name__}; expected a module.")
    return loaded


def _register(
    manager: pluggy.PluginManager, module: ModuleType, record: PluginRecord, before: Iterable[Offer]
) -> list[Offer]:
    """Register a module and collect its components; unregister it on any fault."""
    name = f"{record.distribution}:{record.name}"
    if manager.is_registered(module):
        raise _BrokenPluginError(f"its module {record.module!r} is already plugin {manager.get_name(module)}.")
    try:
        with _guarded("one of its hooks"):
            manager.register(module, name=name)
            manager.check_pending()
            if not manager.get_hookcallers(module):
                raise _BrokenPluginError("it implements no hook (mark the functions with @asl_core.hookimpl).")
            offers = [
                Offer(slot, component, record.distribution, record.name)
                for slot, hook in SLOTS.items()
                for component in _call(manager, module, hook)
            ]
            _check_names(offers, before)
            return offers
    except BaseException:
        if manager.is_registered(module):
            manager.unregister(module)
        raise


def _call(manager: pluggy.PluginManager, module: ModuleType, hook: str) -> list[Component]:
    """Call one hook of one plugin; through pluggy, so that hooks can gain arguments."""
    others = [p for p in manager.get_plugins() if p is not module]
    results: list[Any] = manager.subset_hook_caller(hook, others)()
    if not results and any(i.plugin is module for i in getattr(manager.hook, hook).get_hookimpls()):
        raise _BrokenPluginError(f"{hook} returned nothing; expected a list of asl_core.Component.")
    components = [c for result in results for c in result]
    for component in components:
        if not isinstance(component, Component):
            raise _BrokenPluginError(f"{hook} returned a {type(component).__name__}; expected asl_core.Component.")
        if not 1 <= component.api <= API:
            raise _BrokenPluginError(
                f"component {component.name!r} is written for plugin api {component.api}, this asl supports "
                f"1 to {API}; install a version of it for this asl."
            )
        if not (isinstance(component.summary, str) and isinstance(component.suggests, Mapping)):
            raise _BrokenPluginError(f"component {component.name!r}: expected a text as summary, a dict as suggests.")
        option_specs(component.options)
    return components


def _check_names(offers: Iterable[Offer], before: Iterable[Offer]) -> None:
    """``dist:name`` must mean one component, so a distribution may use a name once per slot."""
    taken = {(o.slot, o.qualified): o.plugin for o in before}
    for offer in offers:
        if (offer.slot, offer.qualified) in taken:
            raise _BrokenPluginError(
                f"it offers {offer.slot} {offer.component.name!r}, which its package already offers in plugin "
                f"{taken[offer.slot, offer.qualified]!r}."
            )
        taken[offer.slot, offer.qualified] = offer.plugin
