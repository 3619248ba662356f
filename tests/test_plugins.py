"""A broken plugin is reported with distribution, version and reason, and harms nobody."""

from __future__ import annotations

import email.message
import itertools
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asl_core.errors import ConfigError, UsageError
from asl_core.plugins import PluginReport, discover

HEAD = "from asl_core import Component, hookimpl\n"
GOOD = (
    HEAD
    + """
@hookimpl
def asl_encoders():
    return [Component(name="{name}", factory="nowhere:at_all", summary="an encoder")]
"""
)


class Plugins:
    """Writes plugin modules and hands out their entry points, as installed packages would."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.made: list[metadata.EntryPoint] = []

    def add(
        self, name: str, source: str | None, dist: str | None = "vendor", value: str | None = None
    ) -> metadata.EntryPoint:
        if source is not None:
            (self.folder / f"plug_{name}.py").write_text(source)
        entry = metadata.EntryPoint(name, value or f"plug_{name}", "asl.plugins")
        described = email.message.Message()
        if dist:
            described["Name"], described["Version"] = dist, "1.2"
        vars(entry)["dist"] = SimpleNamespace(name=described["Name"], version=described["Version"], metadata=described)
        self.made.append(entry)
        return entry

    def discover(self, **environ: str) -> PluginReport:
        return discover(self.made, environ)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(tmp_path)
    yield Plugins(tmp_path)
    for name in [n for n in sys.modules if n.startswith("plug_")]:
        del sys.modules[name]


def names(report: PluginReport, slot: str = "encoder") -> list[str]:
    return [o.qualified for o in report.registry.slot(slot)]


def hook(name: str, body: str) -> str:
    return f"{HEAD}@hookimpl\ndef {name}:\n    {body}"


def offering(arguments: str) -> str:
    return hook("asl_heads()", f"return [Component({arguments}, summary='')]")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library", "failed (ModuleNotFoundError: No module named 'no_such_library')"),
        ("1 / 0", "failed (ZeroDivisionError: division by zero)"),
        ("def broken(:", "failed (SyntaxError:"),
        ("import sys; sys.exit(3)", "called exit(3)"),
        ("raise SystemExit", "called exit(None)"),
        (hook("asl_encoder()", "return []"), "asl_encoder"),
        (hook("asl_encoders(batch)", "return []"), "batch"),
        (hook("asl_encoders()", "return [GruEncoder]"), "NameError: name 'GruEncoder'"),
        (hook("asl_encoders()", "return ['gru']"), "asl_encoders returned a str; expected asl_core.Component"),
        (hook("asl_encoders()", "return 3"), "TypeError"),
        (hook("asl_encoders()", "raise SystemExit(4)"), "called exit(4)"),
        (offering("name='x y', factory='a:b'"), "component name 'x y'"),
        (offering("name='x', factory='a.b'"), 'expected "package.module:callable"'),
        (offering("name='x', factory='a:b', api=99"), "plugin api 99, this asl speaks 1 to 1"),
        (offering("name='x', factory='a:b', options=dict"), "NotAnAttrsClassError"),
        (f"{HEAD}def asl_encoders():\n    return []", "implements no hook"),
        ("x = 1", "implements no hook"),
    ],
)
def test_a_broken_plugin_is_reported_and_the_rest_works(plugins: Plugins, source: str, reason: str) -> None:
    plugins.add("before", GOOD.format(name="before"), dist="a-vendor")
    plugins.add("broken", source, dist="broken-vendor")
    plugins.add("later", GOOD.format(name="later"), dist="z-vendor")
    report = plugins.discover()
    (broken,) = report.broken
    assert (broken.name, broken.distribution, broken.version) == ("broken", "broken-vendor", "1.2")
    assert reason in broken.reason
    assert names(report) == ["a-vendor:before", "z-vendor:later"]
    (warning,) = report.warnings()
    assert warning.startswith("plugin 'broken' of broken-vendor 1.2 is not used: ")
    assert "ASL_PLUGINS=-broken" in warning
    assert [r.status for r in report.records] == ["ok", "broken", "ok"]
    assert {m.__name__ for m in report.manager.get_plugins()} == {"plug_before", "plug_later"}


def test_the_hooks_there_are_are_named_when_one_is_misspelt(plugins: Plugins) -> None:
    plugins.add("broken", hook("asl_encoder()", "return []"))
    assert "asl_encoders" in plugins.discover().broken[0].reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("plug_good:asl_encoders", "is a function; expected a module"),
        ("plug_good:gone", "AttributeError"),
        ("gone", "ModuleNotFoundError"),
    ],
)
def test_an_entry_point_to_something_else(plugins: Plugins, value: str, reason: str) -> None:
    plugins.add("good", GOOD.format(name="good"))
    plugins.add("astray", None, value=value)
    report = plugins.discover()
    assert reason in report.broken[0].reason
    assert names(report) == ["vendor:good"]


def test_one_module_under_two_entry_points(plugins: Plugins) -> None:
    plugins.add("good", GOOD.format(name="good"))
    plugins.add("twice", None, value="plug_good")
    report = plugins.discover()
    assert [(r.name, r.reason) for r in report.broken] == [
        ("twice", "its module 'plug_good' is a plugin already, as vendor:good.")
    ]
    assert names(report) == ["vendor:good"]
    assert report.manager.get_plugin("vendor:good") is not None


def test_half_removed_packages_have_no_name(plugins: Plugins) -> None:
    plugins.add("good", GOOD.format(name="good"))
    plugins.add("lost", GOOD.format(name="lost"), dist=None)
    report = plugins.discover()
    assert names(report) == ["vendor:good", "unknown:lost"]
    assert report.records[0].heading == "plugin 'lost' of unknown 0"


def test_a_name_offered_twice(plugins: Plugins) -> None:
    plugins.add("one", GOOD.format(name="conformer"), dist="one")
    plugins.add("two", GOOD.format(name="conformer"), dist="two")
    report = plugins.discover()
    with pytest.raises(ConfigError, match="'conformer' is offered by 2 packages: say one:conformer or two:conformer"):
        report.registry.find("encoder", "conformer")
    assert report.registry.find("encoder", "two:conformer").distribution == "two"
    assert report.warnings() == [
        "encoder 'conformer' is offered twice: one:conformer and two:conformer say which; the plain name is refused."
    ]


def test_a_foreign_plugin_cannot_take_a_built_in_name(plugins: Plugins) -> None:
    plugins.add("thief", GOOD.format(name="gru"), dist="aaa")
    plugins.add("own", GOOD.format(name="gru"), dist="asl")
    report = plugins.discover()
    assert report.registry.find("encoder", "gru").distribution == "asl"
    assert report.registry.find("encoder", "aaa:gru").distribution == "aaa"
    assert report.warnings() == [
        "encoder 'gru' is offered twice: asl:gru and aaa:gru say which; the plain name means the built-in."
    ]


def test_the_order_of_entry_points_does_not_matter(plugins: Plugins) -> None:
    plugins.add("b", GOOD.format(name="shared"), dist="two")
    plugins.add("a", GOOD.format(name="alone"), dist="two")
    plugins.add("c", GOOD.format(name="shared"), dist="one")
    plugins.add("d", "1 / 0", dist="three")
    found = set()
    for order in itertools.permutations(plugins.made):
        report = discover(order, {})
        found.add(
            (
                tuple((r.distribution, r.name, r.status) for r in report.records),
                tuple(report.warnings()),
                *names(report),
            )
        )
    assert len(found) == 1
    assert [r[:2] for r in found.pop()[0]] == [("one", "c"), ("three", "d"), ("two", "a"), ("two", "b")]


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        (None, {"own", "x", "y"}),
        ("x", {"own", "x"}),
        ("dist-y", {"own", "y"}),
        ("x, y", {"own", "x", "y"}),
        ("-x", {"own", "y"}),
        ("-dist-x,-y", {"own"}),
        ("x,-x", {"own"}),
        ("", {"own"}),
        ("nobody", {"own"}),
    ],
)
def test_allow_and_block_lists(plugins: Plugins, spec: str | None, left: set[str]) -> None:
    plugins.add("own", GOOD.format(name="own"), dist="asl")
    for name in "xy":
        plugins.add(name, GOOD.format(name=name), dist=f"dist-{name}")
    report = plugins.discover(**({} if spec is None else {"ASL_PLUGINS": spec}))
    assert {o.component.name for o in report.registry.slot("encoder")} == left
    assert {r.name for r in report.records if r.status == "blocked"} == {"own", "x", "y"} - left
    assert report.warnings() == []


def test_what_is_blocked_is_never_imported(plugins: Plugins) -> None:
    plugins.add("mine", "raise KeyboardInterrupt")
    assert discover(plugins.made, {"ASL_PLUGINS": "-mine"}).records[0].status == "blocked"
    assert discover(plugins.made, {}, block=["vendor"]).records[0].status == "blocked"
    assert "plug_mine" not in sys.modules
    with pytest.raises(KeyboardInterrupt):
        discover(plugins.made, {})


def test_strict(plugins: Plugins) -> None:
    plugins.add("good", GOOD.format(name="good"))
    assert names(plugins.discover(ASL_STRICT_PLUGINS="1")) == ["vendor:good"]
    plugins.add("broken", "1 / 0")
    plugins.add("other", "2 / 0")
    assert len(plugins.discover(ASL_STRICT_PLUGINS="0").broken) == 2
    with pytest.raises(UsageError, match=r"(?s)'broken' of vendor 1\.2.*'other' of vendor 1\.2"):
        plugins.discover(ASL_STRICT_PLUGINS="1")


def test_the_built_in_catalogue_is_light_and_sound() -> None:
    script = (
        "import sys\n"
        "from asl_core.plugins import discover\n"
        "report = discover(environ={'ASL_PLUGINS': '', 'ASL_STRICT_PLUGINS': '1'})\n"
        "assert {'wlasl', 'encoders', 'ctc'} <= {r.name for r in report.records}, report.records\n"
        "print(sorted({'torch', 'numpy', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
