"""The notebook runs from its first cell to its last, and again after a disconnect."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent / "examples" / "notebook.ipynb"
#: cells that only a hosted notebook can run carry nbclient's own tag for cells to leave out
SKIP = "skip-execution"
SMALL = """FEATURES = None
RUNS = "runs"
SETTINGS = {"encoder.hidden-size": 8, "dataset.glosses": 5, "dataset.train": 3, "dataset.val": 2, "epochs": 2,
            "device": "cpu"}"""

#: what a disconnect before the end of training leaves, and the cell that trains given again
AGAIN = """import pathlib
pathlib.Path(path, "summary.json").unlink()
print("finished again:", pathlib.Path(asl.complete(config), "summary.json").is_file())"""


def cells() -> list[dict[str, Any]]:
    content: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return content["cells"]


def test_it_holds_no_output_and_one_cell_of_parameters() -> None:
    code = [c for c in cells() if c["cell_type"] == "code"]
    assert all(not c["outputs"] and c["execution_count"] is None for c in code)
    assert [c["metadata"].get("tags") for c in code].count(["parameters"]) == 1
    (install,) = ["".join(c["source"]) for c in code if "pip install" in "".join(c["source"])]
    assert "-c torch.txt" in install, "the torch that is there stays"


@pytest.mark.slow
def test_it_runs_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    why = "needs the extra `notebook`: pip install -e '.[notebook]'"
    nbclient = pytest.importorskip("nbclient", reason=why)
    pytest.importorskip("ipykernel", reason=why)
    nbformat = pytest.importorskip("nbformat", reason=why)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    kernel = tmp_path / "share" / "jupyter" / "kernels" / "here"  # this Python, whatever kernels the machine has
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "here", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = SMALL
    notebook.cells.append(nbformat.v4.new_code_cell(AGAIN))
    nbclient.NotebookClient(
        notebook, kernel_name="here", timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    said = "\n".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", ()))
    assert "torch" in said, "of asl doctor"
    assert "top-1 " in said
    assert said.endswith("finished again: True\n")
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["notebook"], "no second run"
