"""From an unpickled object to clip records: the reference layout, its older caches, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np

from asl_core import DataError, Finding
from asl_wlasl.safe_pickle import read_pickle

__all__ = ["Record", "check_shards", "key_findings", "name_some", "read_records", "sound_records"]

LAYOUT = (
    "Expected {video_id: {'features': array (T, D), 'gloss': text, 'gloss_id': number, 'video_id': text, "
    "'split': text}}, or an older cache: {video_id: array} or a list of such dicts."
)


@attrs.frozen(eq=False, kw_only=True)
class Record:
    """One clip as a file has it."""

    id: str
    features: np.ndarray  #: (T, D) float32, T may be 0 and numbers not finite until :func:`sound_records`
    file: Path
    gloss: str | None = None  #: without surrounding space
    number: int | None = None  #: the file's own class number, which may mean another gloss in another file
    signer: str | None = None
    split: str | None = None  #: where the file says it belongs
    stated_id: str | None = None  #: the entry's own ``video_id``


_NAME = 60  #: characters of a name that a message shows


def name_some(names: Sequence[str], limit: int = 5) -> str:
    """``'a', 'b' and 3 more``, no name longer than a line can take."""
    shown = ", ".join(repr(name if len(name) <= _NAME else f"{name[:_NAME]}…") for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def read_records(path: Path) -> list[Record]:
    """Every clip of one pickle, in the file's order.

    Raises:
        DataError: no readable pickle, no clips, or a clip that is not of the layout.
    """
    content = read_pickle(path)
    records = []
    claimed, limit = 0, (64 << 20) + 8 * path.stat().st_size
    done: dict[int, np.ndarray] = {}  # one array under many ids is converted once
    for key, entry in _entries(content, path):
        raw = _features(entry, key, path)
        claimed += 4 * raw.size
        if claimed > limit:
            raise DataError(
                f"{path} repeats the same arrays under many clips: at clip {key!r} they come to more than "
                f"{limit >> 20} MiB, which the file cannot hold. Export each clip with its own frames."
            )
        if id(raw) not in done:
            done[id(raw)] = _as_float32(raw)
        records.append(_record(entry, key, done[id(raw)], path))
    if not records:
        raise DataError(f"{path} holds no clips: its container is empty. {LAYOUT} Extract the features again.")
    return records


def _as_float32(raw: np.ndarray) -> np.ndarray:
    """A copy of its own, so that the file's bytes can go; what float32 cannot hold becomes infinite, and is told."""
    with np.errstate(over="ignore"):
        return np.array(raw, dtype=np.float32, order="C")


def _entries(content: object, path: Path) -> Iterator[tuple[str, object]]:
    """(id, entry) of each clip."""
    if isinstance(content, dict):
        for key, entry in content.items():
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise DataError(
                    f"{path} has a clip under a key of type {type(key).__name__}; a video id is text. {LAYOUT}"
                )
            yield str(key), entry
    elif isinstance(content, list):
        for place, entry in enumerate(content):
            key = entry.get("video_id") if isinstance(entry, dict) else None
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise DataError(f"{path} is a list whose item {place} has no 'video_id'. {LAYOUT}")
            yield str(key), entry
    else:
        raise DataError(f"{path} holds a value of type {type(content).__name__} and no clips. {LAYOUT}")


def _features(entry: object, key: str, path: Path) -> np.ndarray:
    """The (T, D) numbers of an entry, as the file has them."""
    raw = entry
    if isinstance(entry, dict):
        if "features" not in entry:
            there = name_some([str(name) for name in entry])
            raise DataError(f"clip {key!r} of {path} has no 'features' (it has {there or 'nothing'}). {LAYOUT}")
        raw = entry["features"]
    if not isinstance(raw, np.ndarray):
        raise DataError(
            f"clip {key!r} of {path} has a value of type {type(raw).__name__} where its features belong. {LAYOUT}"
        )
    if raw.ndim != 2 or raw.shape[1] == 0:
        raise DataError(
            f"clip {key!r} of {path} has features of shape {raw.shape}; expected (frames, numbers a frame)."
        )
    if raw.dtype.kind not in "fiu":
        raise DataError(f"clip {key!r} of {path} has features of dtype {raw.dtype}; expected floats or integers.")
    return raw


def _record(entry: object, key: str, features: np.ndarray, path: Path) -> Record:
    if not isinstance(entry, dict):
        return Record(id=key, features=features, file=path)

    def text(field: str, *kinds: type) -> str | None:
        value = entry.get(field)
        if value is None:
            return None
        if not isinstance(value, kinds) or isinstance(value, bool):
            wanted = " or ".join("text" if kind is str else "a whole number" for kind in kinds)
            raise DataError(
                f"clip {key!r} of {path} has a {field!r} of type {type(value).__name__}; expected {wanted}."
            )
        return str(value).strip() or None

    number = text("gloss_id", int)
    return Record(
        id=key,
        features=features,
        file=path,
        gloss=text("gloss", str),
        number=None if number is None else int(number),
        signer=text("signer_id", str, int),
        split=text("split", str),
        stated_id=text("video_id", str, int),
    )


def check_shards(records: Sequence[Record]) -> None:
    """Each id once, and one width.

    Raises:
        DataError: naming both clips and both files.
    """
    seen: dict[str, Record] = {}
    for record in records:
        other = seen.setdefault(record.id, record)
        if other is not record:
            where = f"twice in {record.file}" if other.file == record.file else f"in {other.file} and {record.file}"
            raise DataError(
                f"clip {record.id!r} stands {where}; expected each clip once. If these are not shards of one "
                "split, name the file that is meant (--dataset.train FILE)."
            )
        check_width(records[0], record)


def check_width(first: Record, other: Record) -> None:
    """Refuse clips with different numbers a frame, naming both."""
    if other.features.shape[1] != first.features.shape[1]:
        raise DataError(
            f"clip {other.id!r} of {other.file} has {other.features.shape[1]} numbers a frame, clip {first.id!r} "
            f"of {first.file} has {first.features.shape[1]}; expected one width. Extract both in the same way."
        )


def sound_records(records: Sequence[Record], bad_clips: str) -> tuple[list[Record], list[Finding]]:
    """The clips that have frames and only finite numbers.

    Args:
        records: of one split.
        bad_clips: ``stop`` to refuse all if one is bad, ``drop`` to leave the bad ones out and say so.

    Raises:
        DataError: a clip is bad and ``bad_clips`` is ``stop``, or none is left.
    """
    kept: list[Record] = []
    bad: list[tuple[Record, str]] = []
    for record in records:
        fault = _fault(record.features)
        if fault:
            bad.append((record, fault))
        else:
            kept.append(record)
    if not bad:
        return kept, []
    shown = "; ".join(f"clip {r.id!r} of {r.file} {fault}" for r, fault in bad[:5])
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    what = f"{len(bad)} of {len(records)} clips cannot be learned from: {shown}{more}"
    if bad_clips == "stop" or not kept:
        way = "Extract them again, or leave them out with --dataset.bad-clips drop." if kept else "None is left."
        raise DataError(f"{what}. Expected at least one frame and finite numbers (within float32). {way}")
    return kept, [Finding("warning", "bad-clips", f"dropped: {what}", {"ids": [r.id for r, _ in bad]})]


def _fault(features: np.ndarray) -> str | None:
    if not len(features):
        return "has no frames"
    if np.isfinite(features).all():
        return None
    bad = ~np.isfinite(features)
    return f"has {int(bad.sum())} NaN or infinite numbers (in {int(bad.any(axis=1).sum())} of {len(bad)} frames)"


def key_findings(records: Sequence[Record]) -> list[Finding]:
    """A warning where clips stand under a key that is not their ``video_id``; the key is what counts."""
    odd = [r for r in records if r.stated_id is not None and r.stated_id != r.id]
    if not odd:
        return []
    message = (
        f"{len(odd)} of {len(records)} clips stand under a key other than their video_id (first: {odd[0].id!r} in "
        f"{odd[0].file} says {odd[0].stated_id!r}); the key is taken as the clip's id"
    )
    return [Finding("warning", "key-mismatch", message, {"ids": [r.id for r in odd]})]
