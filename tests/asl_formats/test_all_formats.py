"""All formats together: each path is of one format, found by its content, and the page of the manual names them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import COMPONENTS

from asl_core import find_format
from asl_core.cli.help import topics
from asl_formats.layouts import LAYOUTS


@pytest.mark.slow
def test_every_real_file_is_of_one_format(shared: Path) -> None:
    root = shared / "formats"
    expected = {
        "npy-frames": list((root / "mp-data-npy").glob("*/*/*")),
        "pose": [*(root / "pose").glob("*.pose"), *(root / "pose-lexicon" / "ase").glob("*.pose")],
        "kaggle-signs": list((root / "kaggle-isolated-parquet").rglob("*.parquet")),
        "openpose": [root / "openpose-json" / "video"],
    }
    for name, paths in expected.items():
        assert paths
        for path in paths:
            taken = find_format(path)
            assert taken is not None, path
            assert taken[0] == name
    others = [root, root / "FACTS.json", root / "SOURCES.md", *(root / "labels-gloss").iterdir(), *root.glob("*/*.csv")]
    others += [root / "openpose-json", root / "mp-data-npy" / "MP_Data", *(root / "vectors").rglob("*")]
    others += [root / "mp-data-npy" / "MP_Data" / "hello" / "0" / "3.npy"]  # one frame is no clip
    assert [str(path) for path in others if find_format(path) is not None] == []


def test_the_features_of_wlasl_are_of_no_format_of_points(shared: Path) -> None:
    """36 features per frame are read by the data set ``wlasl``; the format says so where it is asked."""
    taken = find_format(shared / "wlasl100" / "features_val_wlasl100.pkl")
    assert taken is not None
    with pytest.raises(Exception, match="--dataset wlasl reads feature vectors"):
        list(taken[1].read(shared / "wlasl100" / "features_val_wlasl100.pkl"))


def test_the_manual_names_every_format_and_layout() -> None:
    page = topics()["formats"]
    assert [name for name in COMPONENTS if f"| `{name}` |" not in page] == []
    assert [name for name in LAYOUTS if f"`{name}`" not in page] == []
