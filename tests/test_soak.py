"""The short form of ``tests/studies/soak.py``: a few cycles in one process leave neither files nor memory behind."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from studies.measured import memory, open_files
from studies.soak import CHOICES, Sample, cycle, faults


@pytest.mark.slow
def test_cycles_leave_nothing_behind(tmp_path: Path) -> None:
    if memory() is None or open_files() is None:
        pytest.skip("this system does not tell what a process holds")
    warm = len(CHOICES)
    for number in range(warm):
        cycle(number, tmp_path)
    gc.collect()
    held, files = memory(), open_files()
    for number in range(warm, 3 * warm):
        cycle(number, tmp_path)
    gc.collect()
    assert open_files() == files
    now = memory()
    assert held is not None
    assert now is not None
    # The first cycles still fill the allocator's pools; the long form allows 1 % after ten minutes.
    assert now < held * 1.05
    assert not list(tmp_path.iterdir())


def samples(memory: list[int], files: list[int]) -> list[Sample]:
    return [Sample(60.0 * i, i, m, f) for i, (m, f) in enumerate(zip(memory, files, strict=True))]


@pytest.mark.parametrize(
    ("memory", "files", "said"),
    [
        ([50, 100, 101, 100], [5, 6, 6, 6], []),
        ([50, 100, 102, 100], [5, 6, 6, 6], ["memory"]),
        ([50, 100, 100, 100], [5, 6, 6, 7], ["open files"]),
        ([50, 100, 200, 100], [5, 6, 9, 6], ["memory", "open files"]),
        ([50, 100], [5, 5], ["only 1 samples"]),
    ],
)
def test_what_is_a_fault(memory: list[int], files: list[int], said: list[str]) -> None:
    found = faults(samples(memory, files), settle=60)
    assert len(found) == len(said)
    assert all(text.startswith(word) for text, word in zip(found, said, strict=True))
