"""Packed clips: the clips of a data set in files that are mapped rather than read, for sets beyond memory.

A packed folder holds ``packed.json`` and a file for each split. Such a file is safetensors of three tensors, and any
tool for that format reads it:

- ``features`` (frames of all clips, features per frame) float32, from byte 4096 on;
- ``lengths`` (clips,) int32;
- ``index`` (bytes,) uint8: JSON of ids, glosses, signers and sources.

The header has a fixed size, so that it can be written last, when the frames have gone by one clip at a time. It keeps
a BLAKE2 digest of all that follows it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np

from asl_core.clips.clip import Clip, Finding
from asl_core.clips.frames import map_numbers
from asl_core.clips.layout import Layout
from asl_core.errors import DataError
from asl_core.files.bounded import parse_json
from asl_core.files.watched import Watched

__all__ = ["FORMAT", "MANIFEST", "SPLITS", "START", "Sizes", "packed_splits", "read_packed"]

FORMAT = 1
MANIFEST = "packed.json"
SPLITS = ("train", "val", "test")
_KEY = "asl-packed"
START = 4096  #: bytes before the frames: 8 for the header's length, then the header, filled up with spaces
_REMEDY = "It was damaged or changed: pack the clips again with `asl pack`."


@attrs.frozen
class Sizes:
    """The four numbers that say where everything in a file is."""

    clips: int
    frames: int
    width: int
    index: int  #: bytes of JSON

    @property
    def lengths_at(self) -> int:
        """Byte at which the lengths begin."""
        return START + 4 * self.frames * self.width

    @property
    def index_at(self) -> int:
        """Byte at which the index begins."""
        return self.lengths_at + 4 * self.clips

    @property
    def end(self) -> int:
        """Bytes of the file."""
        return self.index_at + self.index

    def described(self) -> dict[str, Any]:
        """The tensors as safetensors describes them."""
        a, b, c, d = 0, self.lengths_at - START, self.index_at - START, self.end - START
        return {
            "features": {"dtype": "F32", "shape": [self.frames, self.width], "data_offsets": [a, b]},
            "lengths": {"dtype": "I32", "shape": [self.clips], "data_offsets": [b, c]},
            "index": {"dtype": "U8", "shape": [self.index], "data_offsets": [c, d]},
        }

    def header(self, digest: str) -> bytes:
        """The first bytes of the file."""
        metadata = json.dumps({"format": FORMAT, "digest": digest}, sort_keys=True)
        text = json.dumps({"__metadata__": {_KEY: metadata}, **self.described()}).encode("ascii")
        return (START - 8).to_bytes(8, "little") + text.ljust(START - 8)


class _WrongError(Exception):
    """A file does not hold what :func:`asl_core.data.packing.pack` writes."""


def packed_splits(folder: Path) -> tuple[tuple[str, ...], list[Finding]]:
    """The splits of a packed folder, and what their data set had noticed.

    Raises:
        DataError: no such folder, or it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder} holds no {MANIFEST}; expected a folder that `asl pack` made.")
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        _check_format(manifest["format"], path)
        fields = ("level", "code", "message", "data")  # what else stands there decides nothing
        findings = [Finding(**{k: v for k, v in f.items() if k in fields}) for f in manifest["findings"]]
        names = tuple(manifest["splits"])
        if not set(names) <= set(SPLITS):
            raise _WrongError(f"it names the splits {', '.join(names)[:80]}")
        if not all(f.level in ("error", "warning", "note") and isinstance(f.message, str) for f in findings):
            raise _WrongError("a finding of it has no level or message")
    except (_WrongError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as fault:
        raise _refused(path, fault) from fault
    return tuple(name for name in SPLITS if name in names), findings


def read_packed(path: Path) -> list[Clip]:
    """The clips of one packed file; their features look into the file, which is not read before they are used.

    The digest is checked first, which reads the file once from end to end.

    Raises:
        DataError: missing, cut short, damaged, hostile, or of another format.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a file that `asl pack` made.")
    try:
        with path.open("rb") as file:
            sizes, digest = _read_header(file, path)
            if _digest(file) != digest:
                raise _WrongError("its contents do not agree with the checksum that was written with them")
            file.seek(sizes.lengths_at)
            lengths = np.frombuffer(file.read(4 * sizes.clips), dtype="<i4").astype(np.int64)
            index = parse_json(file.read(sizes.index).decode("utf-8"))
            if int(lengths.min()) < 1 or int(lengths.sum()) != sizes.frames:
                raise _WrongError(f"the lengths of its clips do not come to its {sizes.frames} frames")
            columns = _columns(index, sizes.clips, path)
            frames = map_numbers(file, START, sizes.frames * sizes.width, Watched(path, file, digest, _digest)).reshape(
                sizes.frames, sizes.width
            )
            ends = np.cumsum(lengths).tolist()
            starts = [0, *ends[:-1]]
            return [
                Clip(id=clip, features=frames[start:end], glosses=glosses, signer=signer, source=source, **known)
                for clip, start, end, glosses, signer, source, known in zip(
                    columns[0], starts, ends, *columns[1:], strict=True
                )
            ]
    except (_WrongError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as fault:
        raise _refused(path, fault) from fault


def _read_header(file: BinaryIO, path: Path) -> tuple[Sizes, str]:
    """Sizes and digest. Only the very header that would have been written for this file is taken."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(START)
    if len(start) < START or int.from_bytes(start[:8], "little") != START - 8:
        raise _WrongError("it does not begin as a packed file does")
    header = parse_json(start[8:].decode("utf-8"))
    metadata = parse_json(header.pop("__metadata__")[_KEY])
    _check_format(metadata["format"], path)
    (frames, width), (clips,), (index,) = (header[name]["shape"] for name in ("features", "lengths", "index"))
    if any(type(n) is not int or not 1 <= n <= size for n in (frames, width, clips, index)):
        raise _WrongError("its header tells sizes that no file of this length can hold")
    sizes = Sizes(clips, frames, width, index)
    if header != sizes.described():
        raise _WrongError("the places of its tensors are not one after the other from the first byte to the last")
    if sizes.end != size:
        raise _WrongError(f"it has {size} bytes, and its header tells of {sizes.end}")
    return sizes, str(metadata["digest"])


def _check_format(version: object, path: Path) -> None:
    if version != FORMAT:
        raise DataError(
            f"{path} is of packed format {str(version)[:40]}, this asl reads {FORMAT}; use the asl that wrote it, or "
            f"pack the clips again."
        )


def _digest(file: BinaryIO) -> str:
    digest = hashlib.blake2b(digest_size=16)
    file.seek(START)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _columns(
    index: Any, clips: int, path: Path
) -> tuple[Sequence[str], list[tuple[str, ...]], list[str | None], list[str], list[dict[str, Any]]]:
    """Id, glosses, signer, source, time and layout of each clip. Equal ones are one object: clips may be many."""
    tables = {name: index[name] for name in ("ids", "glosses", "signers", "sources")}
    for name, texts in tables.items():
        if name == "signers" and isinstance(texts, list):
            continue  # they decide nothing: a clip takes numbers, and NaN for nobody
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise _WrongError(f"its {name} are not texts")
    if not len(tables["ids"]) == len(index["labels"]) == len(index["signer"]) == len(index["source"]) == clips:
        raise _WrongError(f"its index is not of {clips} clips")
    same: dict[tuple[int, ...], tuple[str, ...]] = {}
    labels = []
    for numbers in map(tuple, index["labels"]):
        if numbers not in same:
            same[numbers] = tuple(_entry(tables["glosses"], n) for n in numbers)
        labels.append(same[numbers])
    sources = [f"{path}, from {s}" if s else str(path) for s in tables["sources"]]
    return (
        tables["ids"],
        labels,
        [None if n is None else _entry(tables["signers"], n) for n in index["signer"]],
        [_entry(sources, n) for n in index["source"]],
        _time_and_layout(index, clips),
    )


def _time_and_layout(index: Any, clips: int) -> list[dict[str, Any]]:
    """Rate, times and layout of each clip, where the file has them."""
    layouts = [Layout.from_json(parse_json(text)) for text in index.get("layouts", ())]
    columns = {name: index.get(name) or [None] * clips for name in ("fps", "times", "layout", "group", "detector")}
    if any(len(column) != clips for column in columns.values()):
        raise _WrongError(f"its rates, times, layouts, groups or detectors are not of {clips} clips")
    if not all(text is None or isinstance(text, str) for name in ("group", "detector") for text in columns[name]):
        raise _WrongError("a group or detector of its clips is no text")
    return [
        dict(zip(columns, row, strict=True)) | {"layout": None if row[2] is None else _entry(layouts, row[2])}
        for row in zip(*columns.values(), strict=True)
    ]


def _entry(table: Sequence[Any], number: object) -> Any:
    if type(number) is not int or not 0 <= number < len(table):
        raise _WrongError(f"its index points at entry {str(number)[:40]} of {len(table)}")
    return table[number]


def _refused(path: Path, fault: Exception) -> DataError:
    reason = " ".join(str(fault).split())[:200]
    kind = "" if isinstance(fault, _WrongError) else f"{type(fault).__name__}: "
    return DataError(f"{path} cannot be read as packed clips ({kind}{reason}). {_REMEDY}")
