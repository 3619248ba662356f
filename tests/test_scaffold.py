"""``asl plugins new``: what it writes works and passes its own tests as it is, for every slot."""

from __future__ import annotations

import errno
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packages import asl, install
from small import flags, small

import asl_core
from asl_core import Component, testing
from asl_core.cli import main
from asl_core.errors import UsageError
from asl_core.registry.component import SLOTS
from asl_core.registry.discovery import discover
from asl_core.scaffold import names_for, write_plugin
from asl_core.scaffold.slots import STARTS

REGISTRY = discover(environ={"ASL_PLUGINS": ""}).registry


def name_of(slot: str) -> str:
    return f"new-{slot}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A package for every kind of beginning."""
    out = tmp_path_factory.mktemp("made")
    return {kind: write_plugin(names_for(name_of(kind), s.slot, REGISTRY), kind, out) for kind, s in STARTS.items()}


def sources(made: dict[str, Path]) -> str:
    return os.pathsep.join(str(folder / "src") for folder in made.values())


def python(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **environ}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=cwd, env=environ, check=False)


def test_every_slot_has_a_beginning() -> None:
    assert {start.slot for start in STARTS.values()} == set(SLOTS)
    assert set(SLOTS) < set(STARTS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STARTS)
def test_what_is_written_keeps_the_contract(made: dict[str, Path], kind: str) -> None:
    slot = STARTS[kind].slot
    results = testing.check_plugin(made[kind])
    assert [str(r) for r in results if r.failed] == []
    (component,) = {r.component for r in results if r.slot == slot}
    assert component == name_of(kind)
    expected = {"dataset": "name", "checkpoint-loader": "hostile", "format": "other files"}.get(slot, "resumes")
    assert expected in {r.check for r in results if r.slot == slot and r.status == "passed"}


@pytest.mark.slow
def test_its_own_tests_pass_as_they_are(made: dict[str, Path]) -> None:
    """All of them in one process, to import torch once; each is a project with tests of its own."""
    folder = made["encoder"].parent
    words = [str(path) for path in made.values()]
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *words, cwd=folder,
                  PYTHONPATH=sources(made))  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
    assert " passed" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_its_tests_fail_when_it_is_broken(tmp_path: Path) -> None:
    """Without the mask padding leaks: an author who leaves it out is told."""
    folder = write_plugin(names_for("leaky-one", "encoder", REGISTRY), "encoder", tmp_path)
    source = folder / "src" / "leaky_one" / "encoder.py"
    text = source.read_text()
    assert "layer(frames * real)" in text
    source.write_text(text.replace("layer(frames * real)", "layer(frames)"))
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "other_options")
    done = python(*words, cwd=folder, PYTHONPATH=str(folder / "src"))
    assert done.returncode == 1
    assert "padding leaks; mask it, or pack the sequences" in done.stdout
    assert "1 failed, 2 deselected" in done.stdout


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="needs ruff")
def test_what_is_written_is_clean(made: dict[str, Path]) -> None:
    folders = [str(path) for path in made.values()]
    rules = "A,B,C4,D,E,F,I,N,PT,RUF,SIM,UP,W"
    matters_of_taste = "D103,D107,D203,D213,D401,D406,D407,D413"
    for words in (
        ["check", "--no-cache", "--extend-select", rules, "--ignore", matters_of_taste],
        ["format", "--no-cache", "--check"],
    ):
        done = python("-m", "ruff", *words, *folders, cwd=made["encoder"].parent)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="needs mypy")
def test_what_is_written_is_typed(made: dict[str, Path]) -> None:
    """Under the project's own settings, so that what it has cached of torch serves here."""
    root = Path(__file__).resolve().parent.parent
    files = [str(path) for folder in made.values() for path in sorted(folder.rglob("*.py"))]
    done = python("-m", "mypy", *files, cwd=root, MYPYPATH=sources(made))
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_public_names_are_used(made: dict[str, Path]) -> None:
    for folder in made.values():
        for path in folder.rglob("*.py"):
            lines = [line.split() for line in path.read_text().splitlines() if "asl_core" in line]
            homes = {words[1] for words in lines if words[:1] in (["from"], ["import"])}
            assert homes <= {"asl_core", "torch", "attrs", "numpy"}, path
            taken = {w.strip(",()") for words in lines if words[:2] == ["from", "asl_core"] for w in words[3:]}
            assert taken <= {*asl_core.__all__, "testing"}, path


@pytest.mark.slow
def test_installed_it_runs(made: dict[str, Path], tmp_path: Path) -> None:
    """As a wheel would be: the package and its entry points in a folder of the path."""
    source = made["encoder"] / "src" / "new_encoder"
    files = {f"new_encoder/{p.name}": p.read_text() for p in source.iterdir() if p.is_file()}
    install(tmp_path / "site", "new-encoder", files, {"asl.plugins": {"new-encoder": "new_encoder"}})
    values = {k: v for k, v in small(tmp_path, run__name="r").items() if not k.startswith("encoder")}
    words = flags(values | {"encoder": "new-encoder", "encoder.hidden-size": 8})
    done = asl("run", *words, path=(tmp_path / "site",), cwd=tmp_path, ASL_STRICT_PLUGINS="1")
    assert done.returncode == 0, done.stderr
    assert "model  new-encoder encoder" in done.stdout
    assert (tmp_path / "r" / "final.safetensors").is_file()
    shown = asl("show", "encoder", "new-encoder", path=(tmp_path / "site",), cwd=tmp_path)
    assert "frames to either side in the first convolution" in shown.stdout


@pytest.fixture
def new(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["plugins", "new", *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(stop.value.code or 0), said.out, said.err

    return call


def test_the_command_tells_what_to_type_next(new, tmp_path: Path) -> None:
    code, out, err = new("My_Own.Thing")
    assert (code, err) == (0, "")
    assert out.startswith("my-own-thing has an encoder 'my-own-thing'")
    for command in (
        "  pip install -e ./my-own-thing\n",
        "  pytest my-own-thing\n",
        "  asl plugins check my-own-thing\n",
        "  asl run --encoder my-own-thing\n",
    ):
        assert command in out
    code, out, _ = new("in-the-model", "--slot", "batch-transform")
    assert code == 0
    assert "asl run --transform in-the-model" in out
    code, out, _ = new("other", "--slot", "loss", "--out", str(tmp_path / "a folder"))
    assert code == 0
    assert f"pip install -e '{tmp_path / 'a folder' / 'other'}'" in out
    assert "asl run --head mean --loss other" in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["9lives"], "'9lives' cannot be the name of a plugin"),
        (["my encoder"], "cannot be the name"),
        (["two--dashes"], "cannot be the name"),
        (["trailing-"], "cannot be the name"),
        (["é"], "cannot be the name"),
        (["../up"], "cannot be the name"),
        (["class"], "would be the module class, which is Python's own"),
        (["json"], "would be the module json, which is Python's own"),
        (["torch"], "would be the module torch, and an installed package has that name"),
        (["asl-core"], "would be the module asl_core"),
        (["asl"], "a plugin 'asl' would be the module asl"),
        (["gru"], "there is encoder 'gru' already, from asl-core; choose another name (`asl ls encoder`)"),
        (["trim", "--slot", "batch-transform"], "there is transform 'trim' already"),
        (["CTC", "--slot", "head"], "there is head 'ctc' already"),
        (["mine", "--slot", "encoders"], "--slot"),
        (["taken"], "taken exists already; choose another name"),
        (["mine", "--out", "file/below"], "cannot be written"),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_paragraph(new, tmp_path: Path, words: list[str], text: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    code, out, err = new(*words)
    assert (code, out) == (2, "")
    assert text in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


def test_names_of_a_slot_may_stand_in_another() -> None:
    assert names_for("gru", "head", REGISTRY).cls == "GruHead"


def test_a_plugin_that_is_called_as_its_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``class Encoder(Encoder)`` would be its own base."""
    names = names_for("encoder", "encoder", REGISTRY)
    assert names.cls == "MyEncoder"
    monkeypatch.syspath_prepend(write_plugin(names, "encoder", tmp_path) / "src")
    component: Component = testing.isolated("encoder", builtins=False).registry.find("encoder", "encoder").component
    testing.check_encoder(component, hidden_size=8)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.write_text

    def full(path: Path, *words: Any, **named: Any) -> int:
        if path.name == "options.py":
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(path, *words, **named)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_plugin(names_for("mine", "encoder", REGISTRY), "encoder", tmp_path)
    assert list(tmp_path.iterdir()) == []
