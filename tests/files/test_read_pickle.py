"""The restricted unpickler: everything a numpy writer makes, and nothing that a hostile one does."""

from __future__ import annotations

import collections
import os
import pickle
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_core import DataError, read_pickle


def written(tmp_path: Path, data: bytes, name: str = "clips.pkl") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def refusal(tmp_path: Path, data: bytes) -> str:
    """The error that reading ``data`` ends with: always a DataError that names the file."""
    with pytest.raises(DataError) as caught:
        read_pickle(written(tmp_path, data))
    text = str(caught.value)
    assert "clips.pkl" in text
    assert "\n" not in text
    return text


def clips(dtype: str = "<f4") -> dict[str, dict[str, object]]:
    array = np.arange(12, dtype=dtype).reshape(4, 3)
    return {
        "1": {"features": array, "gloss": "book", "gloss_id": 3, "video_id": "1", "split": "train"},
        "2": {"features": np.asfortranarray(array + 1), "gloss": "go\n\\ é", "gloss_id": np.int64(2), "x": None},
        "3": {"features": array[:0], "flag": True, "f": 1.5, "n": -70000, "big": 2**60, "t": (1, [2, "a"])},
    }


def same(one: object, other: object) -> bool:
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    return one == other


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<i2", ">u8", "i1", "u1", "?"])
def test_reads_what_pickle_writes(tmp_path: Path, protocol: int, dtype: str) -> None:
    content = clips(dtype) if dtype != "?" else {"1": np.array([[True, False]])}
    assert same(content, read_pickle(written(tmp_path, pickle.dumps(content, protocol))))


@pytest.mark.parametrize("protocol", range(6))
def test_reads_every_order_of_axes(tmp_path: Path, protocol: int) -> None:
    cube = np.arange(24, dtype="f4").reshape(2, 3, 4)
    arrays = [
        cube,
        cube.transpose(2, 0, 1),
        cube[:, ::2],
        cube[0].T,
        np.zeros((0, 3), ">f8"),
        np.float32(3).reshape(()),
    ]
    read: Any = read_pickle(written(tmp_path, pickle.dumps(arrays, protocol)))
    assert all(map(same, arrays, read))


@pytest.mark.parametrize("protocol", range(6))
def test_numpy_scalars_become_python_ones(tmp_path: Path, protocol: int) -> None:
    scalars = [np.float16(0.5), np.int64(-3), np.uint8(7), np.bool_(True), np.str_("größe"), np.float64(1e300)]
    read = read_pickle(written(tmp_path, pickle.dumps(scalars, protocol)))
    assert read == [0.5, -3, 7, True, "größe", 1e300]
    assert [type(x) for x in read] == [float, int, int, bool, str, float]


@pytest.mark.parametrize("core", ["core", "_core"])
@pytest.mark.parametrize("protocol", range(6))
def test_module_names_of_numpy_1_and_2(tmp_path: Path, core: str, protocol: int) -> None:
    content = {"1": np.ones((2, 3), "f4"), "2": {"features": np.ones((3, 2), "f4").T[:1], "gloss_id": np.int32(4)}}
    data = pickle.dumps(content, protocol)
    if protocol >= 4:
        assert data[2:3] == pickle.FRAME
        data = data[:2] + data[11:]  # without the frame, whose size is going to change
    for old in ("core", "_core"):
        for module in ("multiarray", "numeric"):
            was, now = f"numpy.{old}.{module}".encode(), f"numpy.{core}.{module}".encode()
            short = struct.pack("<cB", pickle.SHORT_BINUNICODE, len(was)) + was
            data = data.replace(short, struct.pack("<cB", pickle.SHORT_BINUNICODE, len(now)) + now)
            data = data.replace(b"c" + was + b"\n", b"c" + now + b"\n")
    assert f"numpy.{core}.".encode() in data
    assert same(content, read_pickle(written(tmp_path, data)))


def test_arrays_are_views_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, pickle.dumps({str(i): np.ones((2500, 100), "f4") for i in range(8)}, 4))
    tracemalloc.start()
    read: Any = read_pickle(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(read) == 8
    assert peak < 1.2 * path.stat().st_size


def test_one_array_under_two_keys_is_one_array(tmp_path: Path) -> None:
    array = np.ones((2, 2), "f4")
    read: Any = read_pickle(written(tmp_path, pickle.dumps({"a": array, "b": array}, 4)))
    assert isinstance(read["b"], np.ndarray)
    assert read["a"] is read["b"]


class Calls:
    """Pickles as a call of ``function(*args)``."""

    def __init__(self, function: object, *args: object):
        self.call = (function, args)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_is_refused_by_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "it-ran"
    text = refusal(tmp_path, pickle.dumps({"1": Calls(os.system, f"echo > {mark}")}, protocol))
    assert f"{os.name if os.name == 'nt' else 'posix'}.system" in text
    assert "Nothing in it was run" in text
    assert "export it again" in text
    assert not mark.exists()


@pytest.mark.parametrize("function", [eval, getattr, np.fromfile, np.load, bytes.fromhex, bytearray, Path])
def test_other_globals_are_refused(tmp_path: Path, function: object) -> None:
    assert "Nothing in it was run" in refusal(tmp_path, pickle.dumps([Calls(function, "1")], 4))


def test_the_name_of_a_global_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    text = refusal(tmp_path, b"\x80\x04\x8c\x05o\n\x1b[2\x8c\x01x\x93.")
    assert "o\\n\\x1b[2.x" in text


def test_objects_and_sets_and_persistent_ids_are_refused(tmp_path: Path) -> None:
    for content in (object(), collections.OrderedDict(a=1), {1, 2}, frozenset("a"), 1j, range(3)):
        assert "holds" in refusal(tmp_path, pickle.dumps({"1": content}, 4))
    assert "persistent id" in refusal(tmp_path, b"P1\n.")
    assert "persistent id" in refusal(tmp_path, b"\x80\x02NQ.")
    assert "extension registry" in refusal(tmp_path, b"\x80\x02\x82\x01.")
    assert "Python 2" in refusal(tmp_path, b"\x80\x02U\x01a.")
    assert "os.system" in refusal(tmp_path, b"(ios\nsystem\n.")


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
DTYPE = b"cnumpy\ndtype\n(Vf4\nI00\nI01\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntb"


def peak_of(tmp_path: Path, data: bytes) -> tuple[str, int]:
    path = tmp_path / "clips.pkl"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            read_pickle(path)
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_reconstruct_cannot_choose_a_shape(tmp_path: Path) -> None:
    data = RECONSTRUCT + b"(I268435456\ntVb\ntR."
    text, peak = peak_of(tmp_path, data)
    assert "shape of its own choice" in text
    assert peak < 200_000


@pytest.mark.parametrize("shape", ["I268435456\nI1\n", "I-1\nI-1\n", "I1099511627776\nI0\n", "I1\n" * 9])
def test_bytes_are_compared_with_the_shape_before_anything_is_made(tmp_path: Path, shape: str) -> None:
    state = b"(I1\n(" + shape.encode() + b"t" + DTYPE + b"I00\nc_codecs\nencode\n(Vabcd\nVlatin1\ntRtb."
    text, peak = peak_of(tmp_path, RECONSTRUCT + b"(I0\ntVb\ntR" + state)
    assert "array of" in text
    assert peak < 200_000


def test_a_well_made_one_passes(tmp_path: Path) -> None:
    state = b"(I1\n(I1\nI1\nt" + DTYPE + b"I00\nc_codecs\nencode\n(Vabcd\nVlatin1\ntRtb."
    read = read_pickle(written(tmp_path, RECONSTRUCT + b"(I0\ntVb\ntR" + state))
    assert same(read, np.frombuffer(b"abcd", "<f4").reshape(1, 1))


@pytest.mark.parametrize(
    "array",
    [
        np.array([["a", None]], object),
        np.array([["a", "b"]]),
        np.zeros((2, 2), "f4,i4"),
        np.zeros((2, 2), complex),
        np.zeros((2, 2), "M8[s]"),
        np.zeros((1,) * 6),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_of_anything_but_plain_numbers_are_refused(tmp_path: Path, array: np.ndarray, protocol: int) -> None:
    assert "holds" in refusal(tmp_path, pickle.dumps({"1": array}, protocol))


def test_wrong_byte_counts(tmp_path: Path) -> None:
    good = pickle.dumps({"1": np.arange(6, dtype="f4").reshape(2, 3)}, 4)
    shape = pickle.BININT1 + b"\x02" + pickle.BININT1 + b"\x03" + pickle.TUPLE2
    assert shape in good
    assert "(2, 4)" in refusal(tmp_path, good.replace(shape, shape.replace(b"\x03", b"\x04")))
    five = pickle.dumps({"1": np.arange(6, dtype="f4").reshape(2, 3)}, 5)
    assert "(2, 4)" in refusal(tmp_path, five.replace(shape, shape.replace(b"\x03", b"\x04")))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_file_cut_anywhere_is_a_data_error(tmp_path: Path, protocol: int) -> None:
    whole = pickle.dumps(clips(), protocol)
    for end in range(0, len(whole), 1 if protocol == 4 else 3):
        refusal(tmp_path, whole[:end])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_never_ends_in_another_exception(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = bytearray(pickle.dumps(clips(), data.draw(st.sampled_from([0, 2, 4, 5]))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path_factory.getbasetemp(), bytes(whole), "damaged.pkl")
    try:
        read_pickle(path)
    except DataError as fault:
        assert "damaged.pkl" in str(fault)  # noqa: PT017 - a readable file is right as well


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_never_end_in_another_exception(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp(), b"\x80\x04" + data, "random.pkl")
    try:
        read_pickle(path)
    except DataError as fault:
        assert "random.pkl" in str(fault)  # noqa: PT017


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty (0 bytes)"),
        (b"<!DOCTYPE html><html>Not found</html>", "web page"),
        (b'{"a": 1}', "JSON"),
        (b"PK\x03\x04rest", "torch.save"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x1f\x8b\x08rest", "gzip"),
        (b"video,gloss\n1,book\n", "CSV text of 2 columns"),
        (pickle.dumps(1) + pickle.dumps(2), "after the end"),
        (b"\x80\x09N.", "protocol 9"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in refusal(tmp_path, data)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pkl", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_pickle(path)


def tuple_bomb(levels: int) -> bytes:
    """A tuple of itself twice, ``levels`` deep: small to make, 2^levels steps to hash."""
    return b"\x80\x04)\x94" + b"h\x00\x86q\x00" * levels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("memo index of 4 billion", b"\x80\x04Nr\xff\xff\xff\xffr\xfe\xff\xff\xff]e."),
        ("declared bytes", b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc."),
        ("declared text", b"\x80\x04\x8d" + struct.pack("<Q", 2**64 - 1) + b"abc."),
        ("declared frame", b"\x80\x04\x95" + struct.pack("<Q", 2**50) + b"N."),
        ("declared bytearray", b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"."),
        ("long integer of text", b"L" + b"9" * 1_000_000 + b"L\n."),
        ("integer of text", b"I" + b"9" * 1_000_000 + b"\n."),
        ("long integer", b"\x80\x02\x8b" + struct.pack("<i", 1_000_000) + b"\x01" * 1_000_000 + b"."),
        ("tuple as a key", b"\x80\x04}" + tuple_bomb(60)[2:] + b"Ns."),
        ("tuple as a dtype", b"\x80\x04" + tuple_bomb(60)[2:] + b"0cnumpy\ndtype\nh\x00\x85R."),
        ("containers without end", b"\x80\x04" + b"}" * 1_200_000 + b"."),
        ("marks without end", b"\x80\x04" + b"(" * 1_200_000 + b"."),
        ("pops of nothing", b"\x80\x04" + b"0" * 100 + b"."),
        (
            "the same text encoded again and again",
            b"\x80\x02X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"q\x00X\x06\x00\x00\x00latin1q\x01"
            b"c_codecs\nencode\nq\x02" + b"h\x02h\x00h\x01\x86R" * 10_000 + b".",
        ),
    ],
)
def test_bombs_cost_neither_time_nor_memory(tmp_path: Path, name: str, data: bytes) -> None:
    start = time.perf_counter()
    _, peak = peak_of(tmp_path, data)
    assert time.perf_counter() - start < 30, name  # tracing slows it to a second; what works takes days
    assert peak < (44 << 20) + 5 * len(data), name


@pytest.mark.slow
def test_deep_nesting_is_harmless(tmp_path: Path) -> None:
    deep: Any = read_pickle(written(tmp_path, b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b"."))
    assert len(deep) == 1
    assert isinstance(read_pickle(written(tmp_path, tuple_bomb(1000) + b".")), tuple)


def test_arrays_cannot_claim_the_same_bytes_again_and_again(tmp_path: Path) -> None:
    frames = b"\x80\x04B" + struct.pack("<I", 4000) + b"\0" * 4000 + b"\x940" + DTYPE + b"\x940"  # memo 0 and 1
    array = RECONSTRUCT + b"(I0\ntVb\ntR(I1\n(I1000\ntg1\nI00\ng0\ntb0"
    assert read_pickle(written(tmp_path, frames + array + b"N.")) is None
    assert "more bytes than the whole file" in refusal(tmp_path, frames + array * 100 + b"N.")
