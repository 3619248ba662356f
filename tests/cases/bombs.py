"""Files made to fill the memory or take up the processor: each is refused, or read, within its budget."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from costs import Cost, allowance, seconds_for

from asl_core import NoOptions, read_packed, right_answers
from asl_core.clips.packed import Sizes
from asl_core.errors import AslError
from asl_core.files.toml_file import read_toml
from asl_stages.loaders import StateDictLoader
from asl_wlasl.class_numbers import read_vocabulary
from asl_wlasl.dataset import WlaslDataset
from asl_wlasl.label_files import read_labels
from asl_wlasl.options import WlaslOptions
from cases.table import case


def _measured(path: Path, read: Callable[[Path], object]) -> str:
    """Read or refuse, within the budget of 64 MB + 10 × the file and of 5 s."""
    cost, refusal = Cost(), None
    try:
        read(path)
    except AslError as refused:
        refusal = str(refused)
    cost.stop()
    assert refusal is None or path.name in refusal
    ended = "read" if refusal is None else refusal.replace(str(path), path.name)
    size = path.stat().st_size
    assert cost.memory <= allowance(size), f"{cost.memory:,} bytes for a file of {size:,}"
    assert cost.seconds <= seconds_for(size), f"{cost.seconds:.1f} s for a file of {size:,}"
    return f"{size:,} bytes: {cost.memory / 2**20:.0f} MB, {cost.seconds:.2f} s: {ended}"


def _clips(path: Path) -> object:
    return WlaslDataset(WlaslOptions()).read(path)


def _weights(path: Path) -> object:
    return StateDictLoader(NoOptions()).load(path)


def _text(text: str) -> bytes:
    raw = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(raw)) + raw


def _long(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return pickle.LONG1 + bytes([len(raw)]) + raw


def _pickle(place: Path, data: bytes) -> Path:
    path = place / "clips.pkl"
    path.write_bytes(b"\x80\x04" + data + b".")
    return path


_SCALAR = (
    b"cnumpy._core.multiarray\nscalar\nq\x00cnumpy\ndtype\n(" + _text("U1000") + b"\x89\x88tR(K\x03" + _text("<")
    + b"NNNM\xa0\x0fK\x04K\x08tbq\x01B" + struct.pack("<I", 4000) + ("😀" * 1000).encode("utf-32-le") + b"q\x02000"
)  # fmt: skip


@case("a pickle of the same numpy text scalar 200,000 times")
def repeated_scalars(place: Path) -> str:
    said = _measured(_pickle(place, _SCALAR + b"](" + b"h\x00h\x01h\x02\x86R" * 200_000 + b"e"), _clips)
    assert "memory" in said
    return said


@case("a pickle whose dict has keys that are equal modulo 2^61 - 1")
def colliding_keys(place: Path) -> str:
    keys = b"".join(_long(1 + (2**61 - 1) * n) + b"N" for n in range(60_000))
    said = _measured(_pickle(place, b"}(" + keys + b"u"), _clips)
    assert "key" in said
    return said


@case("a pickle whose dict has keys that land in one place without being equal")
def keys_in_one_place(place: Path) -> str:
    # Numbers below 2^60 hash as themselves; whoever knows the dict's walk may choose them all along one path.
    keys = b"".join(_long(n << 24) + b"N" for n in range(60_000))
    said = _measured(_pickle(place, b"}(" + keys + b"u"), _clips)
    assert "numbers as keys" in said
    return said


@case("a pickle of a million empty byte strings", slow=True)
def empty_bytes(place: Path) -> str:
    said = _measured(_pickle(place, b"](" + b"C\x00" * 1_000_000 + b"e"), _clips)
    assert "memory" in said
    return said


@case("a pickle of half a million entries of the memo")
def memo(place: Path) -> str:
    said = _measured(_pickle(place, b"](" + b"N\x94" * 600_000 + b"e"), _clips)
    assert "memory" in said
    return said


@case("a pickle that names one small array as 30,000 clips")
def one_array_as_many_clips(place: Path) -> str:
    array = pickle.dumps(torch.ones(1, 1).numpy(), 4)[11:-1]  # without its frame
    clips = b"".join(b"J" + struct.pack("<i", n) + b"h\x63" for n in range(30_000))
    path = _pickle(place, array + b"q\x630" + b"}(" + clips + b"u")
    return _measured(path, _clips)


def _archive(path: Path, *parts: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts:
                archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def _saved() -> list[tuple[str, bytes]]:
    file = io.BytesIO()
    torch.save({"w": torch.ones(2, 2)}, file)
    with zipfile.ZipFile(file) as archive:
        return [(i.filename, archive.read(i)) for i in archive.infolist()]


def _with_pickle(place: Path, data: bytes) -> Path:
    return _archive(place / "x.pt", ("a/data.pkl", b"\x80\x02" + data + b"."), ("a/version", b"3\n"))


@case("a .pt that names its list of tensors twice, and variants of the name")
def names_twice(place: Path) -> str:
    bomb = b"\x80\x02}" + _text("w") + b"]" * 300_000 + b"a" * 299_999 + b"s."
    folder = _saved()[0][0].partition("/")[0]
    said = ""
    for name in ("/data.pkl", "/DATA.PKL", "\\data.pkl", "/./data.pkl", "//data.pkl", "/x/../data.pkl"):
        path = _archive(place / "x.pt", *_saved(), (folder + name, bomb))
        said = _measured(path, _weights)
        assert "torch.save does not write" in said, (name, said)
    return said


@case("a .pt with two directories, a comment, something before it, or an entry that says something else of itself")
def two_readings(place: Path) -> str:
    path = _archive(place / "x.pt", *_saved())
    file = io.BytesIO()
    torch.save({"w": torch.ones(2, 2)}, file)
    for sound in (path.read_bytes(), file.getvalue()):
        path.write_bytes(sound)
        assert _measured(path, _weights).endswith("read")
        name = sound.index(b"data.pkl")
        end = sound.rindex(b"PK\x05\x06")
        odd = [
            sound[:-2] + struct.pack("<H", len(sound)) + sound, sound[:-2] + b"\x01\x00x", b"x" * 9 + sound,
            sound[:name] + b"dAta.pkl" + sound[name + 8 :], sound + sound,
            sound[: end + 8] + b"\1\0\1\0" + sound[end + 12 :],
        ]  # fmt: skip
        for change in odd:
            path.write_bytes(change)
            said = _measured(path, _weights)
            assert not said.endswith("read"), change[:40]
    return said


@case("a .pt of 600 KB of nested lists", slow=True)
def nested_lists(place: Path) -> str:
    for depth, word in ((300_000, "500,000 instructions"), (100_000, "deeper"), (60, "deeper")):
        said = _measured(_with_pickle(place, b"}" + _text("w") + b"]" * depth + b"a" * (depth - 1) + b"s"), _weights)
        assert word in said, said
    return said


@case("a .pt whose key is a tuple that takes 2^60 steps to hash, and one of colliding numbers")
def keys_of_a_checkpoint(place: Path) -> str:
    nested = b")q\x00" + b"0h\x00h\x00\x86q\x00" * 60
    for data in (b"}(" + nested + b"Nu", b"cbuiltins\nset\n](" + nested + b"e\x85R"):
        said = _measured(_with_pickle(place, data), _weights)
        assert "harm" in said, said
    keys = b"".join(_long(1 + (2**61 - 1) * n) + b"N" for n in range(60_000))
    return _measured(_with_pickle(place, b"}(" + keys + b"u"), _weights)


@case("a .pt that is compressed to a thousandth")
def compressed(place: Path) -> str:
    path = _archive(
        place / "x.pt", ("a/data.pkl", b"\x80\x02]" + b"N0" * 9_000_000 + b"."), method=zipfile.ZIP_DEFLATED
    )
    said = _measured(path, _weights)
    assert "compressed" in said
    return said


@case("JSON of labels that is deep, or made of empty tables, and lines of millions of columns")
def labels(place: Path) -> str:
    said = ""
    n = 3_000_000
    for text in ("[" * n, "[" + "{}," * n + "{}]", "a," * n, '{"a": ' + "9" * n + "}", "a\n" * n):
        path = place / "labels.txt"
        path.write_text(text, encoding="utf-8")
        said = _measured(path, read_labels)
        assert not said.endswith("read"), text[:20]
    return said


@case("a vocabulary.json whose numbers all hash alike")
def vocabulary(place: Path) -> str:
    table = ",".join(f'"g{n}":{(2**61 - 1) * n}' for n in range(50_000))
    inverse = ",".join(f'"{(2**61 - 1) * n}":"g{n}"' for n in range(50_000))
    path = place / "vocabulary.json"
    path.write_text(f'{{"gloss_to_id":{{{table}}},"id_to_gloss":{{{inverse}}}}}', encoding="utf-8")
    said = _measured(path, lambda file: read_vocabulary(file.parent))
    stored = read_vocabulary(place)
    assert stored is not None
    assert "15 digits" in stored.faults[0]
    return said


@case("a safetensors file whose header names a hundred thousand tensors, or one of a million dimensions", slow=True)
def header(place: Path) -> str:
    said = ""
    many = {str(n): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(100_000)}
    wide = {"a": {"dtype": "F32", "shape": [1] * 1_000_000, "data_offsets": [0, 4]}}
    for content in (many, wide, {"__metadata__": {str(n): "a" for n in range(300_000)}}):
        text = json.dumps(content).encode()
        path = place / "x.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
        said = _measured(path, _weights)
        assert "more than the names" in said
    return said


@case("predictions of a run with a heading of a hundred thousand columns and short rows")
def predictions(place: Path) -> str:
    path = place / "predictions-val.csv"
    path.write_text("clip,correct,glosses" + ",x" * 100_000 + "\n" + "1,1,a\n" * 2000, encoding="utf-8")
    said = _measured(path, lambda file: right_answers(file.parent))
    assert "heading" in said
    return said


@case("a packed file of a hundred thousand clips of one number", slow=True)
def packed(place: Path) -> str:
    clips = 100_000
    index = {"ids": ["a"] * clips, "glosses": [], "signers": [], "sources": [""], "labels": [[]] * clips,
             "signer": [None] * clips, "source": [0] * clips}  # fmt: skip
    text = json.dumps(index, separators=(",", ":")).encode()
    body = bytes(4 * clips) + b"\1\0\0\0" * clips + text
    path = place / "train.safetensors"
    path.write_bytes(Sizes(clips, clips, 1, len(text)).header(hashlib.blake2b(body, digest_size=16).hexdigest()) + body)
    said = _measured(path, read_packed)
    index["glosses"] = [{}] * 3_000_000
    text = json.dumps(index, separators=(",", ":")).encode()
    body = bytes(4 * clips) + b"\1\0\0\0" * clips + text
    path.write_bytes(Sizes(clips, clips, 1, len(text)).header(hashlib.blake2b(body, digest_size=16).hexdigest()) + body)
    assert "MiB of memory" in _measured(path, read_packed)
    return said


@case("a TOML file of one key of thousands of parts")
def dotted_key(place: Path) -> str:
    path = place / "settings.toml"
    path.write_text("a" + ".a" * 16_000 + " = 1\n", encoding="utf-8")
    said = _measured(path, read_toml)
    assert "parts" in said
    return said
