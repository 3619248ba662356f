"""Clips of a data set written to a packed folder, one at a time, in the layout of :mod:`asl_core.clips.packed`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from asl_core.clips.clip import Clip
from asl_core.clips.layout import Layout
from asl_core.clips.packed import FORMAT, MANIFEST, SPLITS, START, Sizes
from asl_core.compute.progress import track
from asl_core.contracts import Dataset
from asl_core.errors import DataError, RunError, UsageError
from asl_core.files.atomic import sync_folder, write_text

__all__ = ["PackedSplit", "pack"]


@attrs.frozen
class PackedSplit:
    """Size of a split that was written."""

    name: str
    clips: int
    frames: int
    width: int
    size: int  #: bytes of the file
    layout: Layout | None = None  #: of its first clip: which features are which points


def pack(dataset: Dataset, folder: Path, origin: Mapping[str, Any]) -> list[PackedSplit]:
    """Write every split of a data set, one clip at a time; the folder appears when it is complete.

    Args:
        dataset: its clips are written before any transform.
        folder: a new one.
        origin: the data set's name and settings, kept as a note.

    Raises:
        UsageError: ``folder`` exists.
        DataError: a split has no clip, or a clip no frames or another width than the first.
        RunError: it cannot be written.
    """
    if folder.exists() or folder.is_symlink():
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
        write_text(part / MANIFEST, text)
        part.rename(folder)
        sync_folder(folder.parent)
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
    """Remove the rest of a pack that was killed, and nothing else."""
    if part.is_symlink():
        raise UsageError(f"{part} is needed for packing and is a link; remove it.")
    if not part.is_dir():
        return
    ours = {MANIFEST, f"{MANIFEST}.part", *(f"{name}.safetensors" for name in SPLITS)}
    if strange := sorted(p.name for p in part.iterdir() if p.name not in ours):
        raise UsageError(f"{part} is needed for packing and holds {strange[0]!r}; move it away.")
    shutil.rmtree(part, ignore_errors=True)  # what stays is an error when the folder is made


def _write_split(path: Path, name: str, clips: Iterable[Clip]) -> PackedSplit:
    lengths: list[int] = []
    width, layout = 0, None
    index = _Index()
    digest = hashlib.blake2b(digest_size=16)
    with path.open("wb") as file:

        def put(data: bytes | memoryview) -> None:
            file.write(data)
            digest.update(data)

        file.write(bytes(START))
        for clip in track(clips, f"packing {name}"):
            frames = np.ascontiguousarray(clip.features, dtype="<f4")
            where = f"clip {clip.id!r} of {name} ({clip.source or 'unknown source'})"
            if frames.ndim != 2 or not frames.size:
                raise DataError(
                    f"{where} has features of shape {frames.shape}; expected (frames, features), at least one of "
                    f"each. Leave it out of the data set, or extract it again."
                )
            if not lengths:
                width, layout = frames.shape[1], clip.layout
            if frames.shape[1] != width:
                raise DataError(
                    f"{where} has {frames.shape[1]} features per frame, and those before it {width}; expected the same "
                    f"number. Extract all in the same way."
                )
            put(frames.data.cast("B"))
            lengths.append(len(frames))
            index.add(clip)
        if not lengths:
            raise DataError(f"split {name} holds no clip; expected at least one.")
        put(np.array(lengths, dtype="<i4").tobytes())
        text = index.text()
        put(text)
        sizes = Sizes(len(lengths), sum(lengths), width, len(text))
        file.seek(0)
        file.write(sizes.header(digest.hexdigest()))
        file.flush()
        os.fsync(file.fileno())
    return PackedSplit(name, sizes.clips, sizes.frames, width, sizes.end, layout)


@attrs.define
class _Index:
    """Ids, labels, signers and sources of clips. Glosses, signers and sources are listed once and referred to."""

    ids: list[str] = attrs.field(factory=list)
    labels: list[list[int]] = attrs.field(factory=list)
    signer: list[int | None] = attrs.field(factory=list)
    source: list[int] = attrs.field(factory=list)
    fps: list[float | None] = attrs.field(factory=list)
    times: list[list[float] | None] = attrs.field(factory=list)
    layout: list[int | None] = attrs.field(factory=list)
    group: list[str | None] = attrs.field(factory=list)
    detector: list[str | None] = attrs.field(factory=list)
    layouts: dict[str, int] = attrs.field(factory=dict)
    glosses: dict[str, int] = attrs.field(factory=dict)
    signers: dict[str, int] = attrs.field(factory=dict)
    sources: dict[str, int] = attrs.field(factory=dict)

    def add(self, clip: Clip) -> None:
        self.ids.append(str(clip.id))
        self.labels.append([self.glosses.setdefault(g, len(self.glosses)) for g in clip.glosses])
        signer = clip.signer
        self.signer.append(None if signer is None else self.signers.setdefault(str(signer), len(self.signers)))
        self.fps.append(clip.fps)
        self.group.append(clip.group)
        self.detector.append(clip.detector)
        self.times.append(None if clip.times is None else clip.times.tolist())
        described = None if clip.layout is None else json.dumps(clip.layout.to_json())
        self.layout.append(None if described is None else self.layouts.setdefault(described, len(self.layouts)))
        self.source.append(self.sources.setdefault(clip.source, len(self.sources)))

    def text(self) -> bytes:
        columns = {f.name: getattr(self, f.name) for f in attrs.fields(_Index)}
        for name in (
            "fps",
            "times",
            "layout",
            "layouts",
            "group",
            "detector",
        ):  # not there where no clip knows: as 0.1 wrote it
            if not any(value is not None for value in columns[name]):
                del columns[name]
        lists = {k: list(v) for k, v in columns.items()}  # of a table its names, which stand in order of their places
        return json.dumps(lists, separators=(",", ":")).encode("ascii")
