"""We are distributed as ``asl-core``: nothing of ours asks an index for ``asl``, a project of somebody else."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packages import ENCODER, install

import asl_core
from asl_core import testing
from asl_core.registry.component import BUILTIN
from asl_core.registry.discovery import discover
from asl_core.registry.installed import PLUGINS, Wanted, current_name, former_requirement, installed, installed_version
from asl_core.scaffold import names_for, write_plugin
from asl_core.scaffold.slots import STARTS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"asl.plugins": {"wlasl": "asl_wlasl"}, "console_scripts": {"asl": "asl_core.cli:main"}}


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0]


def test_the_project_is_called_as_the_code_believes() -> None:
    assert PROJECT["name"] == BUILTIN == "asl-core"
    assert PROJECT["scripts"] == {"asl": "asl_core.cli:main"}


def test_nothing_in_this_repository_requires_the_other_asl(tmp_path: Path) -> None:
    registry = discover(environ={"ASL_PLUGINS": ""}).registry
    for kind, start in STARTS.items():
        write_plugin(names_for(f"new-{kind}", start.slot, registry), kind, tmp_path)
    files = [*ROOT.glob("pyproject.toml"), *ROOT.glob("examples/*/pyproject.toml"), *tmp_path.glob("*/pyproject.toml")]
    assert len(files) == 2 + len(STARTS)
    for file in files[1:]:
        names = [name_of(r) for r in tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"]]
        assert "asl-core" in names, file
        assert "asl" not in names, file
    for page in ROOT.rglob("*.md"):
        if not {".venv", "frozen_api1"} & set(page.parts):
            text = page.read_text(encoding="utf-8")
            assert not re.search(r"pip3? install ((?!&&)\S+ )*asl\b(?!-)", text), page
            assert not re.search(r"""dependencies = .*["']asl["'<>=~]""", text), page


def wheel(folder: Path, name: str, version: str, requires: list[str]) -> None:
    """The least that pip takes for a wheel."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = "".join(f"Requires-Dist: {r}\n" for r in requires)
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as file:
        info = f"{stem}.dist-info"
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="needs pip")
def test_a_new_plugin_resolves_to_nothing_of_a_stranger(tmp_path: Path) -> None:
    """With every name it could want at hand, the stranger's newer ``asl`` too; ``.ci/run`` asks real wheels."""
    folder = write_plugin(
        names_for("mine", "encoder", discover(environ={"ASL_PLUGINS": ""}).registry), "encoder", tmp_path
    )
    requires = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    links = tmp_path / "links"
    links.mkdir()
    wheel(links, "mine", "0.1.0", requires)
    wheel(links, BUILTIN, asl_core.__version__, PROJECT["dependencies"])
    wheel(links, "asl", "9.9", ["strangers-library"])
    for requirement in {name_of(r) for r in [*requires, *PROJECT["dependencies"]]} - {BUILTIN}:
        wheel(links, requirement, {"torch": "2.13.0", "pluggy": "1.6"}.get(requirement, "99"), [])
    words = ["install", "--dry-run", "--quiet", "--ignore-installed", "--no-index", "--find-links", str(links)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pip", *words, "--report", "-", "mine"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    resolved = {one["metadata"]["name"] for one in json.loads(done.stdout)["install"]}
    assert resolved == {"mine", *map(name_of, requires), *map(name_of, PROJECT["dependencies"])}
    assert "asl" not in resolved


def test_an_old_installation_is_still_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``pip install -e .`` of 0.1 wrote metadata named ``asl``; they count where there are no newer ones."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    install(tmp_path, "asl", {}, OURS, "0.1.0")
    assert [(o.distribution, o.version) for o in installed(PLUGINS)[0]] == [(BUILTIN, "0.1.0")]
    assert installed_version(BUILTIN) == "0.1.0"
    install(tmp_path, "asl-core", {}, OURS, "0.2.0")
    assert [(o.distribution, o.version) for o in installed(PLUGINS)[0]] == [(BUILTIN, "0.2.0")]
    assert installed_version(BUILTIN) == "0.2.0"


def test_the_stranger_is_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    install(tmp_path, "asl", {}, {"asl.plugins": {"gru": "theirs"}, "console_scripts": {"asl": "asl.main:run"}}, "9.9")
    assert [o.distribution for o in installed(PLUGINS)[0]] == ["asl"]
    assert installed_version(BUILTIN) is None


def test_words_of_the_old_name_mean_the_built_ins() -> None:
    assert current_name("asl:gru") == "asl-core:gru"
    assert current_name("gru") == "gru"
    assert current_name("asl-x:gru") == "asl-x:gru"
    for word in ("asl", "asl-core", "asl:demo", "ASL_core:demo"):
        assert not Wanted.parse(f"-{word}").takes(BUILTIN, "demo", builtin=True), word
        assert Wanted.parse(f"-{word}").takes("vendor", "demo2")
        assert Wanted.parse(word).unknown([(BUILTIN, "demo")]) == []
    assert not Wanted.parse("asl").takes("vendor", "x")


@pytest.mark.parametrize("name", ["asl", "asl-core"])
def test_saved_names_and_kept_words(name: str) -> None:
    registry = discover(environ={}).registry
    assert registry.find("loss", f"{name}:ctc") is registry.find("loss", "ctc")
    assert len(testing.locate(name).entry_points) >= 6


def test_a_plugin_that_requires_the_old_name_works_and_its_author_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "old-kit", {"old_kit.py": ENCODER.format(name="old")}, {"asl.plugins": {"old": "old_kit"}})
    file = tmp_path / "old_kit-1.2.dist-info" / "METADATA"
    file.write_text(file.read_text() + "Requires-Dist: attrs\nRequires-Dist: asl>=0.1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    report = discover(environ={})
    assert report.registry.find("encoder", "old").distribution == "old-kit"
    (note,) = [n for n in report.notes() if "old-kit" in n]
    assert "it requires 'asl>=0.1.0', an unrelated project on the public index" in note
    assert "'asl-core'" in note
    (told,) = [r for r in testing.check_plugin("old-kit") if r.check == "requires"]
    assert told.failed
    assert "require 'asl-core' instead" in told.reason


@pytest.mark.parametrize(
    ("requirement", "ours"),
    [
        ("asl", True), ("asl>=0.1", True), ("ASL (>=0.1)", True), ("asl[fuzz]", True), ("asl;extra=='a'", True),
        ("asl-core", False), ("asl_core>=1", False), ("asl.core", False), ("asla", False), ("torch", False),
    ],
)  # fmt: skip
def test_which_requirements_mean_the_stranger(requirement: str, ours: bool, tmp_path: Path) -> None:
    install(tmp_path, "kit", {}, {"asl.plugins": {"x": "m"}})
    file = tmp_path / "kit-1.2.dist-info" / "METADATA"
    file.write_text(file.read_text() + f"Requires-Dist: {requirement}\n")
    (dist,) = importlib.metadata.distributions(path=[str(tmp_path)])
    assert (former_requirement(dist) is not None) == ours
