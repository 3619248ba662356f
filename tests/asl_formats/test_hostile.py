"""Changed files of every format: read, or refused in a paragraph that names the file, in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from costs import Cost, allowance, seconds_for
from fuzz.mutate_bytes import mangle
from made import COMPONENTS, form
from samples import SAMPLES

from asl_core import DataError, Format
from asl_core.data.formats import Formats
from asl_formats import isolated


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


def lying(data: bytes, size: int) -> bytes:
    """An archive whose list of members gives another size unpacked."""
    at = data.rindex(b"PK\x01\x02") + 24
    return data[:at] + size.to_bytes(4, "little") + data[at + 4 :]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data, "claim to unpack to far more than"),
        (lambda data: lying(data, 500), "cannot be read"),
        (lambda data: lying(data, 2**32 - 2), "claim to unpack to far more than"),
    ],
)
def test_bombs_in_npz(tmp_path: Path, change: Callable[[bytes], bytes], text: str) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, clip=np.zeros((200_000, 63)))
    path.write_bytes(change(path.read_bytes()))
    bounded(form("npz"), path, text)


@pytest.mark.slow
@pytest.mark.parametrize("declared", [None, 100, 2**32 - 1])
def test_bombs_in_gzip(tmp_path: Path, declared: int | None) -> None:
    """Its last four bytes are the size unpacked, which nobody has to believe."""
    path = tmp_path / "bomb.pkl"
    for count, text in ((400_000, "unpacks to more than"), (4, "archive is damaged")):
        data = gzip.compress(pickle.dumps({"a": np.zeros((count, 63))}), 1)
        path.write_bytes(data if declared is None else data[:-4] + declared.to_bytes(4, "little"))
        if declared is not None or count > 4:
            bounded(form("pickle"), path, text)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux bounds the memory of a process")
def test_a_small_array_of_h5_whose_chunk_unpacks_to_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library unpacks a chunk to its end, whatever its array declares: the process has no room for it."""
    h5py = pytest.importorskip("h5py", reason="needs h5py: pip install 'asl-core[formats]'")
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        points = file.create_dataset("keypoints", (4, 75, 3), "f4", chunks=(4, 75, 3), compression="gzip")
        points.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(300 << 20), 1))
    monkeypatch.setattr(isolated, "memory_for", lambda size: (32 << 20) + size)
    bounded(form("openhands"), path, "cannot be read|takes more than")


def bounded(made: Format, path: Path, text: str) -> None:
    """It is refused in the bounds of every reader."""
    cost = Cost()
    made.recognises(path)
    with pytest.raises(DataError, match=text):
        list(made.read(path))
    cost.stop()
    assert cost.memory <= allowance(path.stat().st_size)
    assert cost.seconds <= seconds_for(path.stat().st_size)


@pytest.mark.slow
def test_ten_thousand_files_are_told_apart_in_seconds(tmp_path: Path) -> None:
    """At most 2 ms of the processor a path; 73 µs were measured."""
    wholes = []
    for name, write in SAMPLES.items():
        (tmp_path / name).mkdir()
        sample = write(tmp_path / name)
        if sample.is_file():
            wholes.append((sample.suffix, sample.read_bytes()))
    wholes += [(".txt", b"notes"), (".json", b"{}"), (".mp4", bytes(999)), (".csv", b"a,b\n")]
    many = tmp_path / "many"
    for number in range(10_000):
        suffix, data = wholes[number % len(wholes)]
        (many / str(number // 100)).mkdir(parents=True, exist_ok=True)
        (many / str(number // 100) / f"clip-{number}{suffix}").write_bytes(data)
    cost = Cost()
    taken = [found for _, found in Formats.installed().walk(many)]
    cost.stop()
    assert len(taken) == 10_000
    assert sum(found is None for found in taken) < 4500
    assert cost.seconds < 20
