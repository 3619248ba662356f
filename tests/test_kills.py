"""The short form of ``tests/studies/kills.py``: a few kills by the clock and in the middle of files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from studies.kills import Alone, kill_run, left_alone


class Clock(random.Random):
    """Draws that let every kill come by the clock, at these shares of the run's length."""

    def __init__(self, *shares: float):
        super().__init__(0)
        self.shares = list(shares)

    def random(self) -> float:
        return 0.0  # below all: by the clock, from the first file on where the run is new

    def uniform(self, a: float, b: float) -> float:
        return a + self.shares.pop(0) * (b - a)


class AtFiles(random.Random):
    """Draws that let every kill hit the run's operation of this number, in the middle of it where it is a write."""

    def __init__(self, *numbers: int):
        super().__init__(0)
        self.numbers = list(numbers)
        self.draws = 0

    def random(self) -> float:
        self.draws += 1
        return 0.5 if self.draws % 2 else 0.6  # by the clock below 0.5; half of a write below 0.7

    def randint(self, a: int, b: int) -> int:
        return self.numbers.pop(0)


@pytest.mark.slow
def test_killed_runs_end_in_the_bytes_of_one_left_alone(tmp_path: Path) -> None:
    alone: Alone = left_alone("demo", tmp_path)
    out = tmp_path / "demo"
    by_clock = kill_run(alone, out, "by-clock", 2, Clock(0.3, 0.8))
    assert by_clock.faults == []
    assert by_clock.places
    # Of a fresh run the fourth is the write of config.toml, after which it is begun anew.
    at_files = kill_run(alone, out, "at-files", 2, AtFiles(4, alone.operations // 2))
    assert at_files.faults == []
    assert at_files.places == ["before the first checkpoint, at a file", "in an epoch, at a file"]


@pytest.mark.slow
def test_a_run_that_differs_is_told(tmp_path: Path) -> None:
    alone = left_alone("demo", tmp_path)
    alone.files["metrics.jsonl"] += b" "
    story = kill_run(alone, tmp_path / "demo", "none", 0, random.Random(0))
    assert story.faults == ["metrics.jsonl differs"]
