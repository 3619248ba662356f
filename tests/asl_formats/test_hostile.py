"""Changed files of every format: read, or refused in a paragraph that names the file, in bounded time and memory."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from costs import Cost, allowance, seconds_for
from fuzz.mutate_bytes import mangle
from made import COMPONENTS, form, numbers
from test_openpose import person
from test_openpose import written as frames_of_openpose
from test_tables import slgcn, spoter

from asl_core import DataError


def npy_frames(folder: Path) -> Path:
    for number in range(3):
        np.save(folder / f"{number}.npy", numbers(63))
    return folder


def npy(folder: Path) -> Path:
    np.save(folder / "clip.npy", numbers(4, 63))
    return folder / "clip.npy"


def npz(folder: Path) -> Path:
    np.savez_compressed(folder / "clip.npz", left_hand=numbers(4, 21, 3), pose=numbers(4, 33, 3), fps=25)
    return folder / "clip.npz"


def pose(folder: Path) -> Path:
    from test_pose_files import some, written

    return written(folder / "clip.pose", *some(3))


def kaggle_signs(folder: Path) -> Path:
    from test_parquet import rows, saved

    return saved(folder / "clip.parquet", rows(1, numbers(1, 543, 3)))


def kaggle_fingerspelling(folder: Path) -> Path:
    from test_parquet import saved, sequences

    return saved(folder / "clips.parquet", sequences([3, 2]))


def openpose(folder: Path) -> Path:
    return frames_of_openpose(folder / "video", [[person(n)] for n in range(2)])


def pickled(folder: Path) -> Path:
    (folder / "clips.pkl").write_bytes(pickle.dumps({"a": {"features": numbers(3, 126), "gloss": "x"}}))
    return folder / "clips.pkl"


def sl_gcn(folder: Path) -> Path:
    path, _ = slgcn(folder)
    np.save(path, np.load(path)[:, :, :9])
    return path


def spoter_csv(folder: Path) -> Path:
    spoter(folder / "clips.csv", [3, 2])
    return folder / "clips.csv"


def openhands(folder: Path) -> Path:
    h5py = pytest.importorskip("h5py", reason="needs h5py: pip install 'asl-core[formats]'")
    with h5py.File(folder / "clip.h5", "w") as file:
        file["keypoints"], file["visibility"] = numbers(3, 75, 3), np.ones((3, 75, 1))
    return folder / "clip.h5"


SAMPLES: dict[str, Callable[[Path], Path]] = {
    "npy-frames": npy_frames, "npy": npy, "npz": npz, "pose": pose, "kaggle-signs": kaggle_signs,
    "kaggle-fingerspelling": kaggle_fingerspelling, "openpose": openpose, "pickle": pickled, "sl-gcn": sl_gcn,
    "spoter": spoter_csv, "openhands": openhands,
}  # fmt: skip


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
