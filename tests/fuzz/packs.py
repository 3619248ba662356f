"""Packed files: valid ones, their changes, and others that are put together anew with a checksum that is right."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from asl_core.clips.clip import Clip
from asl_core.clips.packed import START, Sizes
from asl_core.data.packing import pack
from fuzz.mutate_bytes import mangle
from fuzz.mutate_tensors import _KINDS
from fuzz.mutate_text import change

__all__ = ["mutate_packed", "packs", "repacked"]


class _Clips:
    def splits(self) -> tuple[str, ...]:
        return ("train",)

    def clips(self, _: str) -> list[Clip]:
        frames = [np.arange(6, dtype="f4").reshape(2, 3), np.ones((1, 3), "f4")]
        return [Clip(id="a", features=frames[0], glosses=("book", "go"), signer="4", source="x"),
                Clip(id="b", features=frames[1], glosses=(), signer=None, source="")]  # fmt: skip

    def findings(self) -> list[Any]:
        return []


@functools.cache
def packs() -> list[bytes]:
    """One packed split."""
    with tempfile.TemporaryDirectory() as folder:
        pack(_Clips(), Path(folder) / "packed", {"name": "fuzz"})  # type: ignore[arg-type]
        return [(Path(folder) / "packed" / "train.safetensors").read_bytes()]


def repacked(clips: int, index: Any, frames: bytes | None = None, width: int = 1) -> bytes:
    """A file of clips of one frame, or of given frames, with any index."""
    text = json.dumps(index, separators=(",", ":")).encode()
    frames = bytes(4 * clips * width) if frames is None else frames
    sizes = Sizes(clips, len(frames) // 4 // width, width, len(text))
    lengths = np.ones(clips, "<i4")
    lengths[:1] += sizes.frames - clips
    return _signed(sizes, frames + lengths.tobytes() + text)


def _signed(sizes: Sizes, body: bytes) -> bytes:
    return sizes.header(hashlib.blake2b(body, digest_size=16).hexdigest()) + body


def mutate_packed(data: bytes, random: Random) -> bytes:
    """A changed packed file; most have a checksum that is right, as whoever changes one on purpose would see to."""
    if len(data) < START + 8 or random.random() < 0.2:
        return mangle(data, random)
    try:
        header = json.loads(data[8:START])
        (frames, width), (clips,), (index,) = (header[n]["shape"] for n in ("features", "lengths", "index"))
        sizes = Sizes(clips, frames, width, index)
        table = json.loads(data[sizes.index_at :])
    except (ValueError, LookupError, TypeError, OverflowError):
        return mangle(data, random)
    body = data[START : sizes.index_at]
    if random.random() < 0.3:
        body = mangle(body, random)
    else:
        table = change(table, random)
    text = json.dumps(table).encode("utf-8", "surrogatepass")
    made = _signed(Sizes(clips, frames, width, len(text)), body + text)
    if random.random() < 0.1:  # the header tells of another kind of number, in as many letters
        made = made.replace(b'"F32"', f'"{random.choice([k for k in _KINDS if len(k) == 3])}"'.encode(), 1)
    return made
