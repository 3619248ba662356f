"""The oldest Python that is promised is the one that ruff and mypy hold the code against."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OLDEST = PROJECT["project"]["requires-python"].removeprefix(">=")


def test_every_tool_knows_the_oldest_python() -> None:
    tool = PROJECT["tool"]
    assert tool["ruff"]["target-version"] == f"py{OLDEST.replace('.', '')}"
    assert tool["mypy"]["python_version"] == OLDEST
    versions = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert versions[0] == OLDEST
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python {OLDEST} to {versions[-1]}" in readme
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert f"python: {json.dumps(versions)}" in workflow


def test_what_ships_is_checked_strictly() -> None:
    """Each package of the wheel is named where mypy is strict; a name that is missing would be checked as tests are."""
    packages = {Path(p).name for p in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    (strict,) = (o for o in PROJECT["tool"]["mypy"]["overrides"] if o.get("disallow_untyped_defs"))
    assert {m.removesuffix(".*") for m in strict["module"]} == packages


def checked(tool: str, *words: str, code: str, folder: Path) -> list[str]:
    """What a tool says of the code, with the settings of this project."""
    if find_spec(tool) is None:
        pytest.skip(f"needs {tool}")
    file = folder / "later.py"
    file.write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", tool, *words, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("code", ["type Names = list[str]\n", "def first[T](x: T) -> T:\n    return x\n"])
def test_syntax_of_later_pythons_is_noticed(tmp_path: Path, code: str) -> None:
    words = ("check", "--config", "pyproject.toml", "--output-format", "concise", "--no-cache")
    assert any(
        "invalid-syntax" in line and OLDEST in line for line in checked("ruff", *words, code=code, folder=tmp_path)
    )


@pytest.mark.slow
def test_the_standard_library_of_later_pythons_is_noticed(tmp_path: Path) -> None:
    code = "import itertools\nfrom typing import override\n\nprint(itertools.batched('ab', 2), override)\n"
    lines = checked("mypy", "--cache-dir", os.devnull, code=code, folder=tmp_path)
    assert all(any(f'no attribute "{name}"' in line for line in lines) for name in ("batched", "override"))
