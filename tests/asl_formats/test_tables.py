"""SL-GCN's arrays with their labels, SPOTER's CSV and OpenHands' HDF5, from files written as their programs do."""

from __future__ import annotations

import csv
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import COMPONENTS, form, numbers, read

from asl_core import DataError, MissingExtraError, testing
from asl_formats.spoter import _BODY, _HAND

LENGTHS = (37, 150, 80, 1)


def slgcn(
    folder: Path, names: list[str] | None = None, labels: list[Any] | None = None
) -> tuple[Path, list[np.ndarray]]:
    """Clips filled to 150 frames by repetition, as SL-GCN's ``gen_data`` does it."""
    clips = [np.concatenate([500 * numbers(n, 27, 2, seed=n), np.ones((n, 27, 1))], axis=2) for n in LENGTHS]
    whole = np.zeros((len(clips), 150, 27, 3, 1), np.float32)
    for place, clip in enumerate(clips):
        repeated = np.concatenate([clip] * (150 // len(clip) + 1))[:150]
        whole[place, ..., 0] = repeated
    np.save(folder / "train_data_joint.npy", whole.transpose(0, 3, 1, 2, 4))
    names = [f"signer{n}_sample{n}" for n in range(len(clips))] if names is None else names
    labels = list(range(len(clips))) if labels is None else labels
    (folder / "train_label.pkl").write_bytes(pickle.dumps((names, labels)))
    return folder / "train_data_joint.npy", clips


def test_sl_gcn(tmp_path: Path) -> None:
    path, clips = slgcn(tmp_path)
    testing.check_format(COMPONENTS["sl-gcn"], sample=path)
    recordings = list(form("sl-gcn").read(path))
    assert [len(r.points) for r in recordings] == list(LENGTHS)
    for recording, clip in zip(recordings, clips, strict=True):
        assert np.array_equal(recording.points, clip[..., :2].astype("f4"))
    one, two = recordings[:2]
    assert (one.id, one.signer, one.glosses) == ("signer0_sample0", "0", ("0",))
    assert one.notes[0] == "cut to its 37 frames, which fill 150 by repetition"
    assert len(two.notes) == 1
    assert [(p.name, p.points) for p in one.layout.parts] == [("pose", 7), ("left-hand", 10), ("right-hand", 10)]
    assert not form("npy").recognises(path)


def test_sl_gcn_without_confidence_and_without_labels(tmp_path: Path) -> None:
    path, _ = slgcn(tmp_path)
    array = np.load(path)
    array[0, 2, 3::37, 5] = 0  # real numbers under a confidence of 0
    array[1] = 0
    np.save(path, array)
    (tmp_path / "train_label.pkl").unlink()
    one, two, *_ = form("sl-gcn").read(path)
    assert (one.id, one.glosses, len(one.points)) == ("0", (), 37)
    assert np.argwhere(np.isnan(one.points[..., 0])).tolist() == [[3, 5]]
    assert np.isnan(two.points).all()
    assert len(two.points) == 150
    path.rename(tmp_path / "train_data_bone.npy")
    assert not form("sl-gcn").recognises(tmp_path / "train_data_bone.npy")


@pytest.mark.parametrize(
    ("names", "labels", "text"),
    [
        (["a", "b"], [1, 2], "names 2 clips with 2 class numbers"),
        (["a"] * 4, [1] * 4, "one name of its own"),
        (list("abcd"), [1, 2, 3, "x"], "class numbers that are none"),
    ],
)
def test_sl_gcn_with_labels_of_other_clips(tmp_path: Path, names: list[str], labels: list[Any], text: str) -> None:
    path, _ = slgcn(tmp_path, names, labels)
    with pytest.raises(DataError, match=text):
        list(form("sl-gcn").read(path))


def test_the_real_labels_have_the_shape_that_is_read(shared: Path) -> None:
    from asl_core import read_pickle

    content: Any = read_pickle(shared / "formats" / "labels-gloss" / "samslr_autsl_test_labels_pseudo.pkl")
    names, numbers_ = content
    assert (names[0], numbers_[0]) == ("signer34_sample1", 17)
    assert len(names) == len(numbers_)


def spoter(
    path: Path, lengths: list[int], hands: tuple[str, str] = ("left", "right"), *, neck: bool = True
) -> np.ndarray:
    joints = [j for j in _BODY if neck or j != "neck"] + [f"{j}_{hand}" for hand in hands for j in _HAND]
    values = numbers(len(lengths), max(lengths), len(joints), 2)
    order = np.random.default_rng(0).permutation(2 * len(joints))
    columns = [(f"{joint}_{'XY'[axis]}", place, axis) for place, joint in enumerate(joints) for axis in (0, 1)]
    columns = [columns[n] for n in order]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(name for name, _, _ in columns), "labels"])
        for row, length in enumerate(lengths):
            cells = [str(values[row, :length, place, axis].tolist()) for _, place, axis in columns]
            writer.writerow([*cells, row + 1])
    return values


def test_spoter(tmp_path: Path) -> None:
    path = tmp_path / "WLASL100_train_25fps.csv"
    values = spoter(path, [5, 9])
    testing.check_format(COMPONENTS["spoter"], sample=path)
    one, two = form("spoter").read(path)
    assert (one.id, one.glosses, len(one.points), len(two.points)) == ("1", ("1",), 5, 9)
    assert np.array_equal(two.points, values[1].astype("f4"))
    assert "class number" in one.notes[0]
    values = spoter(path, [5], ("0", "1"), neck=False)
    recording = read("spoter", path)
    assert np.isnan(recording.points[:, 1]).all()
    assert np.array_equal(recording.points[:, 2:], values[0, :, 1:].astype("f4"))
    assert recording.layout.place("right-hand") == slice(33, 54)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("labels", "nose_Z", None),
        ("wrist_left_X", "wirst_left_X", "no column wrist_left_X"),
        ("nose_X", "noise_X", "no column nose_X"),
        ("[0.", "0.", "no list of numbers"),
        ("[0.", "[a, 0.", "no list of numbers"),
        ("[0.", "[1e999, 0.", "infinite numbers"),
        ("[0.", "[0.5, 0.", "row 1 has joints of 5 to 6 frames"),
        ("[0.", "[0, 0.", "row 1 has joints of 5 to 6 frames"),
    ],
)
def test_spoter_with_other_cells(tmp_path: Path, old: str, new: str, text: str | None) -> None:
    path = tmp_path / "a.csv"
    spoter(path, [5])
    path.write_text(path.read_text().replace(old, new, 1))
    if text is None:
        assert read("spoter", path).glosses == ()
        return
    with pytest.raises(DataError, match=text):
        list(form("spoter").read(path))


def test_openhands(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs h5py: pip install 'asl-core[formats]'")
    values, visible = numbers(6, 75, 3), np.ones((6, 75, 1))
    visible[2, 40] = 0
    with h5py.File(tmp_path / "clip.h5", "w") as file:
        file["keypoints"], file["visibility"] = values, visible
    testing.check_format(COMPONENTS["openhands"], sample=tmp_path / "clip.h5")
    recording = read("openhands", tmp_path / "clip.h5")
    assert np.argwhere(np.isnan(recording.points[..., 0])).tolist() == [[2, 40]]
    assert np.array_equal(recording.points[:2], values[:2].astype("f4"))
    with h5py.File(tmp_path / "clips.h5", "w") as file:
        for name in ("b", "a"):
            file[f"{name}/keypoints"], file[f"{name}/visibility"] = values, visible
    assert [r.id for r in form("openhands").read(tmp_path / "clips.h5")] == ["a", "b"]


def test_openhands_files_that_ask_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5py = pytest.importorskip("h5py", reason="needs h5py: pip install 'asl-core[formats]'")
    path, made = tmp_path / "a.h5", form("openhands")

    def refused(text: str) -> None:
        with pytest.raises(DataError, match=text):
            list(made.read(path))

    with h5py.File(path, "w") as file:
        file.create_dataset("keypoints", (10**8, 75, 3), "f4", chunks=(100, 75, 3), compression="gzip")
    refused("its keypoints declares 90,000,000,000 bytes")
    with h5py.File(path, "w") as file:
        file["a"] = h5py.ExternalLink("/etc/passwd", "keypoints")
    refused("holds nothing and no keypoints")
    with h5py.File(path, "w") as file:
        file["keypoints"] = h5py.ExternalLink("other.h5", "keypoints")
    refused("cannot be read")
    with h5py.File(path, "w") as file:
        file.create_dataset("keypoints", (3, 75, 3), "f4", external=[("/etc/passwd", 0, 2700)])
    refused("its keypoints lies in another file")
    with h5py.File(path, "w") as file:
        file["keypoints"] = [b"text"]
    refused("and no numbers")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asl-core\[formats\]'"):
        list(made.read(path))
