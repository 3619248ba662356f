"""``asl doctor`` works however broken an installation is, and says what to type."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packages import ENCODER, install, plugin

import asl_core.cli.examination
from asl_core.cli.examination import examine
from asl_core.registry.installed import installed_version


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site")
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


def problems() -> str:
    return "\n".join(examine({}, torch=False).problems)


def test_broken_plugins_are_named_with_what_to_do(site: Path) -> None:
    plugin(site, "raising-kit", "raising", "import no_such_library\n" + ENCODER.format(name="raising"))
    found = examine({"ASL_STRICT_PLUGINS": "1"}, torch=False)
    (row,) = [r for p in found.parts for r in p.rows if r[0] == "raising"]
    assert row[1] == "broken"
    assert str(site) in row[-1]
    assert any("no_such_library" in p and "-P no:raising" in p for p in found.problems)


def test_the_stranger_and_what_is_left_of_version_0_1(site: Path) -> None:
    install(site, "asl", {}, {"console_scripts": {"asl": "theirs:main"}}, "9.9")
    assert "is an unrelated project: python -m pip uninstall asl" in problems()


@pytest.mark.parametrize(
    ("version", "fine"), [("2.6", True), ("2.13.0+cpu", True), ("2.5.1", False), ("3.0", False), (None, False)]
)
def test_versions(version: str | None, fine: bool, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = installed_version
    monkeypatch.setattr(asl_core.cli.examination, "installed_version", lambda n: version if n == "torch" else real(n))
    assert ("python -m pip install 'torch" not in problems()) == fine


def test_folders_that_cannot_be_written(site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    said = problems()
    assert "runs cannot be written (it is a file): give another with --out FOLDER" in said
    assert "0.0 GiB left: make room" in said


def test_nothing_that_fails_hides_the_rest(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("all is lost")

    monkeypatch.setattr(asl_core.cli.examination, "discover", broken)
    found = examine({}, torch=False)
    assert any("plugins cannot be examined (RuntimeError: all is lost)" in p for p in found.problems)
    assert [p.title for p in found.parts if p.rows] == ["installation", "packages", "folders"]


@pytest.mark.parametrize(
    "outcome",
    [
        SimpleNamespace(returncode=-11, stdout="", stderr=""),
        SimpleNamespace(returncode=1, stdout="", stderr="Traceback\nImportError: libcudart.so"),
        SimpleNamespace(returncode=0, stdout="no json", stderr=""),
        subprocess.TimeoutExpired("python", 1),
        OSError("no process"),
    ],
)
def test_a_torch_that_cannot_be_imported(outcome: object, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> object:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(subprocess, "run", run)
    assert "python -m pip install --force-reinstall torch" in "\n".join(examine({}).problems)


@pytest.mark.slow
def test_devices(site: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('hostile')")
    code = "import sys; from asl_core.cli import main; main(['doctor', '--json'])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    rows = json.loads(done.stdout)["devices"]
    assert "cpu" in {row[0] for row in rows}
    assert [row for row in rows if row[0] == "threads"]
