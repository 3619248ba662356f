"""The examples: curricula resolve, every script says what it does and runs in a short form."""

from __future__ import annotations

import importlib
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scripts import printed

import asl_core as asl
from asl_core.studies.curriculum import load_curriculum

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.toml")))
def test_curricula_resolve(name: str) -> None:
    stages = load_curriculum(EXAMPLES / name).stages
    assert [s.after for s in stages] == [None, stages[0].name]


SCRIPTS = sorted(p.name for p in EXAMPLES.glob("*.py") if "__main__" in p.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_its_command_and_what_it_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, EXAMPLES / name, "--help")
    assert f"python examples/{name} " in shown
    assert "Prints " in shown


def write_pickles(folder: Path, width: int, split: str, name: str, count: int) -> None:
    """``count`` random clips of each of three signs in a feature pickle."""
    random = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    clips = {
        f"{split}{number}": {
            "features": random.uniform(0.2, 0.8, (8, width)).astype(np.float32),
            "gloss": f"{'pool' if split == 'pretrain' else 'sign'}{number % 3}",
            "signer_id": str(number % 2),
        }
        for number in range(3 * count)
    }
    (folder / name).write_bytes(pickle.dumps(clips))


SMALL = ["train.epochs=1", "encoder.hidden-size=8", "run.device=cpu", "run.threads=1"]
#: script -> features per frame, its arguments in a short form, and what it prints, line by line
SHORT: dict[str, tuple[int, list[str], list[str]]] = {
    "wlasl100.py": (
        36, ["--rows", "gru, ctc", "gru, mean pooling", "--seeds", "0", "--ensemble", "--set", *SMALL],
        [r"\| \| top-1 \|.*", r"\|---.*", r"\| gru, ctc \| \*\*.*", r"\| gru, mean pooling \|.*",
         r"\| gru, ctc with gru, mean pooling \|.*", r"\| all 2 runs \|.*"],
    ),
    "landmarks.py": (
        126, ["--rows", "ctc", "ctc, after stage 1", "--seeds", "0", "--passed", "0.0", "--set", *SMALL],
        [r"\| \| top-1 \|.*", r"\|---.*", r"\| ctc \|.*", r"\| ctc, after stage 1 \|.*",
         r"ctc: 0% of val first right: epoch 1 \(\d+ s\)", r"ctc, after stage 1: 0% .*",
         r"ctc, after stage 1 against ctc: [-+]\d.*"],
    ),
    "learning_curve.py": (
        36, ["--shares", "0.5", "1", "--seeds", "0", "--set", *SMALL],
        [r"\| share \|.*", r"\|---.*", r"\| 50% \| 6 \| 2.0 \|.* \|  \|  \|", r"\| 100% \| 12 \| 4.0 \|.* to .*"],
    ),
    "stage1_study.py": (
        36, ["--objectives", "supervised", "--seeds", "0", "--set", *SMALL],
        [r"\| stage 1 \|.*", r"\|---.*", r"\| none \| 100% \| \*\*.* \| \| \| \|", r"\| supervised \| 100% \|.* to .*"],
    ),
    "rates.py": (
        126, ["--folds", "2", "--rates", "15", "--set", *(s.replace("=cpu", '="cpu"') for s in SMALL)],
        [r"hands-seed0-fold0of2: 30 .*", r"hands-seed0-fold1of2: .*", "", r"\| frames per second \|.*", r"\|---.*",
         r"\| 30 \|.*", r"\| 15 \|.*", r"\| 15, not said \|.*"],
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_a_script_runs_in_short_form(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    width, arguments, expected = SHORT[name]
    write_pickles(tmp_path / "data", width, "train", "features_train_x.pkl", 4)
    write_pickles(tmp_path / "data", width, "val", "features_val_x.pkl", 2)
    write_pickles(tmp_path / "pool", width, "pretrain", "features_pretrain_1_of_6.pkl", 4)
    pool = {"landmarks.py": ["--pool", "pool"], "stage1_study.py": ["--pool", "pool/features_pretrain_1_of_6.pkl"]}
    words = ["--root", "data", "--out", "runs", *arguments, *pool.get(name, [])]
    for _ in range(2 if name == "learning_curve.py" else 1):  # the second time from the finished runs
        lines = printed(capsys, EXAMPLES / name, *words, cwd=tmp_path).splitlines()
        assert len(lines) == len(expected), lines
        for line, pattern in zip(lines, expected, strict=True):
            assert re.fullmatch(pattern, line), line


def test_every_script_has_a_short_form() -> None:
    assert {*SHORT, "script.py", "mp_tree.py", "mp_folds.py"} == set(SCRIPTS)


def test_the_tree_of_recordings_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = np.arange(10.0).reshape(5, 2)  # of all recordings, end to end
    np.savez(tmp_path / "all.npz", X=frames, length=[3, 2], sign=["book", "go"], sequence=[0, 7])
    said = printed(capsys, EXAMPLES / "mp_tree.py", "all.npz", "tree", cwd=tmp_path)
    assert "2 recordings" in said
    assert "5 frames" in said
    assert np.load(tmp_path / "tree" / "go" / "7" / "1.npy").tolist() == frames[4].tolist()


@pytest.mark.slow
def test_folds_of_neighbours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for sign in ("up", "down"):
        for number in range(10):
            folder = tmp_path / "tree" / sign / str(number)
            folder.mkdir(parents=True)
            for frame in range(6):
                np.save(folder / f"{frame}.npy", random.uniform(0.1, 0.9, 126))
    small = ["--set", "encoder.hidden-size=8", "encoder.layers=1", "run.device='cpu'"]
    words = ["--root", "tree", "--out", "runs", "--epochs", "1", "--only", "1", *small]
    expected = [
        "20 recordings of 2 signs", "", r"\| tree \|.*", r"\|---.*", r"\| 1-NN, random split \|.*%.* to .*",
        r"\| 1-NN, blocks \|.*(, \d+\.\d){4} \|", r"\| default, 1 epochs, blocks \| \d.*",
    ]  # fmt: skip
    lines = printed(capsys, EXAMPLES / "mp_folds.py", *words, cwd=tmp_path).splitlines()
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line


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
