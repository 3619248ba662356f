"""Files made to fill the memory or take up the processor, of any size: what attackers sent, and the rest of each kind.

The changes of ``mutate_*`` stay small, and a small file stays below any bound that allows for 64 MB. These are large.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from random import Random

import torch

from fuzz import formats
from fuzz.mutate_pickle import _global, _hostile, _number, _text
from fuzz.mutate_tensors import join_safetensors, split_safetensors
from fuzz.packs import repacked

__all__ = ["BOMBS"]

Bomb = Callable[[int, Random], bytes]  #: makes one of about so many bytes

_MERSENNE = 2**61 - 1  #: whole numbers hash modulo this


def bomb(reader: str, size: int, random: Random) -> bytes:
    """One of a reader's bombs."""
    return random.choice(BOMBS[reader])(size, random)


def _repeat(head: bytes, unit: bytes, tail: bytes, size: int) -> bytes:
    return head + unit * max(1, (size - len(head) - len(tail)) // len(unit)) + tail


# ---- pickles ---------------------------------------------------------------------------------------------------------

_DTYPE = b"cnumpy\ndtype\n(%b\x89\x88tR(K\x03" + _text("<") + b"NNN%b%bK\x08tb"
_SCALAR = (
    b"cnumpy._core.multiarray\nscalar\nq\x00" + _DTYPE % (_text("U1000"), _number(4000), _number(4)) + b"q\x01B"
    + struct.pack("<I", 4000) + ("😀" * 1000).encode("utf-32-le") + b"q\x02000"
)  # fmt: skip
_ARRAY = (
    b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01(K\x01K\x01t"
    b"cnumpy\ndtype\n(" + _text("f4") + b"\x89\x88tR(K\x03" + _text("<")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89C\x04\0\0\0\0tb"
)  # fmt: skip
_UNITS = (b"N", b"}", b"]", b"(", b")", b"N\x94", b"C\x00", b"N\x85", b"}NNs", b"]Na", b"M\x01\x01", b"h\x00", b"N0",
          b"\x8c\x01a", b"\x8c\x03\xe4\xb8\x80", b"\x8a\x08abcdefgh", b"(t", b"(l", b"2", b"h\x00\x86",
          b"\x8f", b"cx\ny\n", b"G\x3f\xf0abcdef")  # fmt: skip


def _repeated(size: int, random: Random) -> bytes:
    """One or a few instructions again and again."""
    unit = random.choice((*_UNITS, _hostile(random), _global(random), _ARRAY))
    unit += random.choice((b"", b"", random.choice(_UNITS)))
    return _repeat(b"\x80\x04]q\x00(", unit, b"e.", size)


def _scalars(size: int, _: Random) -> bytes:
    return _repeat(b"\x80\x04" + _SCALAR + b"](", b"h\x00h\x01h\x02\x86R", b"e.", size)


def _keys(size: int, random: Random) -> bytes:
    """Keys that land in one place: equal modulo 2^61 - 1, or alike in the bits that a dict looks at first."""
    step = random.choice((_MERSENNE, _MERSENNE, _MERSENNE, 1 << 24, 1 << 40))
    keys = b"".join(_number(1 + step * n) + b"N" for n in range(size // 12))
    return b"\x80\x04}(" + keys + b"u."


def _nested(size: int, random: Random) -> bytes:
    return random.choice(
        (
            b"\x80\x04" + b"]" * (size // 2) + b"a" * (size // 2 - 1) + b".",
            b"\x80\x04" + b"}" + b"K\x01}" * (size // 4) + b"s" * (size // 4) + b".",
            b"\x80\x04)" + b"\x85" * size + b".",
        )
    )


def _deep_key(_: int, random: Random) -> bytes:
    """A tuple of itself twice, and so on: hashing it takes 2^n steps."""
    return b"\x80\x04})q\x00" + b"0h\x00h\x00\x86q\x00" * random.randrange(26, 32) + b"Ns."


def _shared(size: int, random: Random) -> bytes:
    """One clip under very many ids, of one field or of many."""
    fields = b"".join(_text(f"f{n}") + b"N" for n in range(random.choice((0, 10, size // 40))))
    clip = b"}(" + _text("features") + _ARRAY + fields + b"uq\x630"
    ids = b"".join(_text(str(n)) + b"h\x63" for n in range((size - len(fields)) // 14))
    return b"\x80\x04" + clip + b"}(" + ids + b"u."


_PICKLES: tuple[Bomb, ...] = (_repeated, _repeated, _repeated, _scalars, _keys, _keys, _nested, _shared, _deep_key)


# ---- checkpoints -----------------------------------------------------------------------------------------------------


def _zip(*parts: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in parts:
                archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def _checkpoint(described: bytes) -> bytes:
    return _zip(("a/data.pkl", described), ("a/data/0", bytes(8)), ("a/byteorder", b"little"), ("a/version", b"3\n"))


_TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\nq\x00(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0")
    + _text("cpu") + b"K\x02tQq\x01ccollections\nOrderedDict\nq\x02"
)  # fmt: skip
_PT_UNITS = (b"N", b"}", b"]", b")", b"N\x85", b"h\x02)R", b"h\x00(h\x01K\x00K\x02\x85K\x01\x85\x89h\x02)RtR", b"h\x03",
             b"}NNs", _text("a"), b"\x8a\x08abcdefgh", b"ctorch\nfloat32\n", b"cos\nx\n")  # fmt: skip


def _pickle_of_checkpoint(size: int, random: Random) -> bytes:
    made = random.choice((_keys, _nested, _deep_key, _deep_key))(size, random)
    return _checkpoint(b"\x80\x02}" + _text("w") + made[2:-1] + b"s.")


def _repeated_in_checkpoint(size: int, random: Random) -> bytes:
    head = b"\x80\x02](" + _TENSOR + b"}(" + b"".join(_text(str(n)) + b"N" for n in range(99)) + b"uq\x03("
    return _checkpoint(_repeat(head, random.choice(_PT_UNITS), b"te.", size))


def _twice(size: int, random: Random) -> bytes:
    """A sound archive, and then its list of tensors once more."""
    file = io.BytesIO()
    torch.save({"w": torch.ones(2, 2)}, file)
    with zipfile.ZipFile(file) as archive:
        parts = [(i.filename, archive.read(i)) for i in archive.infolist()]
    folder = parts[0][0].partition("/")[0]
    name = folder + random.choice(("/data.pkl", "/data.pkl", "/data.pkl", "/DATA.pkl", "//data.pkl", "/./data.pkl"))
    return _zip(*parts, (name, _repeat(b"\x80\x02}" + _text("w") + b"](", random.choice((b"]", b"}")), b"es.", size)))


def _many_parts(size: int, _: Random) -> bytes:
    return _zip(("a/data.pkl", b"\x80\x02}."), *((f"a/{n}", b"") for n in range(size // 100)))


def _inflated(size: int, _: Random) -> bytes:
    return _zip(("a/data.pkl", b"\x80\x02]" + b"N0" * 40 * size + b"."), method=zipfile.ZIP_DEFLATED)


def _bare(size: int, random: Random) -> bytes:
    """The old format: pickles, one after another."""
    return _repeat(b"\x80\x02](", random.choice(_PT_UNITS), b"e.", size // 8) * 8


_PTS: tuple[Bomb, ...] = (_pickle_of_checkpoint, _repeated_in_checkpoint, _twice, _many_parts, _inflated, _bare)


# ---- JSON, CSV, TOML -------------------------------------------------------------------------------------------------


def _json(size: int, random: Random) -> bytes:
    """A list or a table of very small things, or of very deep ones."""
    unit = random.choice(("[],", "{},", "[],", "{},", "1,", "1.5,", '"",', '"ab",', "[[]],", '{"a":1},', "null,"))
    key = random.choice(('"%d":1', '"%d":{}', '"%d":[]', '"%d":"a"', '"2305843009213693951%d":"a"'))
    deep = random.choice(("[", '{"a":', "[{"))
    return random.choice(
        (
            lambda: _repeat(b"[", unit.encode(), b"0]", size),
            lambda: _repeat(b"[", unit.encode(), b"0]", size),
            lambda: _repeat(b"[", unit.encode(), b"0]", size),
            lambda: ("{" + ",".join(key % n for n in range(size // 14)) + "}").encode(),  # noqa: PLW0108
            lambda: deep.encode() * (size // len(deep)),
            lambda: b'{"a": ' + b"9" * size + b"}",
            lambda: b'{"a": "' + b"x" * size + "😀".encode() + b'"}',
        )
    )()


def _csv(size: int, random: Random) -> bytes:
    unit = random.choice((b"a,", b";", b"a\t", b"\n", b"a\n", b"1,a\n", b'""', b'"a",b\n', b'"', b"a|", b"\0", b"\r"))
    return random.choice((b"", b"", b"id,gloss\n", b"clip,gloss,correct\n")) + unit * (size // len(unit))


def _vocabulary(size: int, _: Random) -> bytes:
    table = ",".join(f'"{n}":{_MERSENNE * n}' for n in range(size // 60))
    inverse = ",".join(f'"{_MERSENNE * n}":"{n}"' for n in range(size // 60))
    return f'{{"gloss_to_id":{{{table}}},"id_to_gloss":{{{inverse}}}}}'.encode()


def _toml(size: int, random: Random) -> bytes:
    size = min(size, 1 << 18)
    return random.choice(
        (
            lambda: b"a" + b".a" * (size // 2) + b" = 1\n",
            lambda: b"[a" + b".a" * (size // 2) + b"]\n",
            lambda: b"a = " + b"[" * (size // 2) + b"]" * (size // 2) + b"\n",
            lambda: b"a = " + b"{a=" * (size // 4) + b"1" + b"}" * (size // 4) + b"\n",
            lambda: b"".join(b"[a.b%d]\n" % n for n in range(size // 10)),
            lambda: b"".join(b"a%d.b.c = 1\n" % n for n in range(size // 14)),
            lambda: b"a = [" + b"1," * (size // 2) + b"]\n",
            lambda: b"a = " + b"9" * size + b"\n",
            lambda: b'a = "' + b"x" * size + b'"\n',
            lambda: b"[[stage]]\n" * (size // 10),
        )
    )()


# ---- tensors ---------------------------------------------------------------------------------------------------------


def _header(size: int, random: Random) -> bytes:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return random.choice(
        (
            lambda: join_safetensors({str(n): empty for n in range(size // 65)}, b""),
            lambda: join_safetensors({"a": {**empty, "shape": [1] * (size // 3), "data_offsets": [0, 4]}}, bytes(4)),
            lambda: join_safetensors({"__metadata__": {str(n): "a" for n in range(size // 15)}}, b""),
            lambda: join_safetensors({"__metadata__": {"asl": _json(size, random).decode("utf-8")}}, b""),
            lambda: struct.pack("<Q", size) + b" " * size,
            lambda: struct.pack("<Q", size) + b'{"__metadata__":' * (size // 16),
        )
    )()


def _large_model(_: int, random: Random) -> bytes:
    """A small file that describes a model of any size."""
    from fuzz.seeds import run_folder  # which trains it

    header, body = split_safetensors((run_folder() / "final.safetensors").read_bytes())
    kept = json.loads(header["__metadata__"]["asl"])
    kept.pop("checksum", None)
    sizes = [key for key, value in kept["config"].items() if type(value) is int and "encoder" in key]
    kept["config"][random.choice(sizes)] = random.choice((3000, 5000, 100_000, 2**31 - 1))
    header["__metadata__"]["asl"] = json.dumps(kept)
    return join_safetensors(header, body)


def _npy(size: int, random: Random) -> bytes:
    header = random.choice((b"(" * size, b"{'descr':'<f4','shape':(" + b"1," * size, b" " * size, b"9" * size))
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header


def _wide_npy(size: int, random: Random) -> bytes:
    width = random.choice((1, 36, size))
    shape = f"({size // width}, {width})"
    header = f"{{'descr': '|u1', 'fortran_order': {random.random() < 0.5}, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(size // width * width)


def _run(size: int, random: Random) -> bytes:
    """A run with one large file; the others are the seed's."""
    from fuzz.bundle import with_file

    name, made = random.choice(
        (
            ("predictions-val.csv", _columns), ("predictions-val.csv", _csv), ("summary.json", _json),
            ("transfer.json", _json), ("environment.json", _json), ("final.safetensors", _header),
            ("final.safetensors", _large_model), ("best.safetensors", _large_model),
            ("config.toml", _toml), ("last/state.safetensors", _header), ("curriculum.json", _json),
        )
    )  # fmt: skip
    return with_file(name, made(size, random))


def _columns(size: int, _: Random) -> bytes:
    """A heading of very many columns, and very many short rows."""
    return b"clip,correct,glosses" + b",x" * (size // 4) + b"\n" + b"1,1,a\n" * (size // 12)


def _pack(size: int, random: Random) -> bytes:
    """Very many clips of one frame, or an index of very many small things."""
    clips = size // 21 if random.random() < 0.5 else 10
    index = {"ids": [""] * clips, "glosses": [], "signers": [], "sources": [""], "labels": [[]] * clips,
             "signer": [None] * clips, "source": [0] * clips}  # fmt: skip
    if clips == 10:
        index["glosses"] = [{}] * (size // 3)
    return repacked(clips, index)


BOMBS: Mapping[str, tuple[Bomb, ...]] = {
    "pickle": _PICKLES,
    "labels": (_json, _csv, _vocabulary, _columns),
    "pt": _PTS,
    "safetensors": (_header, _large_model),
    "toml": (_toml,),
    "run": (_run,),
    "npy": (_npy, _wide_npy),
    "packed": (_pack,),
    **{f"format-{name}": made for name, made in formats.BOMBS.items()},
}
