"""A small valid file of every format, written as the programs of the field write it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made import numbers


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
    from test_openpose import person, written

    return written(folder / "video", [[person(n)] for n in range(2)])


def pickled(folder: Path) -> Path:
    (folder / "clips.pkl").write_bytes(pickle.dumps({"a": {"features": numbers(3, 126), "gloss": "x"}}))
    return folder / "clips.pkl"


def sl_gcn(folder: Path) -> Path:
    from test_tables import slgcn

    path, _ = slgcn(folder)
    np.save(path, np.load(path)[:, :, :9])
    return path


def spoter_csv(folder: Path) -> Path:
    from test_tables import spoter

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
