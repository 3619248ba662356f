"""A plugin written for api 1 keeps working as the interface grows: hooks gain arguments, classes gain members."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
import pluggy
import pytest

import asl_core
from asl_core import contracts, testing
from asl_core.registry import hookspecs
from asl_core.registry.component import API, SLOTS, Component
from asl_core.registry.discovery import PluginReport, discover
from asl_core.testing.runs import tiny_settings

FROZEN = Path(__file__).parent / "frozen_api1"
DIGEST = "551a7e1765c7adba"
#: the slots of 0.1, which the frozen plugin fills; later ones it cannot know
THEN = {slot: hook for slot, hook in SLOTS.items() if slot != "format"}
ENTRY = metadata.EntryPoint("frozen", "asl_frozen", "asl.plugins")


def test_the_frozen_plugin_is_what_it_was() -> None:
    """Editing it would hide what breaks the plugins that it stands for."""
    digest = hashlib.sha256()
    for file in sorted(p for p in FROZEN.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(file.relative_to(FROZEN).as_posix().encode())
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    assert digest.hexdigest()[:16] == DIGEST, "tests/frozen_api1 was edited: take that back, mend asl_core instead"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin is on the path, and imported anew by whoever asks for it."""
    monkeypatch.syspath_prepend(FROZEN)
    forget()
    yield
    forget()


def forget() -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "asl_frozen"]:
        del sys.modules[name]


def found() -> PluginReport:
    builtins = list(metadata.entry_points(group="asl.plugins", name="demo"))
    return discover([ENTRY, *builtins[:1]], {})


def works(report: PluginReport, out: Path) -> None:
    """Every slot is filled, and a run with all of it trains and can be loaded again."""
    assert report.warnings() == []
    assert [r.status for r in report.records] == ["ok", "ok"]
    frozen = {o.slot: o.component for o in report.registry if o.distribution == "unknown"}
    assert set(frozen) == set(THEN)
    settings = tiny_settings(out) | {s: c.name for s, c in frozen.items() if s != "checkpoint-loader"}
    settings = {k: v for k, v in settings.items() if not k.startswith(("dataset.", "encoder.", "head.", "loss."))}
    settings |= {"encoder.hidden-size": 3, "dataset.clips": 5, "run.name": "r", "init.min-coverage": 0.2}
    start = out / "start.frozen"
    start.parent.mkdir(parents=True, exist_ok=True)
    start.write_text("1\n2\n3\n")
    settings["init"] = str(start)
    config = asl_core.configure(settings, registry=report.registry, environ={}, project_file=False)
    chosen = [config.dataset, config.encoder, *config.transforms, *config.augments, *config.observers]
    chosen += [config.heads["main"].choice, config.heads["main"].losses["main"].choice]
    assert {c.component.name for c in chosen} | {"frozen-loader"} == {c.name for c in frozen.values()}
    result = asl_core.run(config, registry=report.registry)
    loaded = asl_core.load(result.path, registry=report.registry)
    assert loaded.width == 2
    clips = list(config.dataset.build().clips("val"))
    told = asl_core.predict_clips(loaded, clips)
    assert {g for t in told for g, _ in t.top} == {"left", "right"}


def test_it_works_today(fresh: None, tmp_path: Path) -> None:
    report = found()
    works(report, tmp_path)
    component = report.registry.find("encoder", "frozen-encoder").component
    testing.check_encoder(component)


def test_it_works_when_hooks_gain_an_argument(fresh: None) -> None:
    """Hooks are called by keyword, and a plugin is given those arguments that it names."""
    manager = pluggy.PluginManager(hookspecs.GROUP)
    grown = type("Grown", (), {hook: staticmethod(grown_hook(hook)) for hook in SLOTS.values()})
    manager.add_hookspecs(grown)
    asl_frozen = importlib.import_module("asl_frozen")

    manager.register(asl_frozen, "frozen")
    manager.register(Newer(), "newer")
    manager.check_pending()
    for hook in SLOTS.values():
        answers = getattr(manager.hook, hook)(asl_version="9.9")
        names = [c.name for answer in answers for c in answer]
        assert sum(n.startswith("frozen-") for n in names) == (hook in THEN.values())
        assert names.count("of-9-9") == (hook == "asl_encoders")


def grown_hook(name: str) -> Any:
    def hook(asl_version: str) -> list[Component]:
        """A hook of a later asl."""
        return []

    hook.__name__ = name
    return hookspecs.hookspec(hook)


class Newer:
    """A plugin of that later time, which wants the argument."""

    @hookspecs.hookimpl
    def asl_encoders(self, asl_version: str) -> list[Component]:
        return [Component(name=f"of-{asl_version.replace('.', '-')}", factory="a:b", summary="")]


def test_it_works_when_classes_gain_members(fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever it subclasses or makes may have more members than it knows, all of them optional."""
    classes = {
        "Component": (Component, grown_values(Component, "unknown")),
        "Encoder": (contracts.Encoder, grown_module(contracts.Encoder)),
        "Head": (contracts.Head, grown_module(contracts.Head)),
        "Loss": (contracts.Loss, grown_module(contracts.Loss)),
    }
    for name in ("HeadOutput", "LossResult", "Foreign", "Clip", "Finding"):
        old = getattr(contracts, name)
        classes[name] = (old, grown_values(old, None))
    for name, (_, new) in classes.items():
        monkeypatch.setattr(asl_core, name, new)
    report = found()
    made: Any = report.registry.find("encoder", "frozen-encoder").component
    assert made.later == "unknown"
    works(report, tmp_path)
    assert issubclass(made.load(), classes["Encoder"][1])


def grown_values(old: type, default: Any) -> type:
    return attrs.make_class(old.__name__, {"later": attrs.field(default=default, kw_only=True)}, (old,), frozen=True)


def grown_module(old: type) -> type:
    return type(old.__name__, (old,), {"stride": 1, "describe": describe})


def describe(self: object) -> str:
    return "of a later asl"


@pytest.mark.parametrize("api", [0, API + 1])
def test_an_interface_that_is_not_spoken_is_refused(api: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"later_{api}.py").write_text(
        "from asl_core import Component, hookimpl\n@hookimpl\ndef asl_heads():\n"
        f"    return [Component(name='x', factory='a:b', summary='', api={api})]\n"
    )
    report = discover([metadata.EntryPoint("later", f"later_{api}", "asl.plugins")], {})
    assert f"plugin api {api}, this asl supports 1 to {API}" in report.broken[0].reason
