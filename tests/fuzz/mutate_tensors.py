"""Changes of files of tensors: safetensors headers that lie, archives of torch.save put together anew, .npy headers."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import struct
import warnings
import zipfile
from random import Random
from typing import Any

import torch

from fuzz.mutate_bytes import HOSTILE_INTS, HOSTILE_TEXTS, flip, mangle
from fuzz.mutate_pickle import mutate_pickle
from fuzz.mutate_text import change, mutate_json

__all__ = ["join_safetensors", "mutate_npy", "mutate_pt", "mutate_safetensors", "split_safetensors"]

_KINDS = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "U16", "U32", "U64", "BOOL", "F8_E4M3",
          "F8_E5M2", "F4",
          "C64", "X", "f32", "")  # fmt: skip


def split_safetensors(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and numbers; ValueError where it has no header that is a table."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    if len(data) < 8 or not isinstance(header, dict):
        raise ValueError("no header")
    return header, data[8 + size :]


def join_safetensors(header: Any, body: bytes) -> bytes:
    """The inverse of :func:`split_safetensors`."""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def mutate_safetensors(data: bytes, random: Random) -> bytes:
    """A changed safetensors file."""
    if random.random() < 0.05:
        return mangle(data, random)
    try:
        header, body = split_safetensors(data)
    except (ValueError, RecursionError):
        return mangle(data, random)
    if random.random() < 0.8:
        _unsign(header)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        body = _lie(header, body, random)
    made = join_safetensors(header, body)
    if random.random() < 0.03:
        return struct.pack("<Q", random.choice(HOSTILE_INTS) % 2**64) + made[8:]
    return made


def _unsign(header: dict[str, Any]) -> None:
    """Leave the checksum out, as whoever changes a file on purpose would; files of before there was one have none."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        kept = json.loads(header["__metadata__"]["asl"])
        kept.pop("checksum", None)
        header["__metadata__"]["asl"] = json.dumps(kept)


def _lie(header: dict[str, Any], body: bytes, random: Random) -> bytes:
    """One change of the header, in place, or of the numbers, which are returned."""
    names = [n for n in header if n != "__metadata__" and isinstance(header[n], dict)]
    what = random.randrange(12)
    if what <= 3:
        _change_metadata(header, random)
    elif what == 4 or not names:
        return random.choice((body[: len(body) // 2], body + bytes(8), mangle(body, random), b""))
    elif what == 5:
        change(header, random)
    elif what == 6:
        header[random.choice((*HOSTILE_TEXTS, *names))] = header.pop(random.choice(names))
    elif what == 7:
        header.pop(random.choice(names))
    else:
        entry = header[random.choice(names)]
        if what == 8:
            entry["dtype"] = random.choice(_KINDS)
        elif what == 9:
            entry["shape"] = [random.choice((0, 1, 2, 4, *HOSTILE_INTS)) for _ in range(random.randrange(5))]
        elif what == 10:
            shape = entry.get("shape")
            known = shape if isinstance(shape, list) else []
            entry["shape"] = random.choice((known[::-1], [1, *known]))
        else:
            entry["data_offsets"] = [random.choice((0, len(body), *HOSTILE_INTS)) for _ in range(2)]
    return body


def _change_metadata(header: dict[str, Any], random: Random) -> None:
    """What stands beside the tensors: the JSON of a run."""
    table = header.get("__metadata__")
    if not isinstance(table, dict) or not isinstance(table.get("asl"), str) or random.random() < 0.05:
        header["__metadata__"] = random.choice(
            ({}, None, {"asl": "{}"}, {"asl": "[]"}, {"asl": '{"format": 1}'}, {"format": "pt"})
        )
        return
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        kept = json.loads(table["asl"])
        numbers = [key for key, value in kept["config"].items() if type(value) is int]
        if numbers and random.random() < 0.2:  # a model of another size
            kept["config"][random.choice(numbers)] = random.choice((2, 5000, *HOSTILE_INTS))
            table["asl"] = json.dumps(kept)
            return
    table["asl"] = mutate_json(table["asl"].encode("utf-8", "replace"), random).decode("utf-8", "replace")


def mutate_pt(data: bytes, random: Random) -> bytes:
    """A changed archive of torch.save."""
    if random.random() < 0.06:
        return mangle(data, random)
    if random.random() < 0.005:
        return _bomb()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [
                (i.filename, archive.read(i), i.compress_type) for i in archive.infolist() if i.file_size < 1 << 20
            ]
    except Exception:
        return mangle(data, random)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        parts = _repack(parts, random)
    made = _zipped(parts)
    if random.random() < 0.08:  # sizes and places in the directory at its end
        at = made.rfind(b"PK\x01\x02")
        return made[:at] + flip(made[at:], random) if at >= 0 else made
    return made


def _repack(parts: list[tuple[str, bytes, int]], random: Random) -> list[tuple[str, bytes, int]]:
    pickles = [n for n, (name, _, _) in enumerate(parts) if name.endswith(".pkl")]
    what = random.randrange(12)
    if what <= 6 and pickles:
        at = random.choice(pickles)
        parts[at] = (parts[at][0], mutate_pickle(parts[at][1], random), parts[at][2])
        return parts
    if not parts:
        return [("x/data.pkl", b"\x80\x02}.", zipfile.ZIP_STORED)]
    at = random.randrange(len(parts))
    name, content, kind = parts[at]
    if what == 7:
        parts[at] = (name, random.choice((b"", content[:-1], content * 2, mangle(content, random), b"\0" * 64)), kind)
    elif what == 8:
        new = random.choice((name + "x", "../../" + name, "/" + name, name.rpartition("/")[2], "x/constants.pkl",
                             "x/code/a",
                             "x/data.pkl", "x/data/0", "x/byteorder", "x/version", "x/.format_version",
                             ""))  # fmt: skip
        parts[at] = (new, content, kind)
    elif what == 9:
        parts[at] = (name, content, zipfile.ZIP_DEFLATED)
    elif what == 10:
        parts.insert(
            at,
            (
                random.choice((name, "x/byteorder", "x/data/7", "y/data.pkl")),
                random.choice((content, b"big", b"")),
                kind,
            ),
        )
    else:
        del parts[at]
    return parts


def _zipped(parts: list[tuple[str, bytes, int]]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        with zipfile.ZipFile(file, "w") as archive:
            for name, content, kind in parts:
                archive.writestr(zipfile.ZipInfo(name or "x"), content, kind)
    return file.getvalue()


@functools.cache
def _bomb() -> bytes:
    """90 MB of zeros in 90 kB."""
    file = io.BytesIO()
    torch.save({"a": torch.zeros(3)}, file)
    with zipfile.ZipFile(file) as archive:
        parts = [(i.filename, archive.read(i), i.compress_type) for i in archive.infolist()]
    return _zipped([(n, bytes(90 << 20) if n.endswith("/data/0") else c, zipfile.ZIP_DEFLATED) for n, c, _ in parts])


_NPY_HEADERS = (b"(3, 2)", b"(2, 3)", b"(-1, -6)", b"(-2, -3)", b"(6,)", b"(True, 6)", b"(6, 1)", b"(0, 3)", b"()",
                b"(2**99, 1)",
                b"'<f4'", b"'<f8'", b"'|O'", b"'<U9'", b"'<f2'", b"'<c8'", b"'>i4'", b"'<M8[s]'", b"[('a','<f4')]",
                b"True", b"False",
                b"1000000000000", b"3L", b"(" * 500, b"[" * 3000, b"-" * 3000 + b"1", b"9" * 5000, b"None", b"{}",
                b"'f4,f4'")  # fmt: skip


def mutate_npy(data: bytes, random: Random) -> bytes:
    """A changed .npy file: its header is a Python literal."""
    if random.random() < 0.2 or len(data) < 12:
        return mangle(data, random)
    size = int.from_bytes(data[8:10], "little")
    header, body = data[10 : 10 + size], data[10 + size :]
    old = random.choice(
        (b"(2, 3)", b"(3, 2)", b"'<f4'", b"False", b"'descr'", b"'shape'", b"2", b"3", b"{", b"}", b",")
    )
    header = header.replace(old, random.choice(_NPY_HEADERS), 1) if random.random() < 0.8 else mangle(header, random)
    if random.random() < 0.2:
        body = random.choice((body[:-1], body + bytes(4), b"", bytes(48)))
    wide = data[6] >= 2 if random.random() < 0.9 else not data[6] >= 2
    length = struct.pack("<I", len(header)) if wide else struct.pack("<H", len(header) % 65536)
    return data[:6] + (b"\x02\x00" if wide else b"\x01\x00") + length + header + body
