"""Clip records from the content of a pickle: the reference layout, its older caches, and fields by other names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from asl_core import DataError, PickleOpaque, array_layout, metadata_text, read_pickle, shortened, track, whole_number
from asl_wlasl.fields import FEATURE_NAMES, GLOSS_NAMES, ID_NAMES, NUMBER_NAMES, SIGNER_NAMES, field_name

__all__ = ["Record", "name_some", "read_records"]

LAYOUT = (
    "Expected {video_id: {'features': array (T, D), 'gloss': text, 'gloss_id': number, 'video_id': text, "
    "'split': text}}, or an older cache: {video_id: array} or a list of such dicts."
)


@attrs.frozen(eq=False, kw_only=True)
class Record:
    """One clip as it is in the file."""

    id: str
    features: np.ndarray  #: (T, D) float32, T may be 0 until :func:`sound_records`
    file: Path
    gloss: str | None = None  #: without surrounding space
    number: int | None = None  #: the stored class number, which may mean another gloss in another file
    signer: str | None = None
    fps: float | None = None  #: frames per second
    split: str | None = None  #: the entry's own ``split``
    stated_id: str | None = None  #: the entry's own ``video_id``
    gloss_field: str = "gloss"  #: the field that its gloss was read from
    skipped: tuple[tuple[str, str], ...] = ()  #: optional fields that were not read: name, type of value


_CLIP = 512  #: bytes of memory for a clip besides its features
_FIELD = 64  #: and for each of its fields
_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "eval"}
_NAME = 60  #: characters of a name in a message


def name_some(names: Sequence[str], limit: int = 5) -> str:
    """``'a', 'b' and 3 more``; long names are cut."""
    return shortened((repr(name if len(name) <= _NAME else f"{name[:_NAME]}…") for name in names), limit)


class BadFeaturesError(DataError):
    """A clip's features are no array (T, D) of numbers."""

    def __init__(self, what: str, remedy: str):
        super().__init__(f"{what}{remedy}")
        self.what = what  #: without what to do


def read_records(path: Path, faults: dict[str, str] | None = None) -> list[Record]:
    """The clips of one pickle, in the file's order.

    Args:
        path: the file.
        faults: takes the fault of each clip whose features cannot be read, by its id, and the clip is left out
            (default: such a clip is an error).

    Raises:
        DataError: not a readable pickle, no clips, or a clip of another layout.
    """
    content = read_pickle(path, opaque=True)
    claimed, limit = 0, (24 << 20) + 5 * path.stat().st_size  # uint8 becomes four times as large
    entries = []
    for key, entry in track(_entries(content, path), f"reading {path.name}"):
        try:
            raw = _features(entry, key, path)
        except BadFeaturesError as fault:
            if faults is None:
                raise
            faults[key] = fault.what
            continue
        claimed += 4 * raw.size + _CLIP + (_FIELD * len(entry) if isinstance(entry, dict) else 0)
        if claimed > limit:
            raise DataError(
                f"{path} repeats the same arrays under many clips: at clip {key!r} they come to more than "
                f"{limit >> 20} MiB, which the file cannot hold. Export each clip with its own frames."
            )
        entries.append((key, entry, raw))
    if not entries and not faults:
        raise DataError(f"{path} holds no clips: its container is empty. {LAYOUT} Extract the features again.")
    fields = _Fields.of([entry for _, entry, _ in entries if isinstance(entry, dict)])
    converted: dict[int, np.ndarray] = {}  # by identity: an array under many ids is converted once
    for _, _, raw in entries:
        if id(raw) not in converted:
            converted[id(raw)] = _as_float32(raw)
    return [_record(entry, key, converted[id(raw)], path, fields) for key, entry, raw in entries]


def _as_float32(raw: np.ndarray) -> np.ndarray:
    """A copy, so that the file's bytes can be freed. Numbers beyond float32 become infinite; the audit reports them."""
    with np.errstate(over="ignore"):
        return np.array(raw, dtype=np.float32, order="C")


def _entries(content: object, path: Path) -> Iterator[tuple[str, object]]:
    """(id, entry) of each clip."""
    if isinstance(content, dict):
        _refuse_other_table(content, path)
        for key, entry in content.items():
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise DataError(f"{path} has a clip under a key of type {_kind(key)}; a video id is text. {LAYOUT}")
            yield str(key), entry
    elif isinstance(content, list | tuple):
        for index, entry in enumerate(content):
            key = None
            if isinstance(entry, dict):
                fields = {field_name(name): value for name, value in entry.items() if isinstance(name, str)}
                key = next((fields[name] for name in ("video_id", *ID_NAMES) if name in fields), None)
            if not isinstance(key, str | int) or isinstance(key, bool):
                arrays = isinstance(entry, np.ndarray | list)
                raise DataError(
                    f"{path} is a {_kind(content)} whose item {index} has no 'video_id'. {LAYOUT}"
                    + (" Write such a list of clips as {str(n): clip for n, clip in enumerate(clips)}." * arrays)
                )
            yield str(key), entry
    else:
        hint = ""
        if isinstance(content, np.ndarray):
            hint = " Write the array of one clip with numpy.save (asl predict takes that), or as {'ID': array}."
        raise DataError(f"{path} holds a value of type {_kind(content)} and no clips. {LAYOUT}{hint}")


def _refuse_other_table(content: Mapping[Any, Any], path: Path) -> None:
    """Refuse two other common layouts of a dict: of splits, and of columns.

    Raises:
        DataError: with the Python that turns it into clips by id.
    """
    names = {field_name(key): key for key in content if isinstance(key, str)}
    splits = [v for v in content.values() if isinstance(v, list) or (isinstance(v, dict) and "features" not in v)]
    if content and len(splits) == len(content) and set(names) <= _SPLITS:
        raise DataError(
            f"{path} holds several splits, {name_some(list(map(str, content)))}, and no clips by id. Write each "
            f"to a file of its own: for name, clips in content.items(): pickle.dump(clips, "
            f"open(f'features_{{name}}_x.pkl', 'wb'))."
        )
    features = next((names[n] for n in ("features", *FEATURE_NAMES) if n in names), None)
    labels = next((names[n] for n in (*GLOSS_NAMES, *NUMBER_NAMES, "y") if n in names), None)
    if features is None or labels is None or isinstance(content[features], dict):
        return
    raise DataError(
        f"{path} holds columns, {name_some(list(map(str, content)))}, and no clips by id. Write them as "
        f"{{str(n): {{'features': x, 'gloss': str(y)}} for n, (x, y) in enumerate(zip(content[{features!r}], "
        f"content[{labels!r}]))}}."
    )


def _kind(value: object) -> str:
    return value.kind if isinstance(value, PickleOpaque) else type(value).__name__


def _features(entry: object, key: str, path: Path) -> np.ndarray:
    """The features (T, D) of an entry, as in the file."""
    raw = entry
    if isinstance(entry, dict):
        if "features" not in entry:
            fields = name_some([str(name) for name in entry])
            raise BadFeaturesError(
                f"clip {key!r} of {path} has no 'features' (it has {fields or 'nothing'})",
                f". {_other_features(entry)}{LAYOUT}",
            )
        raw = entry["features"]
    if not isinstance(raw, np.ndarray):
        hint = "" if not isinstance(raw, list | tuple) else " Write them as numpy.array(features, dtype='float32')."
        raise BadFeaturesError(
            f"clip {key!r} of {path} has a value of type {_kind(raw)} where its features belong", f".{hint} {LAYOUT}"
        )
    if raw.ndim != 2 or raw.shape[1] == 0:
        layout = array_layout(raw.shape)
        hint = f" It seems to be {layout[0]}: store {layout[1]} in place of it, where x is the array." if layout else ""
        raise BadFeaturesError(
            f"clip {key!r} of {path} has features of shape {raw.shape}",
            f"; expected (frames, features per frame).{hint}",
        )
    if raw.dtype.kind not in "fiu":
        raise BadFeaturesError(
            f"clip {key!r} of {path} has features of dtype {raw.dtype}", "; expected floats or integers."
        )
    return raw


def _other_features(entry: Mapping[Any, Any]) -> str:
    """What to type where the features have another name."""
    arrays = [name for name, value in entry.items() if isinstance(value, np.ndarray) and value.ndim >= 2]
    likely = [name for name in arrays if field_name(str(name)) in ("features", *FEATURE_NAMES)] or arrays
    return f"Rename it in every clip: clip['features'] = clip.pop({str(likely[0])[:_NAME]!r}). " if likely else ""


@attrs.frozen
class _Fields:
    """The names under which a file's entries have the fields that are read."""

    gloss: str = "gloss"
    number: str | None = "gloss_id"
    signer: str | None = "signer_id"

    @classmethod
    def of(cls, entries: Sequence[Mapping[Any, Any]]) -> _Fields:
        """The usual names; of several for the gloss, the one that has words in most clips."""
        words: Counter[str] = Counter()
        names: dict[str, str] = {}
        for entry in entries:
            for name, value in entry.items():
                if isinstance(name, str):
                    if name not in names:
                        names[name] = field_name(name)
                    if isinstance(value, str):
                        words[name] += bool(value.strip())
        kinds = {kind: name for name, kind in reversed(names.items())}
        glosses = [kinds[kind] for kind in GLOSS_NAMES if kind in kinds]
        gloss = max(glosses, key=lambda name: words[name], default="gloss")
        if not words[gloss]:
            gloss = "gloss"  # the others hold numbers
        number = next((kinds[kind] for kind in NUMBER_NAMES if kind in kinds and kinds[kind] != gloss), None)
        signer = next((kinds[kind] for kind in SIGNER_NAMES if kind in kinds), None)
        return cls(gloss, number, signer)


def _frame_rate(value: object) -> float | None:
    """Frames per second.

    Raises:
        ValueError: it is no such number.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1000:
        raise ValueError("no frames per second")
    return float(value)


def _record(entry: object, key: str, features: np.ndarray, path: Path, fields: _Fields) -> Record:
    if not isinstance(entry, dict):
        return Record(id=key, features=features, file=path)
    gloss = entry.get(fields.gloss)
    if isinstance(gloss, float) and math.isnan(gloss):
        gloss = None  # how pandas writes a missing value
    if gloss is not None and not isinstance(gloss, str):
        raise DataError(f"clip {key!r} of {path} has a {fields.gloss!r} of type {_kind(gloss)}; expected text.")
    skipped: list[tuple[str, str]] = []

    def optional(field: str | None, convert: Callable[[object], Any]) -> Any:
        """None, and counted as skipped, where the field has a value of another type."""
        try:
            return None if field is None else convert(entry.get(field))
        except ValueError:
            skipped.append((str(field), _kind(entry[field])))
            return None

    number, signer = optional(fields.number, whole_number), optional(fields.signer, metadata_text)
    split, stated = optional("split", metadata_text), optional("video_id", metadata_text)
    fps = optional("fps", _frame_rate)
    read = {"features", "split", "video_id", "fps", fields.gloss, fields.number, fields.signer}
    skipped += [
        (str(name), value.kind) for name, value in entry.items() if name not in read and type(value) is PickleOpaque
    ]
    return Record(
        id=key,
        features=features,
        file=path,
        gloss=gloss.strip() or None if isinstance(gloss, str) else None,
        number=number,
        signer=signer,
        fps=fps,
        split=split,
        stated_id=stated,
        gloss_field=fields.gloss,
        skipped=tuple(skipped),
    )
