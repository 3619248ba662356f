"""plugins/README.md is whole and true: every hook, slot and member is there, and the package in it works."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packages import asl

import asl_core
from asl_core import testing
from asl_core.registry import hookspecs
from asl_core.registry.component import SLOTS

PAGE = Path(__file__).resolve().parent.parent / "plugins" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n# (my-signs/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files() -> Mapping[str, str]:
    """Path -> text of the package that the page shows, its blocks put together."""
    found: dict[str, str] = {}
    for _, path, text in BLOCK.findall(TEXT):
        found[path] = found.get(path, "") + text + "\n"
    return found


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    for path, text in files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root / "my-signs"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips in the layout of its data set."""
    root, random = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    for split, number in (("train", 6), ("val", 2)):
        for place, gloss in enumerate(("book", "chair")):
            (root / split / gloss).mkdir(parents=True)
            for n in range(number):
                frames = random.normal(place, 0.3, (5 + n, 4))
                np.save(root / split / gloss / f"{gloss}{n}.npy", frames.astype(np.float32))
    return root


def test_every_block_of_python_belongs_to_the_package() -> None:
    blocks = [language for language in re.findall(r"^```(\w+)$", TEXT, re.MULTILINE) if language != "sh"]
    assert len(blocks) == len(BLOCK.findall(TEXT)) > 20


@pytest.mark.parametrize(("slot", "hook"), SLOTS.items())
def test_every_hook_has_its_section(slot: str, hook: str) -> None:
    """With the factory's signature as the hook itself has it, an example, and every member of the contract."""
    section = re.search(rf"^### `{hook}`: slot `{slot}`\n(.*?)^##", TEXT, re.MULTILINE | re.DOTALL)
    assert section, f"plugins/README.md has no section on {hook}"
    said = " ".join(section[1].split())
    signature = re.search(r"``(\([^`]*\) -> (\w+))``", inspect.getdoc(getattr(hookspecs, hook)) or "")
    assert signature
    assert f"`{signature[1]}`" in said
    assert f"@hookimpl def {hook}(): " in said
    contract = getattr(asl_core, signature[2])
    own = {n for n in (*vars(contract), *inspect.get_annotations(contract)) if not n.startswith("_")}
    assert [n for n in sorted(own) if not re.search(rf"`{n}\b", said)] == []


def test_no_hook_and_no_option_of_a_component_is_missing() -> None:
    from asl_core.testing import fixtures

    hooks = {n for n in vars(hookspecs) if n.startswith("asl_")}
    assert hooks == set(SLOTS.values()) == set(re.findall(r"^### `(\w+)`", TEXT, re.MULTILINE))
    for name in asl_core.Component.__annotations__:
        assert f"| `{name}` |" in TEXT
    for name in inspect.signature(asl_core.option).parameters:
        assert name in ("default", "help") or f"`{name}`" in TEXT
    for name in fixtures.__all__:
        assert f"`{name}`" in TEXT


def test_names_of_the_interface_are_all_that_it_imports() -> None:
    for path, text in files().items():
        for names in re.findall(r"^from asl_core import (.+)$", text, re.MULTILINE):
            assert {n.strip() for n in names.split(",")} <= {*asl_core.__all__, "testing"}, path
        assert not re.search(r"^(?:from|import) asl_core\.", text, re.MULTILINE), path


@pytest.mark.slow
def test_the_package_passes_every_check(package: Path, clips: Path, tmp_path: Path) -> None:
    tensors: dict[str, Any] = {"layers.0.weight": np.zeros((2, 3), np.float32)}
    np.savez(tmp_path / "weights.npz", **tensors)
    frames = [" ".join(f"0.{n + 1}" for n in range(42))] * 3
    (tmp_path / "hand.lines").write_text("\n".join(["lines", *frames, "end"]))
    results = testing.check_plugin(
        package,
        options={"dataset.folders.root": str(clips)},
        samples={
            "folders": clips / "val/book/book0.npy",
            "npz": tmp_path / "weights.npz",
            "lines": tmp_path / "hand.lines",
        },
    )
    assert [str(r) for r in results if r.failed] == []
    assert {r.slot for r in results} - {"plugin"} == set(SLOTS)
    skipped = {(r.slot, r.check) for r in results if r.status == "skipped"}
    assert not [s for s in skipped if s[1] in ("builds", "reads", "trains", "read", "load")], skipped


@pytest.mark.slow
def test_the_package_trains_a_run_with_all_of_it(package: Path, clips: Path, tmp_path: Path) -> None:
    """Found by its entry points, as after ``pip install``, by the real command."""
    site = tmp_path / "site"
    info = site / "my_signs-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-signs\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(
        "[asl.plugins]\nsigns = my_signs\n[asl.commands]\nmy-signs = my_signs.verb:count\n"
    )
    words = ["--recipe", "folders", "--dataset.root", str(clips), "--observer", "bell", "--epochs", "2", "--name", "r"]
    words += ["--device", "cpu"]
    path = (site, package / "src")
    done = asl("run", "--quiet", *words, path=path, cwd=tmp_path, ASL_STRICT_PLUGINS="1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "\a"
    config = (tmp_path / "runs/r/config.toml").read_text()
    for name in ("folders", "differences", "gain", "convolution", "peak", "margin", "bell"):
        assert f'"my-signs:{name}"' in config, "saved by the name that always means it"
    assert asl("my-signs", str(clips), path=path, cwd=tmp_path).stdout == "16 clips\n"
    told = asl("predict", "runs/r", str(clips / "val/chair/chair0.npy"), "--json", path=path, cwd=tmp_path)
    assert {t["gloss"] for t in json.loads(told.stdout)[0]["top"]} == {"book", "chair"}


@pytest.mark.slow
def test_the_tests_of_the_package_pass(package: Path) -> None:
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", f"--rootdir={package}"]
    done = subprocess.run(
        [sys.executable, *words, package / "tests"],
        env={**os.environ, "PYTHONPATH": str(package / "src")},
        capture_output=True,
        text=True,
        cwd=package,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_commands_are_those_of_the_readme() -> None:
    block = re.search(r"^```sh\n(asl plugins new .*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert block
    commands = block[1]
    assert commands in PAGE.parent.parent.joinpath("README.md").read_text(encoding="utf-8")
    assert len(commands.splitlines()) == 4
