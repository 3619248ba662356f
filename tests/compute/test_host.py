"""A run inside a program: the program's state changes no bit of it, and is as it was afterwards."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hosts import HOSTS, SETTINGS, USES, Stop, check, clip, content, expected, run, state, trained

from asl_core import api
from asl_core.errors import UsageError
from asl_core.evaluation.prediction import predict_file
from asl_core.training.events import EpochReport


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_a_run_in_a_program_that_has_set_something(host: str, tmp_path: Path) -> None:
    check("run", [host], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("use", USES)
def test_every_use_in_a_program_that_has_set_everything(use: str, tmp_path: Path) -> None:
    check(use, list(HOSTS), tmp_path)


def test_a_random_search_draws_other_trials(tmp_path: Path) -> None:
    drawn = []
    for _ in range(2):
        run(tmp_path)
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(()))))  # noqa: NPY002
    assert all(a != b for a, b in zip(*drawn, strict=True))


def test_a_run_that_fails_leaves_nothing_set(tmp_path: Path) -> None:
    before = state()
    with pytest.raises(UsageError):
        api.run(api.configure(SETTINGS | {"run.out": str(tmp_path), "run.device": "cuda:99"}, environ={}))
    assert state() == before


class InAThread:
    """Tries something in another thread after the first epoch."""

    def __init__(self, use: Callable[[], Any]):
        self.use = use
        self.found: Any = None

    def on_start(self, config: object, summary: object) -> None: ...

    def on_epoch(self, report: EpochReport) -> None:
        thread = threading.Thread(target=self._try)
        thread.start()
        thread.join()

    def _try(self) -> None:
        try:
            self.found = self.use()
        except UsageError as fault:
            self.found = str(fault)

    def on_end(self, summary: object) -> None: ...


def test_a_second_thread_is_refused_while_one_trains(tmp_path: Path) -> None:
    loaded = api.load(trained())
    attempts = [InAThread(lambda: run(tmp_path / "b")), InAThread(lambda: api.load(trained()))]
    files = clip(tmp_path)
    predicts = InAThread(lambda: predict_file(trained(), files))
    api.run(api.configure(SETTINGS | {"run.out": str(tmp_path), "run.name": "a"}, environ={}), [*attempts, predicts])
    assert [str(a.found).partition(" cannot begin: ")[0] for a in attempts] == ["a run", "loading a run"]
    assert "each in its own process" in attempts[0].found
    assert not (tmp_path / "b").exists(), "nothing is left of what was refused"
    assert content(tmp_path / "a") == expected("run")
    assert not loaded.model.training


def test_one_run_inside_another_changes_neither(tmp_path: Path) -> None:
    class Inner(Stop):
        def on_epoch(self, report: EpochReport) -> None:
            assert run(tmp_path / "inner") == expected("run")

    api.run(api.configure(SETTINGS | {"run.out": str(tmp_path), "run.name": "a"}, environ={}), [Inner()])
    assert content(tmp_path / "a") == expected("run")
