"""Packed clips: the clips of a data set in files that are mapped rather than read, for sets beyond memory.

A packed folder holds ``packed.json`` and a file for each split. Such a file is safetensors of three tensors, and any
tool for that format reads it:

- ``features`` (frames of all clips, numbers a frame) float32, from byte 4096 on;
- ``lengths`` (clips,) int32;
- ``index`` (bytes,) uint8: JSON of ids, glosses, signers and sources.

The header has a fixed size, so that it can be written last, when the frames have gone by one clip at a time. It keeps
a BLAKE2 digest of all that follows it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np

from asl_core.contracts import Dataset
from asl_core.data import Clip, Finding
from asl_core.errors import DataError, RunError, UsageError
from asl_core.frames import map_numbers

__all__ = ["PackedSplit", "pack", "packed_splits", "read_packed"]

FORMAT = 1
MANIFEST = "packed.json"
_SPLITS = ("train", "val", "test")
_KEY = "asl-packed"
_START = 4096  #: bytes before the frames: 8 for the header's length, then the header, filled up with spaces
_REMEDY = "It was damaged or changed: pack the clips again with `asl pack`."


@attrs.frozen
class PackedSplit:
    """What was written of one split."""

    name: str
    clips: int
    frames: int
    width: int
    size: int  #: bytes of the file


def pack(dataset: Dataset, folder: Path, origin: Mapping[str, Any]) -> list[PackedSplit]:
    """Write every split of a data set, one clip at a time; the folder appears when all of it is there.

    Args:
        dataset: its clips as it hands them out, before any transform.
        folder: to be made.
        origin: the data set's name and settings, kept as a note.

    Raises:
        UsageError: ``folder`` is there already.
        DataError: a split has no clip, or a clip no frames or another width than the first.
        RunError: it cannot be written.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists, and is not overwritten; choose another folder, or remove it.")
    part = folder.with_name(f"{folder.name}.part")
    _clear(part)
    try:
        part.mkdir(parents=True)
        written = [_write_split(part / f"{name}.safetensors", name, dataset.clips(name)) for name in dataset.splits()]
        note = {
            "format": FORMAT,
            "from": dict(origin),
            "splits": {one.name: {"clips": one.clips, "frames": one.frames, "width": one.width} for one in written},
            "findings": [attrs.asdict(f) for f in dataset.findings()],
        }
        text = json.dumps(note, indent=2, sort_keys=True, default=str) + "\n"
        (part / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
        part.rename(folder)
    except OSError as fault:
        shutil.rmtree(part, ignore_errors=True)
        raise RunError(
            f"{folder} cannot be written ({fault.strerror or fault}); make room, or choose another folder."
        ) from fault
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return written


def _clear(part: Path) -> None:
    """Remove what a pack that was killed left behind, and nothing else."""
    if not part.is_dir():
        return
    ours = {MANIFEST, *(f"{name}.safetensors" for name in _SPLITS)}
    if strange := sorted(p.name for p in part.iterdir() if p.name not in ours):
        raise UsageError(f"{part} is needed for packing and holds {strange[0]!r}; move it away.")
    shutil.rmtree(part, ignore_errors=True)  # what stays is told when the folder is made


def _write_split(path: Path, name: str, clips: Iterable[Clip]) -> PackedSplit:
    lengths: list[int] = []
    width = 0
    index = _Index()
    digest = hashlib.blake2b(digest_size=16)
    with path.open("wb") as file:

        def put(data: bytes | memoryview) -> None:
            file.write(data)
            digest.update(data)

        file.write(bytes(_START))
        for clip in clips:
            frames = np.ascontiguousarray(clip.features, dtype="<f4")
            where = f"clip {clip.id!r} of {name} ({clip.source or 'unknown source'})"
            if frames.ndim != 2 or not frames.size:
                raise DataError(
                    f"{where} has features of shape {frames.shape}; expected (frames, numbers a frame) of at least one "
                    f"each. Leave it out of the data set, or extract it again."
                )
            width = width or frames.shape[1]
            if frames.shape[1] != width:
                raise DataError(
                    f"{where} has {frames.shape[1]} numbers a frame, and those before it {width}; expected one width. "
                    f"Extract all in the same way."
                )
            put(frames.data.cast("B"))
            lengths.append(len(frames))
            index.add(clip)
        if not lengths:
            raise DataError(f"split {name} holds no clip; expected at least one.")
        put(np.array(lengths, dtype="<i4").tobytes())
        text = index.text()
        put(text)
        sizes = _Sizes(len(lengths), sum(lengths), width, len(text))
        file.seek(0)
        file.write(sizes.header(digest.hexdigest()))
        file.flush()
        os.fsync(file.fileno())
    return PackedSplit(name, sizes.clips, sizes.frames, width, sizes.end)


@attrs.frozen
class _Sizes:
    """The four numbers that say where everything in a file is."""

    clips: int
    frames: int
    width: int
    index: int  #: bytes of JSON

    @property
    def lengths_at(self) -> int:
        return _START + 4 * self.frames * self.width

    @property
    def index_at(self) -> int:
        return self.lengths_at + 4 * self.clips

    @property
    def end(self) -> int:
        return self.index_at + self.index

    def described(self) -> dict[str, Any]:
        """The tensors as safetensors describes them."""
        a, b, c, d = 0, self.lengths_at - _START, self.index_at - _START, self.end - _START
        return {
            "features": {"dtype": "F32", "shape": [self.frames, self.width], "data_offsets": [a, b]},
            "lengths": {"dtype": "I32", "shape": [self.clips], "data_offsets": [b, c]},
            "index": {"dtype": "U8", "shape": [self.index], "data_offsets": [c, d]},
        }

    def header(self, digest: str) -> bytes:
        """The first bytes of the file."""
        own = json.dumps({"format": FORMAT, "digest": digest}, sort_keys=True)
        text = json.dumps({"__metadata__": {_KEY: own}, **self.described()}).encode("ascii")
        return (_START - 8).to_bytes(8, "little") + text.ljust(_START - 8)


@attrs.define
class _Index:
    """What is kept of clips beside their frames. Glosses, signers and sources are listed once, and pointed at."""

    ids: list[str] = attrs.field(factory=list)
    labels: list[list[int]] = attrs.field(factory=list)
    signer: list[int | None] = attrs.field(factory=list)
    source: list[int] = attrs.field(factory=list)
    glosses: dict[str, int] = attrs.field(factory=dict)
    signers: dict[str, int] = attrs.field(factory=dict)
    sources: dict[str, int] = attrs.field(factory=dict)

    def add(self, clip: Clip) -> None:
        self.ids.append(str(clip.id))
        self.labels.append([self.glosses.setdefault(g, len(self.glosses)) for g in clip.glosses])
        signer = clip.signer
        self.signer.append(None if signer is None else self.signers.setdefault(str(signer), len(self.signers)))
        self.source.append(self.sources.setdefault(clip.source, len(self.sources)))

    def text(self) -> bytes:
        columns = {f.name: getattr(self, f.name) for f in attrs.fields(_Index)}
        lists = {k: list(v) for k, v in columns.items()}  # of a table its names, which stand in order of their places
        return json.dumps(lists, separators=(",", ":")).encode("ascii")


class _WrongError(Exception):
    """A file does not hold what is written by :func:`pack`."""


def packed_splits(folder: Path) -> tuple[tuple[str, ...], list[Finding]]:
    """The splits of a packed folder, and what their data set had noticed.

    Raises:
        DataError: no such folder, or it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder} holds no {MANIFEST}; expected a folder that `asl pack` made.")
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        _check_format(kept["format"], path)
        found = [Finding(**f) for f in kept["findings"]]
        names = tuple(kept["splits"])
        if not set(names) <= set(_SPLITS):
            raise _WrongError(f"it names the splits {', '.join(names)[:80]}")
        if not all(f.level in ("error", "warning", "note") and isinstance(f.message, str) for f in found):
            raise _WrongError("a finding of it has no level or message")
    except (_WrongError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as fault:
        raise _refused(path, fault) from fault
    return tuple(name for name in _SPLITS if name in names), found


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
            index = json.loads(file.read(sizes.index))
            if int(lengths.min()) < 1 or int(lengths.sum()) != sizes.frames:
                raise _WrongError(f"the lengths of its clips do not come to its {sizes.frames} frames")
            columns = _columns(index, sizes.clips, path)
            frames = map_numbers(file, _START, sizes.frames * sizes.width).reshape(sizes.frames, sizes.width)
    except (_WrongError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as fault:
        raise _refused(path, fault) from fault
    ends = np.cumsum(lengths).tolist()
    starts = [0, *ends[:-1]]
    return [
        Clip(id=clip, features=frames[start:end], glosses=glosses, signer=signer, source=source)
        for clip, start, end, glosses, signer, source in zip(columns[0], starts, ends, *columns[1:], strict=True)
    ]


def _read_header(file: BinaryIO, path: Path) -> tuple[_Sizes, str]:
    """Sizes and digest. Only the very header that would have been written for this file is taken."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(_START)
    if len(start) < _START or int.from_bytes(start[:8], "little") != _START - 8:
        raise _WrongError("it does not begin as a packed file does")
    header = json.loads(start[8:])
    own = json.loads(header.pop("__metadata__")[_KEY])
    _check_format(own["format"], path)
    (frames, width), (clips,), (index,) = (header[name]["shape"] for name in ("features", "lengths", "index"))
    if any(type(n) is not int or not 1 <= n <= size for n in (frames, width, clips, index)):
        raise _WrongError("its header tells sizes that no file of this length can hold")
    sizes = _Sizes(clips, frames, width, index)
    if header != sizes.described():
        raise _WrongError("the places of its tensors are not one after the other from the first byte to the last")
    if sizes.end != size:
        raise _WrongError(f"it has {size} bytes, and its header tells of {sizes.end}")
    return sizes, str(own["digest"])


def _check_format(version: object, path: Path) -> None:
    if version != FORMAT:
        raise DataError(
            f"{path} is of packed format {str(version)[:40]}, this asl reads {FORMAT}; use the asl that wrote it, or "
            f"pack the clips again."
        )


def _digest(file: BinaryIO) -> str:
    digest = hashlib.blake2b(digest_size=16)
    file.seek(_START)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _columns(
    index: Any, clips: int, path: Path
) -> tuple[Sequence[str], list[tuple[str, ...]], list[str | None], list[str]]:
    """Id, glosses, signer and source of each clip. Equal ones are one object: there may be very many clips."""
    tables = {name: index[name] for name in ("ids", "glosses", "signers", "sources")}
    for name, texts in tables.items():
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
    )


def _entry(table: Sequence[str], number: object) -> str:
    if type(number) is not int or not 0 <= number < len(table):
        raise _WrongError(f"its index points at entry {str(number)[:40]} of {len(table)}")
    return table[number]


def _refused(path: Path, fault: Exception) -> DataError:
    reason = " ".join(str(fault).split())[:200]
    kind = "" if isinstance(fault, _WrongError) else f"{type(fault).__name__}: "
    return DataError(f"{path} cannot be read as packed clips ({kind}{reason}). {_REMEDY}")
