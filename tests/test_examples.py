"""The examples hold: curricula resolve, scripts say what they do."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asl_core as asl
from asl_core.studies.curriculum import load_curriculum

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.toml")))
def test_curricula_resolve(name: str) -> None:
    stages = load_curriculum(EXAMPLES / name).stages
    assert [s.after for s in stages] == [None, stages[0].name]


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.py")))
def test_scripts_explain_themselves(name: str) -> None:
    said = subprocess.run([sys.executable, EXAMPLES / name, "--help"], capture_output=True, text=True, check=True)
    assert "README" in said.stdout or "stage 1" in said.stdout


@pytest.mark.slow
def test_rows_of_the_tables_configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A row with a fault would show after the hours of those before it."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    tables = importlib.import_module("landmarks"), importlib.import_module("wlasl100")
    for table in tables:
        for row in table.ROWS.values():
            settings = {"recipe": "hands" if table.__name__ == "landmarks" else None, **row}
            recipe = settings.pop("recipe")
            asl.configure({"dataset": "wlasl", "dataset.root": str(tmp_path), **settings}, recipe=recipe)


@pytest.mark.slow
def test_the_script_trains_and_predicts(tmp_path: Path) -> None:
    """The library alone, in fewer than sixty lines."""
    script = EXAMPLES / "script.py"
    assert len(script.read_text(encoding="utf-8").splitlines()) < 60
    done = subprocess.run(
        [sys.executable, "-W", "error", script, "--out", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    run, unseen = done.stdout.splitlines()
    assert run.startswith(f"{tmp_path / 'Circles-gru-ctc-1'}: top-1 ")
    assert (percent := re.search(r"(\d+)%", run))
    assert int(percent[1]) >= 90
    assert unseen.startswith("an unseen clip: anticlockwise ")
