"""The short form of ``tests/studies/disk_full.py``: full disks at a few of a run's files lose nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from studies.disk_full import cut_off, cut_off_on_tmpfs, left_alone, no_tmpfs


@pytest.mark.slow
def test_a_full_disk_loses_no_finished_checkpoint(tmp_path: Path) -> None:
    alone, operations = left_alone(tmp_path)
    places = {
        "config.toml.part": operations.index(("write", "run/config.toml.part")),
        "last": operations.index(("link", "run/last/previous.safetensors.part")),
        "state": _last(operations, ("write", "run/last/next.safetensors.part")),
        "timings": operations.index(("write", "run/timings.jsonl")),
        "final": operations.index(("rename", "run/final.safetensors")),
    }
    for name, place in places.items():
        tried = cut_off(tmp_path, place + 1, half=True, alone=alone)
        assert tried.faults == [], name
        assert tried.file in tried.said.replace(".part", "") or tried.file.endswith(".part")


def _last(operations: list[tuple[str, str]], one: tuple[str, str]) -> int:
    return len(operations) - 1 - operations[::-1].index(one)


@pytest.mark.slow
def test_a_small_file_system(tmp_path: Path) -> None:
    why = no_tmpfs()
    if why is not None:
        pytest.skip(f"needs a file system of its own: {why}")
    alone, _ = left_alone(tmp_path)
    for size in (20, 64):
        tried = cut_off_on_tmpfs(tmp_path, size, alone)
        assert tried is not None, "a run fits into it"
        assert tried.faults == []
