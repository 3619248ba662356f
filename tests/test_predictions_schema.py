"""``asl predict --json`` keeps to its schema, and the manual names every key of it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from asl_core.cli import main

DOCS = files("asl_core") / "docs"
SCHEMA = json.loads((DOCS / "predictions.schema.json").read_text(encoding="utf-8"))


def test_the_manual_names_every_key() -> None:
    page = (DOCS / "evaluate.md").read_text(encoding="utf-8")
    for kind in ("clip", "unread"):
        assert not [key for key in SCHEMA["$defs"][kind]["properties"] if f"`{key}`" not in page]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import asl_core as asl

    out = tmp_path_factory.mktemp("runs")
    small = {"dataset.glosses": 3, "dataset.train": 3, "dataset.val": 1, "encoder.hidden-size": 8, "train.epochs": 1}
    sentences = {"dataset.sentence-length": 2, "loss": "ctc", "run.name": "sentences"}
    for more in ({"run.name": "signs"}, sentences):
        asl.run({"run.out": str(out), "run.threads": 1, **small, **more})
    return out


@pytest.mark.slow
@pytest.mark.parametrize("run", ["signs", "sentences"])
def test_every_answer_is_of_the_schema(
    run: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validator = pytest.importorskip("jsonschema", reason="jsonschema (of extra notebook) is not installed")
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(40, 36)).astype(np.float32))
    (tmp_path / "b.npy").write_bytes(b"no array")
    answers = []
    for files_, code in (((tmp_path / "a.npy", "--alignment"), 0), ((tmp_path / "a.npy", tmp_path / "b.npy"), 1)):
        with pytest.raises(SystemExit) as stop:
            main(["predict", str(trained / run), *map(str, files_), "--json"])
        assert (stop.value.code or 0) == code
        answers.append(json.loads(capsys.readouterr().out))
    keys: set[str] = set()
    for answer in answers:
        validator.validate(answer, SCHEMA)
        keys |= {key for entry in answer for key in entry}
    assert keys <= {*SCHEMA["$defs"]["clip"]["properties"], "error"}
    assert {"schema", "clip", "top", "alignment", "file", "error"} <= keys
    assert ("text" in keys) == (run == "sentences")
    with pytest.raises(validator.ValidationError):
        validator.validate([{"schema": 2, "clip": "a", "glosses": [], "top": []}], SCHEMA)
