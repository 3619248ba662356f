"""The short form of ``tests/studies/scale.py``: what a run holds does not grow with the frames of its clips."""

from __future__ import annotations

from pathlib import Path

import pytest
from studies.measured import own_memory
from studies.scale import measured

from asl_core.clips.frames import IN_MEMORY


@pytest.mark.slow
def test_frames_are_not_held(tmp_path: Path) -> None:
    """Beyond those of 1,000 clips, the frames of 6,000 come to 18 MB, which held twice as before would be seen."""
    if own_memory() is None:
        pytest.skip("only Linux tells a process's own memory from mapped files")
    found = {}
    for clips in (1_000, 6_000):
        folder = tmp_path / str(clips)
        folder.mkdir()
        packed = measured("pack", clips, folder)
        found[clips] = measured("load", clips, folder) | {"bytes": packed["bytes"]}
        assert packed["own"] < 100e6
    frames = found[6_000]["bytes"] - found[1_000]["bytes"]
    assert frames < IN_MEMORY, "small enough to be kept in memory, were it not mapped already"
    assert found[6_000]["own"] - found[1_000]["own"] < frames
