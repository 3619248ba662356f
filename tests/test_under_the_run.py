"""What changes under a run while it trains, or between its start and its end: folders, data files, the clock."""

from __future__ import annotations

import pickle
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small import small

from asl_core import api
from asl_core.errors import AslError, CheckpointError, DataError, RunError
from asl_core.training.events import EpochReport

FILES = ("metrics.jsonl", "best.safetensors", "final.safetensors", "predictions-val.csv", "last/state.safetensors")


class After:
    """Calls something after the first epoch."""

    def __init__(self, action):
        self.action = action

    def on_start(self, config, summary) -> None: ...

    def on_epoch(self, report: EpochReport) -> None:
        if report.epoch == 1:
            self.action()

    def on_end(self, summary) -> None: ...


def stop() -> None:
    raise KeyboardInterrupt


@pytest.mark.skipif(sys.platform == "win32", reason="a folder with an open file cannot be removed there")
def test_the_folder_is_removed_under_the_run(tmp_path: Path) -> None:
    config = api.configure(small(tmp_path, run__name="a"), environ={})
    with pytest.raises(RunError, match=r"cannot be (written|made)") as raised:
        api.run(config, [After(lambda: shutil.rmtree(tmp_path / "a"))])
    assert str(tmp_path / "a") in str(raised.value)
    assert not (tmp_path / "a").exists(), "no half of a run is left in its place"


@pytest.mark.slow
def test_a_clock_that_jumps_backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def files(name: str) -> dict[str, bytes]:
        return {file: (tmp_path / name / file).read_bytes() for file in FILES}

    api.run(api.configure(small(tmp_path, run__name="a"), environ={}))
    moments = iter(range(2_000_000_000, 0, -86_400))
    monkeypatch.setattr(time, "time", lambda: float(next(moments)))
    with pytest.raises(KeyboardInterrupt):
        api.run(api.configure(small(tmp_path, run__name="b"), environ={}), [After(stop)])
    api.resume(tmp_path / "b")
    lines = (tmp_path / "b" / "timings.jsonl").read_text()
    assert '"seconds": -' not in lines
    assert files("b") == files("a")


def pickled(path: Path, value: float) -> None:
    clips = {
        f"{gloss}{n}": {"features": np.full((4, 3), value + n + len(gloss)), "gloss": gloss, "gloss_id": number}
        for number, gloss in enumerate(("go", "book"))
        for n in range(4)
    }
    path.write_bytes(pickle.dumps(clips))


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A run on a pickle, stopped after its first epoch."""
    pickled(tmp_path / "train.pkl", 1.0)
    values = small(tmp_path, run__name="a", dataset="wlasl", dataset__root=str(tmp_path))
    values = {k: v for k, v in values.items() if k not in ("dataset.glosses", "dataset.val")}
    values |= {"dataset.train": "train.pkl", "dataset.val": "none"}
    with pytest.raises(KeyboardInterrupt):
        api.run(api.configure(values, environ={}), [After(stop)])
    return tmp_path / "a"


def test_the_data_file_is_gone_at_the_resume(cut: Path) -> None:
    content = (cut.parent / "train.pkl").read_bytes()
    (cut.parent / "train.pkl").unlink()
    with pytest.raises(DataError, match=r"train\.pkl"):
        api.resume(cut)
    (cut.parent / "train.pkl").write_bytes(content)
    assert api.resume(cut).last


@pytest.mark.parametrize("change", ["another number", "cut short"])
def test_the_data_file_is_another_at_the_resume(cut: Path, change: str) -> None:
    path = cut.parent / "train.pkl"
    state = (cut / "last" / "state.safetensors").read_bytes()
    expected: type[AslError] = CheckpointError if change == "another number" else DataError
    if change == "another number":
        pickled(path, 2.0)
    else:
        path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(expected, match="other clips" if expected is CheckpointError else r"train\.pkl"):
        api.resume(cut)
    assert (cut / "last" / "state.safetensors").read_bytes() == state
