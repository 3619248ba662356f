"""A broken plugin is reported with distribution, version and reason, and harms nobody."""

from __future__ import annotations

import email.message
import logging
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packages import ENCODER as GOOD
from packages import HEAD

import asl_core.registry.discovery
from asl_core.errors import ConfigError, UsageError
from asl_core.registry.discovery import PluginReport, discover


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
        ("import pytest; pytest.skip('not here', allow_module_level=True)", "failed (Skipped: not here)"),
        ("class Stop(BaseException): pass\nraise Stop('now')", "failed (Stop: now)"),
        (hook("asl_encoder()", "return []"), "asl_encoder"),
        (hook("asl_encoders(batch)", "return []"), "batch"),
        (hook("asl_encoders()", "return [GruEncoder]"), "NameError: name 'GruEncoder'"),
        (hook("asl_encoders()", "return ['gru']"), "asl_encoders returned a str; expected asl_core.Component"),
        (hook("asl_encoders()", "return 3"), "TypeError"),
        (hook("asl_encoders()", "return {'gru': 1}"), "asl_encoders returned a str"),
        (hook("asl_encoders()", "return Component"), "TypeError"),
        (hook("asl_encoders()", "pass"), "asl_encoders returned nothing; expected a list of asl_core.Component"),
        (hook("asl_encoders()", "raise SystemExit(4)"), "called exit(4)"),
        (offering("name='x', factory='a:b', summary=None").replace(", summary='')", ")"), "a text as summary"),
        (offering("name='x', factory='a:b', suggests=[1]"), "a dict as suggests"),
        (offering("name=3, factory='a:b'"), "component name 3: expected letters"),
        (offering("name='x', factory=len"), 'expected "package.module:callable"'),
        (offering("name='x', factory='a:b', api='1'"), "component 'x' says api='1': expected the whole number"),
        (offering("name='x', factory='a:b', api=None"), "component 'x' says api=None: expected the whole number"),
        (f"{HEAD}from asl_core import option\nx = option(5)", 'has no help: say option(5, help="…")'),
        (offering("name='x', factory='a:b', licence='MIT'"), "unexpected keyword argument 'licence'"),
        (offering("name='x y', factory='a:b'"), "component name 'x y'"),
        (offering("name='x', factory='a.b'"), 'expected "package.module:callable"'),
        (offering("name='x', factory='a:b', api=99"), "plugin api 99, this asl supports 1 to 1"),
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
    assert "Everything else works" in warning
    assert "fix, uninstall or leave it out (-P no:broken or ASL_PLUGINS=-broken)" in warning
    assert [r.status for r in report.records] == ["ok", "broken", "ok"]
    assert {m.__name__ for m in report.manager.get_plugins()} == {"plug_before", "plug_later"}


def test_the_hooks_there_are_are_named_when_one_is_misspelt(plugins: Plugins) -> None:
    plugins.add("broken", hook("asl_encoderz()", "return []"))
    reason = plugins.discover().broken[0].reason
    assert reason.startswith("there is no hook 'asl_encoderz'; did you mean 'asl_encoders'? The hooks are asl_datasets")
    assert "pluggy" not in reason


def test_what_a_broken_or_left_out_plugin_might_have_offered_is_told_with_its_name(plugins: Plugins) -> None:
    plugins.add("broken", "1 / 0")
    plugins.add("out", GOOD.format(name="mine"))
    found = plugins.discover(ASL_PLUGINS="-out").registry
    with pytest.raises(ConfigError) as told:
        found.find("encoder", "mine")
    assert "there is no encoder 'mine'" in str(told.value)
    assert "not used: broken (broken; `asl plugins` says why), out (left out)" in str(told.value)


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
        ("twice", "its module 'plug_good' is already plugin vendor:good.")
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
    with pytest.raises(ConfigError, match="offered by 2 packages: choose one:conformer or two:conformer"):
        report.registry.find("encoder", "conformer")
    assert report.registry.find("encoder", "two:conformer").distribution == "two"
    assert report.warnings() == [
        "encoder 'conformer' is offered twice: choose one:conformer or two:conformer; the plain name is refused."
    ]


def test_a_foreign_plugin_cannot_take_a_built_in_name(plugins: Plugins) -> None:
    plugins.add("thief", GOOD.format(name="gru"), dist="aaa")
    plugins.add("own", GOOD.format(name="gru"), dist="asl-core")
    report = plugins.discover()
    assert report.registry.find("encoder", "gru").distribution == "asl-core"
    assert report.registry.find("encoder", "aaa:gru").distribution == "aaa"
    assert report.warnings() == [
        "encoder 'gru' is offered twice: choose asl-core:gru or aaa:gru; the plain name means the built-in."
    ]


def test_a_package_may_use_a_name_once(plugins: Plugins) -> None:
    """Otherwise dist:name, which always means one component, would mean two."""
    plugins.add("one", GOOD.format(name="conformer"))
    plugins.add("two", GOOD.format(name="conformer"))
    component = "Component(name='x', factory='a:b', summary='')"
    plugins.add("twice", hook("asl_losses()", f"return 2 * [{component}]"), dist="other")
    report = plugins.discover()
    assert [(r.name, r.reason) for r in report.broken] == [
        ("twice", "it offers loss 'x', which its package already offers in plugin 'twice'."),
        ("two", "it offers encoder 'conformer', which its package already offers in plugin 'one'."),
    ]
    assert report.registry.find("encoder", "vendor:conformer").plugin == "one"


def test_a_plugin_may_have_nothing_to_offer(plugins: Plugins) -> None:
    plugins.add("empty", hook("asl_encoders()", "return []"))
    (record,) = plugins.discover().records
    assert (record.status, record.components) == ("ok", ())


def test_the_remedy_means_the_broken_one_alone(plugins: Plugins) -> None:
    """Two packages chose one name for their entry point: blocking by that name would block both."""
    plugins.add("kit", GOOD.format(name="sound"), dist="one")
    plugins.add("kit", None, dist="two", value="no_such_module")
    (warning,) = plugins.discover().warnings()
    assert "-P no:two:kit" in warning
    report = plugins.discover(ASL_PLUGINS="-two:kit")
    assert [r.status for r in report.records] == ["ok", "blocked"]


def test_the_order_of_entry_points_does_not_matter(plugins: Plugins) -> None:
    plugins.add("b", GOOD.format(name="shared"), dist="two")
    plugins.add("a", GOOD.format(name="alone"), dist="two")
    plugins.add("c", GOOD.format(name="shared"), dist="one")
    plugins.add("d", "1 / 0", dist="three")
    plugins.add("e", GOOD.format(name="gru"), dist="asl-core")
    plugins.add("f", GOOD.format(name="gru"), dist="aaa")
    plugins.add("g", GOOD.format(name="alone"), dist="two")

    def outcome(order: list[metadata.EntryPoint]) -> tuple[Any, ...]:
        report = discover(order, {})
        told = [(r.distribution, r.name, r.status, r.reason, r.components) for r in report.records]
        return told, report.warnings(), [(o.qualified, o.plugin) for o in report.registry]

    expected = outcome(plugins.made)
    assert [r[:3] for r in expected[0]] == [
        ("aaa", "f", "ok"),
        ("asl-core", "e", "ok"),
        ("one", "c", "ok"),
        ("three", "d", "broken"),
        ("two", "a", "ok"),
        ("two", "b", "ok"),
        ("two", "g", "broken"),
    ]

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.permutations(plugins.made))
    def same(order: list[metadata.EntryPoint]) -> None:
        assert outcome(order) == expected

    same()


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
    plugins.add("own", GOOD.format(name="own"), dist="asl-core")
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


def test_a_block_may_name_a_built_in_too(plugins: Plugins) -> None:
    plugins.add("own", GOOD.format(name="gru"), dist="asl-core")
    assert plugins.discover(ASL_PLUGINS="none").records[0].status == "ok"
    assert plugins.discover(ASL_PLUGINS="-own").records[0].status == "blocked"


def test_what_it_prints_is_kept_off_our_output(plugins: Plugins, capsys: pytest.CaptureFixture[str]) -> None:
    """``asl ls --json`` is read by programs."""
    plugins.add("loud", "print('hello')\n" + GOOD.format(name="loud").replace("return", "print('again'); return"))
    report = plugins.discover()
    assert capsys.readouterr().out == ""
    assert names(report) == ["vendor:loud"]
    assert report.warnings() == []
    assert report.notes() == [
        "plugin 'loud' of vendor 1.2 works, but it prints when it is imported ('hello\\nagain'); that is kept off the "
        "output of asl."
    ]


def test_a_heavy_catalogue_is_told_with_its_time(plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in asl_core.registry.discovery.HEAVY:
        monkeypatch.delitem(sys.modules, module, raising=False)
    (plugins.folder / "jax.py").write_text("import time; time.sleep(0.06)")
    plugins.add("heavy", "import jax\n" + GOOD.format(name="heavy"))
    plugins.add("light", GOOD.format(name="light"))
    report = plugins.discover()
    seconds = report.records[0].seconds
    assert seconds >= 0.06
    assert report.notes() == [
        f"plugin 'heavy' of vendor 1.2 works, but its import takes {seconds:.1f} s, since it imports jax: name "
        "factories by their path, import there."
    ]
    assert report.warnings() == []


def test_a_slow_catalogue_is_told(plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asl_core.registry.discovery, "SLOW", 0.05)
    plugins.add("slow", "import time; time.sleep(0.06)\n" + GOOD.format(name="slow"))
    assert re.search(r"its import takes 0\.\d s: name factories", plugins.discover().notes()[0])


def test_a_user_who_waits_is_told_for_whom(
    plugins: Plugins, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asl_core.registry.discovery, "PATIENCE", 0.02)
    plugins.add("hangs", "import time; time.sleep(0.2)\n" + GOOD.format(name="hangs"))
    with caplog.at_level(logging.WARNING, logger="asl"):
        plugins.discover()
    assert [r.getMessage() for r in caplog.records] == [
        "plugin 'hangs' of vendor 1.2 has been importing for 0.02 s; if it does not end, interrupt and leave it "
        "out with -P no:hangs."
    ]


def test_strict(plugins: Plugins) -> None:
    plugins.add("good", GOOD.format(name="good"))
    assert names(plugins.discover(ASL_STRICT_PLUGINS="1")) == ["vendor:good"]
    plugins.add("broken", "1 / 0")
    plugins.add("other", "2 / 0")
    assert len(plugins.discover(ASL_STRICT_PLUGINS="0").broken) == 2
    with pytest.raises(UsageError, match=r"(?s)'broken' of vendor 1\.2.*'other' of vendor 1\.2"):
        plugins.discover(ASL_STRICT_PLUGINS="1")


def test_strict_about_clashes_and_about_plugins_that_are_not_there(plugins: Plugins) -> None:
    plugins.add("one", GOOD.format(name="conformer"), dist="one")
    plugins.add("two", GOOD.format(name="conformer"), dist="two")
    with pytest.raises(UsageError, match="choose one:conformer or two:conformer"):
        plugins.discover(ASL_STRICT_PLUGINS="1")
    with pytest.raises(UsageError, match="allows 'conformer', and no plugin or package of that name is installed"):
        discover(environ={"ASL_STRICT_PLUGINS": "1", "ASL_PLUGINS": "conformer"})


def test_the_built_in_catalogue_is_light_and_sound() -> None:
    script = (
        "import sys\n"
        "from asl_core.registry.discovery import discover\n"
        "report = discover(environ={'ASL_PLUGINS': '', 'ASL_STRICT_PLUGINS': '1'})\n"
        "assert {'wlasl', 'encoders', 'ctc'} <= {r.name for r in report.records}, report.records\n"
        "print(sorted({'torch', 'numpy', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
