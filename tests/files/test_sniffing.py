"""What a file is by its content, and arrays in the layouts of the field."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_core import array_layout, recognise_file, split_of_name, unread_files


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (pickle.dumps({"a": 1}), "pickle"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "zstd"),
        (b"\x93NUMPY\x01\x00", "npy"),
        (b"PK\x03\x04rest", "zip"),
        (b"\0\0\0\x20ftypisom" + bytes(20), "video"),
        (b"\x1aE\xdf\xa3" + bytes(20), "video"),
        (b"RIFF1234AVI LIST", "video"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\x89HDF\r\n\x1a\n", "hdf5"),
        (b"PAR1" + bytes(8), "parquet"),
        (b"MATLAB 5.0 MAT-file", "mat"),
        (b"SQLite format 3\0", "sqlite"),
        (b"%PDF-1.7", "pdf"),
        (bytes(257) + b"ustar", "tar"),
        (b"\x40\0\0\0\0\0\0\0{", "safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\n", "lfs"),
        (b"<!DOCTYPE html>", "html"),
        (b'\xef\xbb\xbf{"a": 1}', "json"),
        ("a;b\n1;2\n".encode("utf-16"), "csv"),
        (b"just words\n", "text"),
        (b"\x01\x02\x03\xff", None),
        (b"", None),
    ],
)
def test_kinds(tmp_path: Path, content: bytes, code: str | None) -> None:
    (tmp_path / "x").write_bytes(content)
    kind = recognise_file(tmp_path / "x")
    assert (kind and kind.code) == code
    if kind is not None:
        assert kind.remedy.endswith((".", "x", "x.npy", "x.pkl", "x-unpacked"))
        assert kind.text == (code in ("json", "csv", "text"))


def test_what_cannot_be_read_is_of_no_kind(tmp_path: Path) -> None:
    assert recognise_file(tmp_path) is None
    assert recognise_file(tmp_path / "none") is None


def test_zip_archives_by_what_they_hold(tmp_path: Path) -> None:
    for name, code in {"a/data.pkl": "torch", "xl/workbook.xml": "office", "x.npy": "npz", "x.txt": "zip"}.items():
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(name, b"")
        (tmp_path / "x").write_bytes(packed.getvalue())
        kind = recognise_file(tmp_path / "x")
        assert kind is not None
        assert kind.code == code


STARTS = [b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x93NUMPY\x01\x00", b"x\x9c", b"BZh9", b"{", b"a,b\n"]


@settings(max_examples=200)
@given(
    st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x93NUMPY\x01\x00", b"x\x9c", b"BZh9", b"{", b"a,b\n"]),
    st.binary(max_size=80),
)
def test_any_content_ends_in_an_answer(tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(start + rest)
    kind = recognise_file(path)
    assert kind is None or (kind.what and kind.remedy and "\n" not in kind.what + kind.remedy)


#: shapes of 9 frames, 12 points, and how a frame's numbers begin
LAYOUTS = {
    "TVC": ((9, 12, 3), lambda x: x[1].ravel()),
    "CTV": ((3, 9, 12), lambda x: x[:, 1].T.ravel()),
    "CTVM": ((3, 9, 12, 2), lambda x: x[:, 1, :, 0].T.ravel()),
    "MTVC": ((2, 9, 12, 3), lambda x: x[0, 1].ravel()),
    "TMVC": ((9, 2, 12, 3), lambda x: x[1, 0].ravel()),
    "NTVC": ((5, 9, 12, 3), lambda x: x[0, 1].ravel()),
    "NCTV": ((5, 3, 9, 12), lambda x: x[0, :, 1].T.ravel()),
    "NCTVM": ((5, 3, 9, 12, 2), lambda x: x[0, :, 1, :, 0].T.ravel()),
    "1TD": ((1, 9, 36), lambda x: x[0, 1]),
    "NTD": ((5, 9, 36), lambda x: x[0, 1]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_arrays_of_other_layouts_become_frames_of_numbers(name: str) -> None:
    shape, frame = LAYOUTS[name]
    x = np.arange(np.prod(shape)).reshape(shape)
    found = array_layout(shape)
    assert found is not None
    flat = eval(found[1], {"x": x})  # noqa: S307 - our own text
    assert flat.shape == (9, 36)
    assert np.array_equal(flat[1], frame(x))


@given(st.lists(st.integers(-3, 40), max_size=6))
def test_any_shape_ends_in_an_answer(shape: list[int]) -> None:
    found = array_layout(shape)
    assert found is None or all(found)


def test_files_beside_those_that_are_read(tmp_path: Path) -> None:
    for name in ("train.pkl", "dev.PKL", "sub/x.pkl.gz", "sub/deep/y.pkl", ".hidden/z.pkl", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"")
    left = unread_files(tmp_path, [tmp_path / "train.pkl"], [".pkl", ".pkl.gz"])
    assert [p.relative_to(tmp_path).as_posix() for p in left] == ["dev.PKL", "sub/x.pkl.gz"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("features_dev_x.pkl", "val"), ("Validation.npz", "val"), ("val/7.pkl", "val"), ("test-2.pkl", "test"),
        ("train/test.pkl", "test"), ("x_training.pkl", "train"), ("value.pkl", None), ("devices.pkl", None),
    ],
)  # fmt: skip
def test_splits_of_names(tmp_path: Path, name: str, split: str | None) -> None:
    assert split_of_name(tmp_path / name, tmp_path) == split
