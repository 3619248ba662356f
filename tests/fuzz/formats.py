"""The readers of landmarks in other programs' formats: their valid files, changes and bombs."""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import importlib
import importlib.util
import io
import json
import re
import struct
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "asl_formats"))  # its samples are the seeds

from made import form, numbers
from samples import SAMPLES

from asl_core import DataError, Recording
from asl_formats import isolated
from fuzz import bundle
from fuzz.mutate_bytes import HOSTILE_INTS, mangle
from fuzz.mutate_pickle import mutate_pickle
from fuzz.mutate_text import mutate_csv, mutate_json

__all__ = ["BOMBS", "FILES", "LIBRARIES", "PLANTS", "TIMES", "available", "mutator", "ready", "seeds", "way"]

#: format -> the name under which an input is read; of folders, the file in it that is read, or none
FILES: Mapping[str, str] = {
    "npy-frames": "", "npy": "clip.npy", "npz": "clip.npz", "pose": "clip.pose", "kaggle-signs": "clip.parquet",
    "kaggle-fingerspelling": "clips.parquet", "openpose": "", "pickle": "clips.pkl", "sl-gcn": "train_data_joint.npy",
    "spoter": "clips.csv", "openhands": "clip.h5",
}  # fmt: skip
FOLDERS = ("npy-frames", "openpose", "sl-gcn")
#: format -> module that its process imports
LIBRARIES = {"pose": "pose_format", "kaggle-signs": "pyarrow.parquet", "kaggle-fingerspelling": "pyarrow.parquet",
             "openhands": "h5py"}  # fmt: skip
#: format -> bytes of memory for each of the input, beyond the 64 MB of every reader. What unpacks to 20 times its size
#: is read, and its points are copied as float32 and once more; a number of SPOTER is two characters of text.
TIMES = {"npz": 100, "pickle": 100, "spoter": 60, "openpose": 40}
_SECONDS = 5.0  #: of the clock, for a file that another process reads


def available(name: str) -> bool:
    """Whether the library of a format is installed."""
    library = LIBRARIES.get(name)
    return library is None or importlib.util.find_spec(library.partition(".")[0]) is not None


def ready(name: str) -> None:
    """Have the process of a format started outside the guard, under which no process starts."""
    isolated.ready(LIBRARIES[name])


def way(name: str) -> Callable[[Path], None]:
    """Reading as a data set does it: each recording is looked at and dropped."""

    def recordings(path: Path) -> None:
        path = path / FILES[name] if name in FOLDERS else path
        made = form(name)
        recognised = made.recognises(path)
        try:
            with _one_process():
                for recording in made.read(path):
                    check(recording)
        except DataError as fault:
            if "it took longer than" in str(fault):
                raise AssertionError(str(fault)) from None
            raise
        # Where a user says what it is, a pickle of protocol 0 is read, which is text like any, and a frame of nobody.
        assert recognised or name in ("pickle", "openpose"), "read, and not recognised"

    recordings.__name__ = f"recordings of {name}"
    return recordings


@contextlib.contextmanager
def _one_process() -> Iterator[None]:
    """The idle process reads, in little time, and no second one tries again."""
    kept = isolated.seconds_for, isolated._process
    vars(isolated).update(seconds_for=lambda _: _SECONDS, _process=lambda: (False, isolated._IDLE.pop()))
    try:
        yield
    finally:
        isolated.seconds_for, isolated._process = kept


def check(recording: Recording) -> None:
    """What every recording has to be."""
    gaps = np.isnan(recording.points)
    assert (gaps.all(-1) == gaps.any(-1)).all(), "a point that was seen on some axes only"
    assert not np.isinf(recording.points).any(), "an infinite number"
    assert len(recording.points), "no frame"
    assert max(map(len, recording.notes), default=0) < 4000, "a note that is no sentence"


# ---- valid files -----------------------------------------------------------------------------------------------------


@functools.cache
def _seeds(name: str) -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory(prefix="asl-fuzz-") as place:
        folder = Path(place)
        sample = SAMPLES[name](folder)
        if name in FOLDERS:
            return (bundle.packed(sample if sample.is_dir() else folder),)
        found = [sample.read_bytes()]
        if name in ("npy", "npz"):
            for number, shape in enumerate(
                ((4, 42, 3), (3, 5, 75), (3, 6, 27, 2), (3, 137, 3), (5, 258), (1, 30, 126))
            ):
                other = folder / f"{number}{sample.suffix}"
                np.save(other, numbers(*shape)) if name == "npy" else np.savez(other, numbers(*shape), fps=25)
                found.append(other.read_bytes())
        if name == "pickle":
            found.append(gzip.compress(found[0]))
        return tuple(found)


def seeds(name: str) -> list[bytes]:
    """Valid files of a format."""
    return list(_seeds(name))


# ---- changes ---------------------------------------------------------------------------------------------------------

_DESCRS = ("'<f4'", "'<f8'", "'>f2'", "'<i8'", "'|O'", "'<U9'", "'<c16'", "'|V0'", "'<f16'", "'|b1'", "'<M8[s]'")
_SHAPES = ("()", "(0, 63)", "(1, 63)", "(4, 63)", "(-4, 63)", "(4, 21, 3)", "(9999999999, 63)", "(63,)", "(4, 63, 0)",
           "(1,)*40", "(4.0, 63)", "(4, 252)", "(2, 4, 21, 3)", "(4, 62)", "(252,)")  # fmt: skip


def _npy(data: bytes, random: Random) -> bytes:
    """An array with another header, or other numbers."""
    if random.random() < 0.2 or len(data) < 128:
        return mangle(data, random)
    size = int.from_bytes(data[8:10], "little")
    header, body = data[10 : 10 + size].decode("latin-1"), data[10 + size :]
    what = random.randrange(6)
    if what == 0:
        header = re.sub(r"'descr': '[^']*'", lambda _: f"'descr': {random.choice(_DESCRS)}", header)
    elif what == 1:
        header = re.sub(r"\([^)]*\)", lambda _: random.choice(_SHAPES), header)
    elif what == 2:
        header = re.sub(r"\d+", lambda m: str(random.choice((m[0], m[0], *HOSTILE_INTS[:-1]))), header)
    elif what == 3:
        body = random.choice((body[:-1], body + bytes(8), b"", body * 2, body[: len(body) // 2]))
    else:
        values = (0.0, -1.0, float("nan"), float("inf"), 1e308, -1e30, 1e-320)
        raw = struct.pack("<d", random.choice(values)) * random.choice((1, 3, 63))
        at = random.randrange(len(body) // 8 + 1) * 8
        body = body[:at] + raw + body[at + len(raw) :]
    return data[:8] + struct.pack("<H", len(header) % 65536) + header.encode("latin-1") + body


def _npz(data: bytes, random: Random) -> bytes:
    """An archive with other members, names and sizes."""
    if random.random() < 0.25:
        return mangle(data, random)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [(member.filename, archive.read(member)) for member in archive.infolist()]
    except Exception:
        return mangle(data, random)
    at = random.randrange(max(len(parts), 1))
    what = random.randrange(6)
    names = ("pose.npy", "left_hand.npy", "points.npy", "layout.npy", "fps.npy", "times.npy", "../x.npy", "a", "é.npy",
             "glosses.npy", "size.npy", "id.npy")  # fmt: skip
    if parts and what < 3:
        parts[at] = parts[at][0], _npy(parts[at][1], random)
    elif parts and what == 3:
        parts[at] = random.choice(names), parts[at][1]
    elif parts and what == 4:
        parts.append((random.choice(names), random.choice(parts)[1]))
    elif parts:
        del parts[at]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        with zipfile.ZipFile(file, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for name, content in parts:
                archive.writestr(name, content)
    made = file.getvalue()
    return _lying(made, random) if random.random() < 0.2 else made


def _lying(data: bytes, random: Random) -> bytes:
    """An archive whose list of members gives other sizes, or other places."""
    at = data.find(b"PK\x01\x02")
    if at < 0:
        return data
    field = at + random.choice((16, 20, 24, 42))  # checksum, packed, unpacked, place
    return data[:field] + struct.pack("<I", random.choice(HOSTILE_INTS) % 2**32) + data[field + 4 :]


def _pickle(data: bytes, random: Random) -> bytes:
    if data[:2] == b"\x1f\x8b" and random.random() < 0.7:
        try:
            return gzip.compress(mutate_pickle(gzip.decompress(data), random), 1)
        except (OSError, EOFError, zlib.error):
            return mangle(data, random)
    return mutate_pickle(data, random) if random.random() < 0.8 else mangle(data, random)


def _pose(data: bytes, random: Random) -> bytes:
    """Numbers of the header, and of the points."""
    if random.random() < 0.3:
        return mangle(data, random)
    size = random.choice((2, 2, 4))
    at = random.randrange(min(len(data), 600) or 1) if random.random() < 0.7 else random.randrange(len(data) // 4) * 4
    values = (float("nan"), float("inf"), 0.0, 0.1, -1.0, 1e38)
    raw = struct.pack("<f", random.choice(values)) if random.random() < 0.3 else b""
    raw = raw or (random.choice(HOSTILE_INTS) % 256**size).to_bytes(size, "little")
    return data[:at] + raw + data[at + len(raw) :]


def _parquet(data: bytes, random: Random) -> bytes:
    """Bytes of the table or its footer changed; or a table of other columns, types, groups and codecs."""
    if random.random() < 0.5:
        footer = int.from_bytes(data[-8:-4], "little")
        if random.random() < 0.6 and 0 < footer < len(data) - 8:
            start = len(data) - 8 - footer
            return data[:start] + mangle(data[start:], random)
        return mangle(data, random)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data), use_threads=False)
        names = table.schema.names
        at = random.randrange(len(names))
        what = random.randrange(6)
        if what == 0:
            table = table.remove_column(at)
        elif what == 1:
            table = table.set_column(at, names[at], table.column(at).cast(random.choice(_arrow_types()), safe=False))
        elif what == 2:
            value = random.choice((None, 0, -1, 1e300, float("nan"), float("inf"), "x", b"\xff", [1], 2**62, {"a": 1}))
            table = table.set_column(at, names[at], pa.array([value] * len(table)))
        elif what == 3:
            table = table.rename_columns(
                [*names[:at], random.choice(("x", "frame", "é", "", "x_pose_99")), *names[at + 1 :]]
            )
        elif what == 4:
            table = pa.concat_tables([table] * random.choice((0, 2, 3)) or [table.slice(0, 0)])
        else:
            table = table.slice(random.randrange(len(table)), random.randrange(len(table)))
        file = io.BytesIO()
        pq.write_table(
            table, file, compression=random.choice(("none", "snappy", "zstd", "gzip", "brotli", "lz4")),
            row_group_size=random.choice((1 << 20, 700)), use_dictionary=random.random() < 0.5,
            data_page_version=random.choice(("1.0", "2.0")),
        )  # fmt: skip
        return file.getvalue()
    except Exception:
        return mangle(data, random)


@functools.cache
def _arrow_types() -> tuple[Any, ...]:
    import pyarrow as pa

    return (pa.string(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.timestamp("ns"),
            pa.binary(), pa.decimal128(20, 3), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))  # fmt: skip


def _h5(data: bytes, random: Random) -> bytes:
    """Bytes changed; or a file of other arrays and links."""
    if random.random() < 0.6:
        return mangle(data, random)
    import h5py

    file = io.BytesIO()
    frames = random.choice((0, 1, 3, 40))
    with h5py.File(file, "w") as made:
        for name in random.choice((("",), ("a/",), ("a/", "b/"), ("a/b/",))):
            shape = random.choice(
                ((frames, 75, 3), (frames, 75, 3), (frames, 75, 2), (75, 3), (), (frames, 133, 3), (10**9, 75, 3))
            )
            kind = random.choice(("f4", "f8", "f2", "i8", "u1", "S5", "c8", "O", "f4,f4"))
            options: dict[str, Any] = {"compression": random.choice((None, "gzip", "lzf"))} if shape else {}
            dtype = h5py.string_dtype() if kind == "O" else kind
            points = made.create_dataset(f"{name}keypoints", shape, dtype, **options)
            if kind in ("f4", "f8", "f2") and frames and shape[:1] == (frames,):
                points[...] = random.choice((0.5, float("nan"), float("inf"), -1.0))
                points[0] = 0.25
            scores = random.choice(((frames, 75, 1), (frames, 75), (frames, 3), None))
            if scores:
                made.create_dataset(f"{name}{random.choice(('visibility', 'confidences'))}", scores, "f4", fillvalue=1)
        link = random.choice(
            (None, None, h5py.SoftLink("/keypoints"), h5py.SoftLink("/c"), h5py.ExternalLink("clip.h5", "/"))
        )
        if link is not None:
            made["c"] = link
    return file.getvalue()


def _folder(change: Callable[[bytes, Random], bytes], names: tuple[str, ...]) -> Callable[[bytes, Random], bytes]:
    """Changes of a folder: of a file, of its name, of how many there are."""

    def mutate(data: bytes, random: Random) -> bytes:
        table = bundle._entries(data)
        for _ in range(random.choice((1, 1, 2, 3))):
            known = list(table)
            what = random.random()
            name = random.choice(known) if known else "0.npy"
            if what < 0.6 and "file" in table.get(name, {}):
                content = base64.b64decode(table[name]["file"])
                changed = _pickle(content, random) if name.endswith(".pkl") else change(content, random)
                table[name] = {"file": base64.b64encode(changed).decode()}
            elif what < 0.7:
                table.pop(name, None)
            elif what < 0.9 and known:
                table[random.choice(names)] = table[name]
            else:
                pipe = {"folder": 1} if "train_data_joint.npy" in names else {"pipe": 1}  # nobody gives a pipe by name
                link = {"link": random.choice(("../outside/kept.txt", "/dev/zero", "..", "self", name))}
                table[random.choice((*names, name))] = random.choice((link, link, {"folder": 1}, pipe))
        return json.dumps(table).encode()

    return mutate


_FRAMES = (
    "0",
    "1",
    "7",
    "2000",
    "999999999999",
    "-1",
    "00",
    "0 (1)",
    "a",
    "1e9",
    "٣",
    "9" * 5000,
    "1.5",
    "clip_3_keypoints",
)
_MUTATORS: Mapping[str, Callable[[bytes, Random], bytes]] = {
    "npy-frames": _folder(_npy, tuple(f"{n}.npy" for n in _FRAMES)),
    "npy": _npy, "npz": _npz, "pose": _pose, "kaggle-signs": _parquet, "kaggle-fingerspelling": _parquet,
    "openpose": _folder(mutate_json, tuple(f"{n}.json" for n in _FRAMES)),
    "pickle": _pickle,
    "sl-gcn": _folder(_npy, ("train_data_joint.npy", "train_label.pkl", "train_labels.pkl")),
    "spoter": mutate_csv, "openhands": _h5,
}  # fmt: skip


def mutator(name: str) -> Callable[[bytes, Random], bytes]:
    """The changes of a format's files."""
    return _MUTATORS[name]


# ---- bombs -----------------------------------------------------------------------------------------------------------

_LARGEST = 100 << 20  #: bytes that a bomb unpacks to, or it would take longer to make than to read
Bomb = Callable[[int, Random], bytes]


def _zeros(size: int) -> np.ndarray:
    return np.zeros((min(size * 150, _LARGEST) // 504, 63))


def _saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npz_bomb(size: int, random: Random) -> bytes:
    """Zeros, which deflate to a thousandth; or the same with a list of members that says less, or more."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.npy", _saved(_zeros(size)))
    made = file.getvalue()
    return made if random.random() < 0.4 else _lying(made, random)


def _many_members(size: int, _: Random) -> bytes:
    file, one = io.BytesIO(), _saved(np.zeros((2, 63), "f2"))
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(min(size // 500, 20_000)):
            archive.writestr(f"{number}.npy", one)
    return file.getvalue()


def _gzip_bomb(size: int, random: Random) -> bytes:
    import pickle

    made = gzip.compress(pickle.dumps({"a": _zeros(size)}), 1)
    return made if random.random() < 0.5 else made[:-4] + struct.pack("<I", random.choice((0, 99, 2**32 - 1)))


def _array(size: int, random: Random) -> bytes:
    return _saved(np.zeros((size // 63, 63), "u1") if random.random() < 0.5 else np.zeros((size // 126, 63), "f2"))


def _header_only(size: int, random: Random) -> bytes:
    shape = random.choice(((10**9, 63), (63, 10**9), (3, 10**9, 75), (10**6, 10**6)))
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(size)


def _pose_bomb(size: int, random: Random) -> bytes:
    """Version 0.0 with frames of nobody, which take memory all the same; or a header of many small components."""
    data = seeds("pose")[0]
    if random.random() < 0.5:
        components = size // 14
        head = data[:10] + struct.pack("<H", min(components, 65535))
        return (
            head
            + (struct.pack("<H", 0) + struct.pack("<H", 4) + b"XYZC" + struct.pack("<3H", 1, 0, 0) + bytes(2))
            * components
        )
    points = min(size // 4, 65535)
    head = struct.pack("<f3HH", 0.0, 640, 480, 0, 1) + struct.pack("<H", 1) + b"A" + struct.pack("<H", 4) + b"XYZC"
    return (
        head + struct.pack("<3H", points, 0, 0) + bytes(2 * points) + struct.pack("<2H", 25, 65535) + bytes(2 * 65535)
    )


def _parquet_bomb(wide: bool) -> Bomb:
    def make(size: int, random: Random) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = min(size * 150, _LARGEST) // 24
        zeros = pa.array(np.zeros(rows, "i4"))
        names = ("sequence_id", "frame", "x_pose_0", "y_pose_0") if wide else ("frame", "landmark_index", "x", "y", "z")
        columns = dict.fromkeys(names, zeros)
        if not wide:
            columns["type"] = pa.DictionaryArray.from_arrays(zeros, ["pose"])
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file, compression=random.choice(("zstd", "gzip", "snappy")))
        return file.getvalue()

    return make


def _h5_bomb(size: int, random: Random) -> bytes:
    import h5py

    file = io.BytesIO()
    frames = min(size * 150, _LARGEST) // 900
    with h5py.File(file, "w") as made:
        chunks = (min(frames, 10_000), 75, 3)
        points = made.create_dataset("keypoints", (frames, 75, 3), "f4", compression="gzip", chunks=chunks)
        if random.random() < 0.7:
            points[: chunks[0]] = 0
        made.create_dataset("visibility", (frames, 75, 1), "f4", chunks=(chunks[0], 75, 1), fillvalue=1)
    return file.getvalue()


def _csv_bomb(size: int, random: Random) -> bytes:
    head, row, *_ = seeds("spoter")[0].split(b"\n")
    if random.random() < 0.5:
        return head + b"\n" + row.replace(b"[", b"[" + b"0, " * min(size // 330, 200_000)) + b"\n"
    return head + b"\n" + b'"' + b"[" * size + b'"' + b"\n"


def _json_frame(size: int, random: Random) -> bytes:
    text = random.choice((
        b'{"people": [' + b"[" * size + b"]" * size + b"]}",
        b'{"people": [{"pose_keypoints_2d": [' + b"0," * size + b"0]}]}",
        b'{"people": [' + b"{}," * size + b"{}]}",
    ))  # fmt: skip
    return json.dumps({f"{n}_keypoints.json": {"file": base64.b64encode(text).decode()} for n in (0, 1)}).encode()


def _many_frames(size: int, random: Random) -> bytes:
    one = base64.b64encode(_saved(np.zeros(63))).decode()
    step = random.choice((1, 1, 2, 900))
    return json.dumps({f"{n * step}.npy": {"file": one} for n in range(min(size // 640, 800))}).encode()


def _slgcn_bomb(size: int, random: Random) -> bytes:
    shape = (max(size // 12_150, 1), 3, 150, 27, 1)
    array = random.choice((np.zeros(shape, "u1"), np.ones(shape, "u1")))
    return json.dumps({"train_data_joint.npy": {"file": base64.b64encode(_saved(array)).decode()}}).encode()


BOMBS: Mapping[str, tuple[Bomb, ...]] = {
    "npy-frames": (_many_frames,), "npy": (_array, _header_only), "npz": (_npz_bomb, _npz_bomb, _many_members),
    "pose": (_pose_bomb,), "kaggle-signs": (_parquet_bomb(False),), "kaggle-fingerspelling": (_parquet_bomb(True),),
    "openpose": (_json_frame,), "pickle": (_gzip_bomb,), "sl-gcn": (_slgcn_bomb,), "spoter": (_csv_bomb,),
    "openhands": (_h5_bomb,),
}  # fmt: skip


# ---- planted bugs ----------------------------------------------------------------------------------------------------

_MODULES = {"npy-frames": "npy_frames", "npy": "npy_clip", "npz": "npz", "pose": "isolated", "openpose": "openpose",
            "kaggle-signs": "isolated", "kaggle-fingerspelling": "isolated", "pickle": "pickles", "sl-gcn": "sl_gcn",
            "spoter": "spoter", "openhands": "isolated"}  # fmt: skip


def _bare_errors(name: str) -> Callable[[], None]:
    """What a library, or the process, fails with reaches the user."""

    def plant() -> None:
        module = importlib.import_module(f"asl_formats.{_MODULES[name]}")
        if name in LIBRARIES:
            vars(module)["DataError"] = RuntimeError
            return
        for owner in (module, importlib.import_module("asl_formats.headers")):
            vars(owner)["refused"] = lambda _, fault, __: KeyError(str(fault))

    return plant


def _points_half_seen(name: str) -> Callable[[], None]:
    """A point that was not seen keeps an axis; where a clip has none, nothing is wrong."""

    def plant() -> None:
        def changed(**facts: Any) -> Recording:
            points = facts["points"]
            points[..., 0] = np.where(np.isnan(points[..., 0]), 0, points[..., 0])
            return Recording(**facts)

        for module in {_MODULES[name], "arrays"}:
            vars(importlib.import_module(f"asl_formats.{module}"))["Recording"] = changed

    return plant


PLANTS: Mapping[str, Mapping[str, Callable[[], None]]] = {
    name: {"error": _bare_errors(name), "half": _points_half_seen(name)} for name in FILES
}
