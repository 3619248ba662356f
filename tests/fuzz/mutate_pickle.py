"""Changes of a pickle by its instructions: taken out, doubled, moved, given other arguments, and hostile ones."""

from __future__ import annotations

import contextlib
import pickle
import pickletools
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from fuzz.mutate_bytes import HOSTILE_INTS, mangle

__all__ = ["mutate_pickle", "split"]

_GLOBALS = ("os system", "posix system", "nt system", "builtins eval", "builtins exec", "builtins open",
            "builtins getattr",
            "builtins print", "subprocess Popen", "importlib import_module", "antigravity x", "operator attrgetter",
            "numpy zeros", "numpy load", "numpy fromfile", "numpy.core.multiarray _reconstruct", "numpy ndarray",
            "numpy._core.multiarray scalar", "numpy._core.numeric _frombuffer", "numpy dtype", "_codecs encode",
            "builtins bytes", "builtins bytearray", "collections OrderedDict", "torch load", "torch.serialization load",
            "torch._utils _rebuild_tensor_v2", "torch FloatStorage", "torch UntypedStorage", "torch Size",
            "torch float32",
            "torch device", "builtins set", "socket socket", "runpy run_path", "ctypes CDLL", "io open",
            "shutil rmtree",
            "torch.nn.parameter Parameter", "torch._utils _rebuild_parameter", "collections Counter",
            "os mkdir")  # fmt: skip
_ARGUMENTS = ("true", "1+1", "canary", "antigravity", "/etc/passwd", "O", "f4", "w", "latin1")
_DTYPES = ("O", "O8", "V8", "U1", "U5", "U99999", "S4", "M8", "m8", "f2", "f4", "f8", "f16", "c8", "i1", "i8", "u8",
           "b1",
           "<f4", "?", "f", "", "f4,f4", "(2,3)f4", "float32", "f0", "U-1", "U٣", "i3")  # fmt: skip


def split(data: bytes) -> list[bytes]:
    """The bytes of each instruction, and what cannot be read as such at the end."""
    places: list[Any] = []
    with contextlib.suppress(Exception):  # a damaged pickle is split as far as it goes
        places.extend(at for _, _, at in pickletools.genops(data))
    if not places:
        return [data]
    return [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(raw)) + raw


def _number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return pickle.BININT + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return (
        pickle.LONG1 + bytes([len(raw)]) + raw if len(raw) < 256 else pickle.LONG4 + struct.pack("<I", len(raw)) + raw
    )


def _global(random: Random) -> bytes:
    module, name = random.choice(_GLOBALS).split()
    if random.random() < 0.5:
        return pickle.GLOBAL + f"{module}\n{name}\n".encode()
    return _text(module) + _text(name) + pickle.STACK_GLOBAL


def _argument(random: Random) -> bytes:
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: _text(random.choice(_ARGUMENTS)), lambda: _number(random.choice(HOSTILE_INTS)),
        lambda: b")", lambda: b"N", lambda: b"}", lambda: b"]", lambda: b"(" + _number(2**30) + b"K\x04t",
        lambda: b"C\x04abcd", lambda: _text(random.choice(_DTYPES)), lambda: _global(random),
    )  # fmt: skip
    return random.choice(makers)()


def _call(random: Random) -> bytes:
    arguments = b"".join(_argument(random) for _ in range(random.randrange(4)))
    how = random.random()
    if how < 0.7:
        return _global(random) + b"(" + arguments + b"tR"
    if how < 0.8:
        return _global(random) + b"(" + arguments + b"t\x81"
    if how < 0.9:
        module, name = random.choice(_GLOBALS).split()
        return b"(" + arguments + pickle.INST + f"{module}\n{name}\n".encode()
    return b"(" + _global(random) + arguments + b"o"


def _array(random: Random) -> bytes:
    """An array as numpy pickles it, with any of its parts replaced by a lie."""
    shape = [random.choice((0, 1, 2, 3, 4, 2**20, 2**40, -1, True)) for _ in range(random.choice((1, 2, 2, 3, 5)))]
    tuple_ = b"(" + b"".join(_number(n) if n is not True else b"\x88" for n in shape) + b"t"
    dtype = pickle.GLOBAL + b"numpy\ndtype\n(" + _text(random.choice(_DTYPES)) + b"\x89\x88tR"
    dtype += b"(K\x03" + _text(random.choice(("<", ">", "|", "="))) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    data = random.choice((b"C\x10" + bytes(16), b"C\x18" + bytes(24), b"]", b"](K\x01K\x02e", b"N", b"C\x00"))
    if random.random() < 0.3:
        return pickle.GLOBAL + b"numpy._core.numeric\n_frombuffer\n(" + data + dtype + tuple_ + _text("C") + b"tR"
    start = random.choice((b"K\x00", b"K\x00", b"K\x00", _number(2**30)))
    made = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + start + b"tC\x01btR"
    return made + b"(K\x01" + tuple_ + dtype + random.choice((b"\x88", b"\x89", b"N")) + data + b"tb"


def _deep(random: Random) -> bytes:
    depth = random.choice((2, 30, 100, 1000, 5000))
    return random.choice(
        (
            b"]" * depth + b"a" * (depth - 1),
            b")" + b"\x85" * depth,
            b")" + b"2\x86" * min(depth, 200),  # doubles each time it is hashed or compared
            b"(" * depth,
            b"}" + b"K\x01}" * depth + b"s" * depth,
        )
    )


def _hostile(random: Random) -> bytes:
    """One instruction that no honest writer makes, or an honest one in the wrong place."""
    lie = random.choice(HOSTILE_INTS)
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: _call(random), lambda: _call(random), lambda: _global(random), lambda: _array(random),
        lambda: _array(random), lambda: _deep(random), lambda: _argument(random),
        lambda: pickle.LONG_BINPUT + struct.pack("<I", lie % 2**32),
        lambda: pickle.LONG_BINGET + struct.pack("<I", lie % 2**32),
        lambda: pickle.PUT + str(lie % 10**40).encode() + b"\n",
        lambda: pickle.GET + str(lie % 10**40).encode() + b"\n",
        lambda: pickle.BINUNICODE8 + struct.pack("<Q", lie % 2**64) + b"abc",
        lambda: pickle.BINBYTES8 + struct.pack("<Q", lie % 2**64),
        lambda: pickle.BYTEARRAY8 + struct.pack("<Q", lie % 2**64),
        lambda: pickle.FRAME + struct.pack("<Q", lie % 2**64),
        lambda: pickle.LONG4 + struct.pack("<i", lie % 2**31) + b"abc",
        lambda: pickle.INT + str(lie).encode()[:300] + b"\n",
        lambda: pickle.FLOAT + random.choice((b"nan", b"inf", b"1e999", b"x", b"1_0")) + b"\n",
        lambda: pickle.PERSID + b"x\n", lambda: pickle.BINPERSID, lambda: pickle.EXT1 + b"\x01",
        lambda: pickle.NEXT_BUFFER,
        lambda: bytes([random.randrange(256)]), lambda: b"0", lambda: b"2", lambda: b"\x94", lambda: b".",
        lambda: b"h\x00",
        lambda: b"(dK\x01K\x02s", lambda: b"\x8f(K\x01\x90", lambda: pickle.BINFLOAT + struct.pack(">d", float("nan")),
    )  # fmt: skip
    return random.choice(makers)()


def _with_other_argument(op: bytes, random: Random) -> bytes:
    """The same instruction with another argument, its length still right where it has one."""
    code = op[:1]
    if code in (pickle.SHORT_BINUNICODE, pickle.BINUNICODE):
        old = op[2:] if code == pickle.SHORT_BINUNICODE else op[5:]
        text = random.choice((*_DTYPES, "features", "gloss", "gloss_id", "video_id", "split", "signer_id", "x" * 5000))
        if random.random() < 0.2:
            return _text(old.decode("utf-8", "replace") * 2)
        return _text(text)
    if code == pickle.GLOBAL:
        return _global(random)
    if code in (pickle.BININT1, pickle.BININT2, pickle.BININT, pickle.LONG1):
        return _number(random.choice(HOSTILE_INTS[:-1]))
    if code in (pickle.BINPUT, pickle.BINGET):
        return code + bytes([random.choice((0, 1, 2, 3, random.randrange(256)))])
    if code in (pickle.SHORT_BINBYTES, pickle.BINBYTES):
        raw = mangle(op[2:] if code == pickle.SHORT_BINBYTES else op[5:], random)
        return pickle.BINBYTES + struct.pack("<I", len(raw)) + raw
    return mangle(op, random)


def mutate_pickle(data: bytes, random: Random) -> bytes:
    """A changed pickle."""
    if random.random() < 0.08:
        return mangle(data, random)
    ops = split(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        at = random.randrange(len(ops)) if ops else 0
        what = random.randrange(10)
        if not ops or what <= 1:
            ops.insert(at, _hostile(random))
        elif what == 2:
            ops[at] = _hostile(random)
        elif what == 3:
            del ops[at : at + random.choice((1, 1, 2, 5))]
        elif what == 4:
            ops.insert(random.randrange(len(ops) + 1), ops[at])
        elif what == 5:
            until = at + random.choice((1, 2, 6, 20))
            ops[at:at] = ops[at:until]
        elif what == 6:
            other = random.randrange(len(ops))
            ops[at], ops[other] = ops[other], ops[at]
        else:
            ops[at] = _with_other_argument(ops[at], random)
    return b"".join(ops)
