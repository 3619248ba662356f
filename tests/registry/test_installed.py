"""What is installed is read one package at a time, and what is wanted of it is a value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packages import ENCODER, install, plugin

from asl_core.cli import main
from asl_core.cli.plugin_flag import allowing, plugins_chosen, take_plugin_flags
from asl_core.errors import UsageError
from asl_core.registry.installed import PLUGINS, Wanted, installed, unknown_names


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def foreign() -> list[tuple[str, str, str]]:
    return [(o.distribution, o.version, o.entry.name) for o in installed(PLUGINS)[0] if o.distribution != "asl-core"]


def test_packages_are_found_sorted_and_other_groups_left_out(site: Path) -> None:
    install(site, "b", {}, {"asl.plugins": {"z": "m", "y": "n"}, "console_scripts": {"q": "m:f"}})
    install(site, "a", {}, {"asl.plugins": {"x": "m"}})
    assert foreign() == [("a", "1.2", "x"), ("b", "1.2", "y"), ("b", "1.2", "z")]


@pytest.mark.parametrize("content", [b"\xff\xfe[asl.plugins]\n", b"[asl.plugins]\nno equals sign\n"])
def test_a_damaged_list_of_entry_points_hides_only_itself(site: Path, content: bytes) -> None:
    install(site, "damaged", {}, content)
    install(site, "sound", {}, {"asl.plugins": {"x": "m"}})
    found, damaged = installed(PLUGINS)
    assert [(d.distribution, d.version) for d in damaged] == [("damaged", "1.2")]
    assert {"sound", "asl-core"} <= {o.distribution for o in found}


def test_a_damaged_list_of_other_groups_is_nobodys_business(site: Path) -> None:
    install(site, "damaged", {}, b"[other.tool]\nno equals sign\n")
    assert installed(PLUGINS)[1] == []


def test_a_package_without_metadata(site: Path) -> None:
    install(site, "half", {}, {"asl.plugins": {"x": "m"}}, metadata=False)
    assert foreign() == [("unknown", "0", "x")]


def test_of_two_copies_the_first_on_the_path_counts(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, version in (("first", "2.0"), ("second", "1.0")):
        (site / folder).mkdir()
        install(
            site / folder, "My_Plugin" if folder == "first" else "my-plugin", {}, {"asl.plugins": {"x": "m"}}, version
        )
    monkeypatch.syspath_prepend(site / "second")
    monkeypatch.syspath_prepend(site / "first")
    assert foreign() == [("My_Plugin", "2.0", "x")]


@pytest.mark.parametrize(
    ("spec", "taken"),
    [
        (None, {"own", "x", "y"}),
        ("x", {"own", "x"}),
        ("dist-y", {"own", "y"}),
        ("DIST_Y", {"own", "y"}),
        ("x, y", {"own", "x", "y"}),
        ("dist-x:x", {"own", "x"}),
        ("dist-x:y", {"own"}),
        ("-x", {"own", "y"}),
        ("no:x", {"own", "y"}),
        ("-dist-x,-y", {"own"}),
        ("x,-x", {"own"}),
        ("", {"own"}),
        (" , ", {"own"}),
        ("none", {"own"}),
        ("none,-own", set()),
        ("-own", {"x", "y"}),
        ("nobody", {"own"}),
    ],
)
def test_allow_and_block(spec: str | None, taken: set[str]) -> None:
    wanted = Wanted.parse(spec)
    there = [("asl-core", "own"), ("dist-x", "x"), ("dist-y", "y")]
    assert {name for dist, name in there if wanted.takes(dist, name, builtin=dist == "asl-core")} == taken


def test_names_that_nobody_has_are_told_with_the_nearest(site: Path) -> None:
    plugin(site, "conformer-kit", "conformer", ENCODER.format(name="conformer"))
    install(site, "damaged", {}, b"[asl.plugins]\nno equals sign\n")
    install(site, "verbal", {}, {"asl.commands": {"shout": "m:f"}})
    assert unknown_names("conformer,conformer_kit,-conformer-kit:conformer,no:damaged,shout,-verbal,none") == []
    assert unknown_names(None) == unknown_names("") == []
    (one, other) = unknown_names("conformr,-sttages")
    assert one.startswith("ASL_PLUGINS or -P allows 'conformr', and no plugin or package of that name is installed")
    assert one.endswith("did you mean 'conformer'?")
    assert "blocks 'sttages'" in other
    assert "did you mean 'stages'?" in other
    for name in ("layout36", "asl-core:layout36"):
        (merged,) = unknown_names(f"no:{name}")
        assert merged.endswith("; it is part of plugin 'landmarks' now")


@pytest.mark.parametrize(
    ("spec", "words", "now"),
    [
        (None, [], None),
        ("a", [], "a"),
        (None, ["no:x"], "-x"),
        ("", ["no:x"], "none,-x"),
        ("none", ["no:x"], "none,-x"),
        ("a,-b", ["no:x"], "a,-b,-x"),
        ("a,-b", ["c", "no:x", "d"], "c,d,-b,-x"),
        ("", ["c"], "c"),
        ("-a", ["none"], "none,-a"),
    ],
)
def test_the_flag_joins_the_variable(spec: str | None, words: list[str], now: str | None) -> None:
    assert allowing(spec, words) == now


NAMES = st.sampled_from(["a", "b", "dist-a", "dist-b", "dist-a:a", "none"])
WORDS = st.lists(NAMES | NAMES.map(lambda n: f"no:{n}"), max_size=4)


@given(st.none() | st.lists(NAMES | NAMES.map(lambda n: f"-{n}"), max_size=3).map(",".join), WORDS, WORDS)
def test_the_flag_never_lets_in_what_is_blocked(spec: str | None, words: list[str], more: list[str]) -> None:
    """Whatever was set before, ``-P no:NAME`` takes away, and only ``-P NAME`` gives."""
    before, now = Wanted.parse(spec), Wanted.parse(allowing(spec, words))
    for dist, name in (("dist-a", "a"), ("dist-b", "b")):
        named = {name, dist, f"{dist}:{name}"}
        if named & {w.removeprefix("no:") for w in words if w.startswith("no:")}:
            assert not now.takes(dist, name)
        elif not (allowed := [w for w in words if not w.startswith("no:")]):
            assert now.takes(dist, name) == before.takes(dist, name)
        else:
            assert now.takes(dist, name) <= bool(named & set(allowed))
    # Nested processes: the flags of both hold, the allowed ones of the inner.
    both = Wanted.parse(allowing(allowing(spec, words), more))
    assert set(both.block) >= set(now.block)


@pytest.mark.parametrize(
    ("args", "rest", "words"),
    [
        ("-P no:x run --epochs 1", "run --epochs 1", ["no:x"]),
        ("run -P no:x --epochs 1 -P y", "run --epochs 1", ["no:x", "y"]),
        ("run -Pno:x", "run", ["no:x"]),
        ("predict -- -P no:x", "predict -- -P no:x", []),
        ("run --resume P", "run --resume P", []),
    ],
)
def test_the_flag_stands_anywhere(args: str, rest: str, words: list[str]) -> None:
    assert take_plugin_flags(args.split()) == (rest.split(), words)


def test_the_help_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit):
            main(words)
        said = capsys.readouterr().out
        assert "-P no:NAME leaves a" in said or "-P [no:]NAME" in said, words


@pytest.mark.parametrize("args", ["run -P", "-P no: run", "-P -x run", "-P a,b run", "-P -- x"])
def test_the_flag_needs_a_name(args: str) -> None:
    with pytest.raises(UsageError, match="expected one name"):
        take_plugin_flags(args.split())


@pytest.mark.parametrize("before", [None, "", "a"])
def test_the_choice_ends_with_the_command(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if before is None:
        monkeypatch.delenv("ASL_PLUGINS", raising=False)
    else:
        monkeypatch.setenv("ASL_PLUGINS", before)

    def fail() -> None:
        with plugins_chosen(["no:x"]):
            assert "-x" in os.environ["ASL_PLUGINS"]
            raise UsageError("whatever")

    with pytest.raises(UsageError, match="whatever"):
        fail()
    assert os.environ.get("ASL_PLUGINS") == before
