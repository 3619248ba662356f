"""The core is a straight tower, knows no plugin, and has one face."""

from __future__ import annotations

from pathlib import Path

import pytest
from tower import ORDER, ROOT, Module, circles, imports, modules, upward

PLUGINS = sorted(p.name for p in (ROOT / "plugins").iterdir() if p.is_dir() and p.name.startswith("asl_"))
OUTSIDE = sorted([*(ROOT / "plugins").rglob("*.py"), *(ROOT / "examples").rglob("*.py")])


def test_a_wing_imports_only_wings_below_it() -> None:
    assert upward(modules()) == []


def test_there_is_no_circle() -> None:
    assert circles(modules()) == []


def test_every_module_has_a_place() -> None:
    assert {m.wing for m in modules().values()} == set(ORDER)


def test_the_core_imports_no_plugin() -> None:
    for path in (ROOT / "asl_core").rglob("*.py"):
        taken = {name.partition(".")[0] for name in imports(path)} & set(PLUGINS)
        assert not taken, path


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda p: str(p.relative_to(ROOT)))
def test_plugins_and_examples_see_only_the_face(path: Path) -> None:
    import asl_core

    named = {n.removeprefix("asl_core.") for n in imports(path) if n.startswith("asl_core.")}
    inside = {n for n in named if n not in asl_core.__all__ and not n.startswith("testing")}
    assert not inside


def test_no_plugin_imports_another() -> None:
    for path in (ROOT / "plugins").rglob("*.py"):
        own = path.relative_to(ROOT / "plugins").parts[0]
        assert not {name.partition(".")[0] for name in imports(path)} & (set(PLUGINS) - {own}), path


def test_the_init_of_a_wing_imports_nothing() -> None:
    """``asl --help`` would import what they import; the three at the top are faces of their own."""
    for path in (ROOT / "asl_core").glob("*/__init__.py"):
        if path.parent.name not in ("cli", "testing", "scaffold"):
            assert not list(imports(path)), path


def test_what_it_would_find() -> None:
    names = {
        "files.a": Module("files.a", 1, frozenset({"files.b", "training.c"})),
        "files.b": Module("files.b", 1, frozenset({"files.a"})),
        "training.c": Module("training.c", 1, frozenset({"files.a"})),
    }
    assert upward(names) == ["files.a imports training.c"]
    assert circles(names) == [["files.a", "files.b", "training.c"]]
