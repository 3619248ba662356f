"""One writer, nothing overwritten, and files that say what happened."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import filelock
import pytest
import torch
from toy_components import make_clips

from asl_core import ClipStore, RunError, Vocabulary
from asl_core.errors import UsageError
from asl_core.evaluation.predictions_csv import predictions_csv
from asl_core.evaluation.scoring import Predictions
from asl_core.files.rundir import RunDir
from asl_core.registry.environment import environment


def test_numbered_names(tmp_path: Path) -> None:
    names = [RunDir.create(tmp_path / "new" / "runs", None, "demo-gru").path.name for _ in range(3)]
    assert names == ["demo-gru-1", "demo-gru-2", "demo-gru-3"]
    (tmp_path / "new" / "runs" / "demo-gru-2").rmdir()
    assert RunDir.create(tmp_path / "new" / "runs", None, "demo-gru").path.name == "demo-gru-2"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_broken_link_is_no_run_to_resume(tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"mine is a broken link; remove it") as refused:
        RunDir.create(tmp_path, "mine", "stem")
    assert "--resume" not in str(refused.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file exists and is not a run.*choose another --name"):
        RunDir.create(tmp_path, "file", "stem")


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path, "mine", "stem")
    assert run.path == tmp_path / "mine"
    run.config.write_text("")
    with pytest.raises(UsageError, match=r"exists, and a run is never overwritten.*--resume.*--name"):
        RunDir.create(tmp_path, "mine", "stem")


@pytest.mark.parametrize("left", [(), (".lock",), (".lock", "config.toml.part")])
def test_what_a_kill_left_before_the_first_file_keeps_no_name(tmp_path: Path, left: tuple[str, ...]) -> None:
    run = RunDir.create(tmp_path, "mine", "stem")
    for name in left:
        (run.path / name).write_text("")
    holder = RunDir.create(tmp_path, "mine", "stem")
    holder.lock()
    with pytest.raises(UsageError, match="another process"):
        RunDir.create(tmp_path, "mine", "stem").lock()
    holder.release()
    RunDir.clear_if_unbegun(run.path)
    assert not run.path.exists()


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDir(tmp_path)
    run.note("one")
    with monkeypatch.context() as patched:
        opened = Path.open
        patched.setattr(
            Path, "open", lambda path, mode, **more: Full(path) if mode == "a" else opened(path, mode, **more)
        )
        with pytest.raises(RunError, match=r"log\.txt cannot be written.*--resume"):
            run.note("two, which does not fit")
    run.note("three")
    assert run.log.read_text() == "one\nthree\n"
    with run.log.open("a") as file:
        file.write("cut off by a ki")
    run.note("four")
    assert run.log.read_text() == "one\nthree\nfour\n"


class Full:
    """A file on a disk with room for three more characters."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, text: str) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, text[:3].encode())
        os.close(descriptor)
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in (None, "x"):
        with pytest.raises(UsageError, match=r"cannot be made.*--out"):
            RunDir.create(tmp_path / "file", name, "stem")


def test_open(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a run directory \(it has no config\.toml\)"):
        RunDir.open(tmp_path)
    (tmp_path / "config.toml").write_text("")
    assert RunDir.open(tmp_path).best == tmp_path / "best.safetensors"


OTHER = """
import pathlib, sys, time
from asl_core.files.rundir import RunDir
from asl_core.errors import UsageError
run = RunDir(pathlib.Path(sys.argv[1]))
try:
    run.lock()
except UsageError as fault:
    print(fault)
else:
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_two_processes_are_kept_apart(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.lock()
    other = subprocess.run([sys.executable, "-c", OTHER, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "is being written by another process; wait for it, or stop it first." in other.stdout
    with pytest.raises(UsageError, match="another process"):
        RunDir(tmp_path).lock()
    run.release()


def test_where_there_are_no_locks_the_lost_holder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that stands for a lock there outlives a notebook's machine, and resuming says what to do."""
    run = RunDir(tmp_path)

    def held(*_: object, **__: object) -> None:
        raise filelock.Timeout(str(tmp_path / ".lock"))

    monkeypatch.setattr(run._lock, "acquire", held)
    (tmp_path / ".lock").write_text("12\nvm-1\n34\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"machine 'vm-1' holds it.*remove the file"):
        run.lock()
    (tmp_path / ".lock").write_bytes(b"")  # as the operating system's own
    with pytest.raises(UsageError, match=r"stop it first\.$"):
        run.lock()


@pytest.mark.slow
def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OTHER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(UsageError, match="another process"):
            RunDir(tmp_path).lock()
        other.kill()
    RunDir(tmp_path).lock()


def test_a_run_whose_folder_is_gone_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be locked"):
        RunDir(tmp_path / "file").lock()


def test_files(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_history([{"epoch": 1, "a": 0.5}])
    run.write_history([{"epoch": 1, "a": 0.5}, {"epoch": 2, "a": 0.25}])
    assert run.metrics.read_text() == '{"a": 0.5, "epoch": 1}\n{"a": 0.25, "epoch": 2}\n'
    run.write_json(run.summary, {"手": tmp_path})
    assert json.loads(run.summary.read_text(encoding="utf-8")) == {"手": str(tmp_path)}
    run.note("one", "two")
    run.note("three")
    assert run.log.read_text() == "one\ntwo\nthree\n"
    run.note_timing({"epoch": 1})
    run.note_timing({"epoch": 2})
    assert [json.loads(x)["epoch"] for x in run.timings.read_text().splitlines()] == [1, 2]


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.log.mkdir()
    with pytest.raises(RunError, match=r"log\.txt cannot be written"):
        run.note("x")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_predictions_csv() -> None:
    vocabulary = Vocabulary(("a,b", "book", 'say "hi"'))
    store = ClipStore(make_clips([2, 2, 2], ["book", "a,b", "zzz"]), vocabulary)
    scores = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.3, 0.6], [0.9, 0.05, 0.05]]).log()
    found = rows(predictions_csv(Predictions(scores, None, {}), store))
    assert [(r["clip"], r["glosses"], r["correct"]) for r in found] == [
        ("clip-0", "book", "1"),
        ("clip-1", "a,b", "0"),
        ("clip-2", "zzz", "0"),
    ]
    assert [found[0][f"gloss{k}"] for k in (1, 2, 3)] == ["book", 'say "hi"', "a,b"]
    assert [float(found[0][f"probability{k}"]) for k in (1, 2, 3)] == pytest.approx([0.5, 0.3, 0.2], abs=1e-6)
    assert "gloss4" not in found[0], "there are three glosses"
    assert set(rows(predictions_csv(Predictions(scores, None, {}), store, top=1))[0]) == {
        "clip", "glosses", "correct", "gloss1", "probability1",
    }  # fmt: skip


def test_predictions_csv_of_sentences_and_of_no_ranking() -> None:
    store = ClipStore(make_clips([2], [("a", "b")]), Vocabulary(("a", "b")))
    (row,) = rows(predictions_csv(Predictions(torch.zeros(1, 2), [[1, 0, 1]], {}), store))
    assert (row["glosses"], row["decoded"], row["correct"]) == ("a b", "b a b", "0")
    assert rows(predictions_csv(Predictions(None, None, {}), store)) == [{"clip": "clip-0", "glosses": "a b"}]


def test_environment() -> None:
    found = environment({"train": "abc"}, torch.device("cpu"))
    assert found["packages"]["torch"] == torch.__version__
    assert found["data"] == {"train": "abc"}
    assert "asl-core:wlasl" in found["plugins"]
    json.dumps(found)


def test_a_curriculum_s_folder_is_told_from_a_run(tmp_path: Path) -> None:
    (tmp_path / "curriculum.json").write_text("{}")
    with pytest.raises(UsageError, match=r"holds the runs of a curriculum, and none is begun. `asl run FILE.toml`"):
        RunDir.open(tmp_path)
