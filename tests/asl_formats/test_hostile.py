"""Changed files of every format: read, or refused in a paragraph that names the file, in bounded time and memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
from costs import Cost, allowance, seconds_for
from fuzz.mutate_bytes import mangle
from made import COMPONENTS, form
from samples import SAMPLES

from asl_core import DataError


def test_every_format_is_tried() -> None:
    assert set(SAMPLES) == set(COMPONENTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_changed_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    sample = SAMPLES[name](tmp_path)
    files = sorted(p for p in sample.iterdir() if p.is_file()) if sample.is_dir() else [sample]
    if name == "sl-gcn":
        files.append(tmp_path / "train_label.pkl")
    whole = [file.read_bytes() for file in files]
    made, random = form(name), Random(name)
    assert list(made.read(sample))  # and its library is imported
    refusals: list[str] = []
    for _ in range(300):
        place = random.randrange(len(files))
        files[place].write_bytes(mangle(whole[place], random))
        cost = Cost()
        try:
            made.recognises(sample)
            for recording in made.read(sample):
                gaps = np.isnan(recording.points)
                assert (gaps.all(-1) == gaps.any(-1)).all()
                assert not np.isinf(recording.points).any()
        except DataError as fault:
            refusals.append(str(fault))
        cost.stop()
        size = sum(map(len, whole))
        assert cost.memory <= allowance(size)
        assert cost.seconds <= seconds_for(size)
        files[place].write_bytes(whole[place])
    assert len(refusals) > 30
    for text in refusals:
        assert str(tmp_path) in text
        assert "\n" not in text
        assert 40 < len(text) < 4000


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    """Each format is given the samples of all others, under a name that it takes."""
    made = form(name)
    for other, write in SAMPLES.items():
        if other == name or (other, name) == ("kaggle-signs", "kaggle-fingerspelling"):
            continue
        folder = tmp_path / other
        folder.mkdir()
        sample = write(folder)
        if sample.is_file() and made.suffixes:
            sample = Path(shutil.copy(sample, folder / f"sample{made.suffixes[0]}"))
        assert not made.recognises(sample), other
        with pytest.raises(DataError):
            list(made.read(sample))


def test_labels_of_no_clips_are_of_no_format(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps({"people": []}))
    assert [name for name in COMPONENTS if form(name).recognises(tmp_path / "labels.json")] == []
