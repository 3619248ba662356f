"""The readers of files under hostile ones: what fuzzing found, and some thousand changes of valid files.

The long form is ``python tests/fuzz/run.py --all`` (a hundred thousand inputs on each reader, guided by coverage).
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from asl_core import PickleBudget, PickleStandIns
from asl_core.errors import CheckpointError, DataError
from asl_core.files.pickles.arrays import NumpyStandIns
from asl_stages import loaders_pt
from fuzz import formats, guard, plain, plants, report, run
from fuzz.readers import READERS
from fuzz.session import Session

CHANGES = {
    "pickle": 400, "labels": 400, "pt": 150, "safetensors": 200, "toml": 300, "run": 120, "npy": 600, "packed": 200,
    **dict.fromkeys((f"format-{name}" for name in formats.FILES), 200),
}  # fmt: skip


@pytest.fixture
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    made = Session(READERS[request.param], tmp_path / "found")
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("session", READERS, indirect=True)
def test_hostile_files_are_read_rightly_or_refused(session: Session) -> None:
    """No code runs, no other file is written, time and memory are bounded, and each refusal is a paragraph."""
    reader = session.reader
    pool = reader.seeds()
    accepted = [session.read(data).accepted for data in pool]
    assert accepted[0]
    assert sum(accepted) >= len(pool) - (reader.name == "run")  # one of its seeds was cut off
    for data in (*plain.corpus(reader), *plain.bombs_of(reader, 60_000)):
        session.read(data)
    plain.changed(reader, CHANGES[reader.name], len(reader.name), session.read)
    figures = session.figures()
    assert figures["found"] == {}
    assert figures["refused"] > figures["runs"] / 4
    assert figures["beyond"] > figures["runs"] / 50  # the changes are no mere noise


class TestGuard:
    """The guard itself: every rule that it keeps is broken once."""

    @pytest.fixture(autouse=True)
    def watching(self) -> None:
        guard.watch()

    def verdict(self, folder: Path, way: Any) -> guard.Verdict:
        path = folder / "file.bin"
        path.write_bytes(b"abc")
        return guard.judge([way], path, 3, folder)

    def test_code(self, tmp_path: Path) -> None:
        def way(path: Path) -> None:
            try:
                os.system("echo ran")  # noqa: S605
            except PermissionError as fault:
                raise DataError(f"{path} was refused all the same, in more than forty characters.") from fault

        assert self.verdict(tmp_path, way).rule == "code"

    def test_writing_elsewhere(self, tmp_path: Path) -> None:
        inside = tmp_path / "inside"
        inside.mkdir()
        (inside / "link").symlink_to(tmp_path / "outside")
        assert self.verdict(inside, lambda path: path.with_name("new").write_text("x")).accepted
        assert self.verdict(inside, lambda path: path.with_name("link").write_text("x")).rule == "code"
        assert not (tmp_path / "outside").exists()

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux bounds a process's address space")
    def test_memory(self, tmp_path: Path) -> None:
        def hidden(path: Path) -> None:
            try:
                np.zeros(1 << 27)
            except MemoryError as fault:
                raise CheckpointError(f"{path} is damaged, which is said of every fault of this reader.") from fault

        assert self.verdict(tmp_path, hidden).rule == "memory"
        assert self.verdict(tmp_path, lambda _: torch.zeros(1 << 27)).rule == "memory"
        assert self.verdict(tmp_path, lambda _: torch.zeros(1 << 22)).accepted
        measured = self.verdict(
            tmp_path, lambda _: torch.ones(9 << 20)
        ).memory  # beyond what malloc takes from its heap
        assert measured == 0 or 35 << 20 < measured < 60 << 20  # a container may forbid to measure

    def test_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guard, "seconds_for", lambda _: 0.01)
        assert self.verdict(tmp_path, lambda _: sum(range(3_000_000))).rule == "time"

    def test_other_exceptions_and_bad_texts(self, tmp_path: Path) -> None:
        def refuse(text: str) -> Any:
            def way(path: Path) -> None:
                raise DataError(text.replace("PATH", str(path)))

            return way

        assert self.verdict(tmp_path, lambda _: {"a": 1}["x"]).rule == "crash"
        assert self.verdict(tmp_path, refuse("PATH cannot be read; expected another file than this one.")).rule == ""
        for text in ("", "PATH", "it cannot be read; expected another file than this.", "PATH: " + "x" * 5000):
            assert self.verdict(tmp_path, refuse(text)).rule == "text"


def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of pickles that lets any global through is caught by the same changes."""
    for place in (PickleStandIns.__dict__["find"],):
        monkeypatch.setattr(PickleStandIns, "find", place)  # put back after the test
    session = Session(READERS["pickle"])
    try:
        plants.PLANTS["pickle"]["global"]()
        random = Random(1)
        pool = READERS["pickle"].seeds()
        for _ in range(2000):
            session.read(READERS["pickle"].mutate(random.choice(pool), random))
            if session.found:
                break
        assert next(iter(session.found)).startswith("code")
    finally:
        session.close()
    with pytest.raises(Exception, match="which is code and not data"):
        NumpyStandIns(PickleBudget(0), 0).find("os", "system")
    assert NumpyStandIns(PickleBudget(0), 0).find("numpy", "dtype").name == "numpy.dtype"


def test_every_reader_has_planted_bugs() -> None:
    assert plants.PLANTS.keys() == READERS.keys()
    assert all(len(planted) >= 2 for planted in plants.PLANTS.values())


def test_an_optimiser_of_other_parameters_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: torch takes such a state and fails at the next step."""
    session = Session(READERS["run"])
    try:
        seed = json.loads(session.reader.seeds()[0])
        raw = base64.b64decode(seed["last/state.safetensors"]["file"])
        file = tmp_path / "state.safetensors"
        file.write_bytes(raw)
        with safetensors.safe_open(file, "pt") as saved:
            meta, tensors = saved.metadata(), {n: saved.get_tensor(n) for n in saved.keys()}  # noqa: SIM118
        beside = json.loads(meta["asl"])
        del beside["checksum"]
        meta["asl"] = json.dumps(beside)
        for change in ({"optimizer.0.exp_avg": torch.ones(1)}, {"optimizer.99.step": torch.ones(())}):
            raw = safetensors.torch.save({**tensors, **change}, meta)
            seed["last/state.safetensors"] = {"file": base64.b64encode(raw).decode()}
            path = session.reader.place(json.dumps(seed).encode(), session.folder)
            with pytest.raises(CheckpointError, match="state"):
                next(way for way in session.reader.ways if way.__name__ == "resumed")(path)
    finally:
        session.close()


def test_a_pickle_of_a_checkpoint_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders_pt, "_MOST_INSTRUCTIONS", 3)
    torch.save({"a": torch.ones(2)}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"x\.pt is damaged.*more than 3 instructions"):
        loaders_pt.read_pt(tmp_path / "x.pt")


@pytest.mark.slow
def test_the_short_form_prints_a_row_for_each_reader(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.short(["npy", "packed"], 20, 1) == 0
    said = capsys.readouterr().out
    assert "| npy |" in said
    assert "| packed |" in said


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    kept = report.Study(tmp_path)
    part = {"reader": "npy", "runs": 10, "accepted": 1, "refused": 9, "beyond": 2, "seconds": 0.5, "coverage": 7,
            "slowest": 0.1, "memory": 1 << 20, "largest": 99, "found": {}, "kept": ""}  # fmt: skip
    cause = {"crash: x": {"run": 3, "times": 2, "bytes": 9, "detail": "why"}}
    kept.add({**part, "seed": 1})
    report.Study(tmp_path).add({**part, "seed": 3, "coverage": 5, "found": cause, "kept": "somewhere"})
    again = report.Study(tmp_path)
    assert (again.done("npy"), again.seeds("npy"), again.done("pt")) == (20, {1, 3}, 0)
    whole = again.whole("npy")
    assert (whole["runs"], whole["coverage"], whole["found"]["crash: x"]["times"]) == (20, 7, 2)
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| npy | 20 |" in table
    assert "crash: x, 2 times" in table
