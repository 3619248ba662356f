"""``asl predict`` on folders that ``asl convert`` and ``asl pack`` write, and on recordings beside a list."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import asl_core as asl
from asl_core.cli import main
from asl_core.cli.paths import clip_files

pytestmark = pytest.mark.slow  # all share one trained run


def asl_command(*words: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of two signs, a run that was trained on it at 25 frames per second, and the tree in other formats."""
    folder = tmp_path_factory.mktemp("work")
    random = np.random.default_rng(0)
    for sign in ("book", "tea"):
        for number in range(6):
            recording = folder / "tree" / sign / str(number)
            recording.mkdir(parents=True)
            for frame in range(6):
                np.save(recording / f"{frame}.npy", random.uniform(0.1, 0.9, 126).astype(np.float32))
    np.save(folder / "clip.npy", random.uniform(0.1, 0.9, (12, 126)).astype(np.float32))
    values = {"dataset": "files", "dataset.root": str(folder / "tree"), "dataset.fps": 25.0, "run.out": str(folder)}
    asl.run({**values, "run.name": "run", "run.device": "cpu", "train.epochs": 1, "encoder.hidden-size": 8})
    for kind in ("npz", "packed"):
        assert asl_command("convert", folder / "tree", folder / kind, "--to", kind) == 0
    return folder


def test_a_converted_folder_is_read_by_its_recordings(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asl_command("predict", work / "run", work / "npz") == 0
    shown = capsys.readouterr()
    assert shown.out.count(".npz:") == 12
    assert "1 entries of" in shown.err
    assert "list.csv" in shown.err


def test_a_packed_folder_is_read_by_its_files(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asl_command("predict", work / "run", work / "packed") == 0
    shown = capsys.readouterr().out
    assert shown.count("(is book)") == 6
    assert "val.safetensors:" in shown
    assert asl_command("predict", work / "run", work / "packed" / "val.safetensors") == 0


def test_tables_alone_are_clips(work: Path, tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("a,b\n", encoding="utf-8")
    assert clip_files([tmp_path]) == [tmp_path / "clips.csv"]
    shutil.copytree(work / "tree" / "book" / "0", tmp_path / "book" / "0")
    assert clip_files([tmp_path]) == [tmp_path / "book" / "0"]


@pytest.mark.parametrize(
    ("words", "note"), [((), "taken as 25, dataset.fps of the run"), (("--fps", "40"), "")], ids=["run", "flag"]
)
def test_an_unknown_rate_is_that_of_the_run(
    words: tuple[str, ...], note: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asl_command("predict", work / "run", work / "clip.npy", *words) == 0
    error = capsys.readouterr().err
    assert note in error
    assert ("per second are not known" in error) == bool(note)


def test_the_rate_of_the_run_and_a_flag_reach_the_model(work: Path) -> None:
    tops = {fps: asl.predict_file(work / "run", work / "clip.npy", fps=fps)[0].top for fps in (None, 25.0, 60.0)}
    assert tops[None] == tops[25.0] != tops[60.0]


@pytest.mark.parametrize("rate", ["nan", "inf", "0"])
def test_a_rate_that_is_none_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert asl_command("predict", "run", "clip.npy", "--fps", rate) == 2
    assert "is not in the range 0<x<=1000" in capsys.readouterr().err
