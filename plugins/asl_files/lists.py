"""Files that list recordings: CSV with named columns, WLASL's JSON in its two forms, Kaggle's ``train.csv``."""

from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core import (
    DataError,
    Finding,
    csv_delimiter,
    metadata_text,
    parse_json,
    shortened,
    text_encoding,
    whole_number,
)
from asl_files.entries import Entry, split_named, within

__all__ = ["find_list", "read_list"]

#: what is wanted -> names that columns have for it, in small letters
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "path", "filename", "file_name", "video", "video_path", "video_id", "video_file", "name", "id",
             "parquet_file", "clip"),
    "gloss": ("gloss", "sign", "label", "class", "word", "gloss_label"),
    "glosses": ("glosses", "sentence", "orth", "annotation", "phrase"),
    "split": ("split", "subset", "set", "partition"),
    "signer": ("signer", "signer_id", "participant_id", "speaker", "person", "participant"),
    "session": ("session", "recording", "session_id"),
    "start": ("start", "frame_start", "start_frame"),
    "end": ("end", "frame_end", "end_frame"),
    "fps": ("fps", "frame_rate", "framerate"),
    "member": ("sequence_id",),
}  # fmt: skip
_LARGEST = 256 << 20  #: bytes of a list
_LONGEST_LINE = 1 << 20


def find_list(root: Path) -> Path | None:
    """The one file in a folder that lists its recordings, or None.

    Raises:
        DataError: there are several.
    """
    lists = [
        path
        for path in sorted(root.iterdir())
        if path.is_file() and path.suffix.lower() in (".csv", ".tsv", ".json") and _lists(path)
    ]
    if len(lists) > 1:
        names = ", ".join(path.name for path in lists)
        raise DataError(
            f"{root} holds {len(lists)} lists of recordings ({names}); say which with --dataset.manifest FILE."
        )
    return lists[0] if lists else None


def _lists(path: Path) -> bool:
    """Whether a file lists recordings, by its first bytes."""
    with path.open("rb") as file:
        start = file.read(4096)
    if path.suffix.lower() == ".json":
        return b'"instances"' in start or b'"subset"' in start
    try:
        header = start.decode(text_encoding(path), errors="replace").splitlines()[:1]
    except LookupError:
        return False
    if not header:
        return False
    names = {cell.strip().lower() for cell in next(csv.reader(header, delimiter=csv_delimiter(header[0])), [])}
    return bool(names & set(COLUMNS["file"])) and bool(
        names & {*COLUMNS["gloss"], *COLUMNS["glosses"], *COLUMNS["split"]}
    )


def read_list(path: Path, root: Path) -> tuple[list[Entry], list[Finding]]:
    """The recordings that a file lists, which may be missing, and what is odd about the list.

    Raises:
        DataError: it cannot be read, is none of the forms, or names a path out of ``root``.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path} has {path.stat().st_size >> 20} MiB; a list of recordings has at most 256.")
        text = path.read_text(encoding=text_encoding(path))
    except (OSError, UnicodeError) as fault:
        raise DataError(
            f"{path} cannot be read ({fault}); expected a CSV or JSON file that lists recordings."
        ) from fault
    findings: list[Finding] = []
    is_json = text.lstrip()[:1] in ("{", "[")
    entries = _json(text, path, root) if is_json else list(_csv(text, path, root, findings))
    if not entries:
        raise DataError(f"{path} lists no recording; expected a line for each.")
    return _distinct(entries, path, findings), findings


def _distinct(entries: Sequence[Entry], path: Path, findings: list[Finding]) -> list[Entry]:
    """The entries, those of several parts of one file with ids of their own, and none twice.

    Raises:
        DataError: one recording has two glosses.
    """
    files = Counter(entry.id for entry in entries)
    distinct: dict[str, Entry] = {}
    twice = []
    for entry in entries:
        part = "" if (entry.start, entry.end) == (1, -1) or files[entry.id] == 1 else f":{entry.start}-{entry.end}"
        one = attrs.evolve(entry, id=f"{entry.id}{part}")
        first = distinct.setdefault(one.id, one)
        if first is one:
            continue
        if first.glosses != one.glosses:
            signs = [" ".join(e.glosses) or "nothing" for e in (first, one)]
            raise DataError(
                f"{first.where} and {one.where} list one recording, {one.id}, as {signs[0]!r} and {signs[1]!r}; leave "
                f"out one of them."
            )
        twice.append(one.id)
    if twice:
        text = f"{path.name} lists {len(twice)} recordings more than once ({shortened(twice)}); the first counts"
        findings.append(Finding("warning", "listed-twice", text))
    return list(distinct.values())


def _csv(text: str, path: Path, root: Path, findings: list[Finding]) -> Iterator[Entry]:
    if any(len(line) > _LONGEST_LINE for line in text.splitlines()):
        raise DataError(f"{path} has a line of more than {_LONGEST_LINE} characters; expected CSV.")
    sample = text[:65536]
    known = [name for names in COLUMNS.values() for name in names]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=csv_delimiter(sample, known))
    columns: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        where = f"{path}, line {number}"
        if not any(cell.strip() for cell in row):
            continue
        if not columns:
            names = [cell.strip().lower() for cell in row]
            if again := [name for name in dict.fromkeys(names) if name and names.count(name) > 1]:
                raise DataError(f"{where} has several columns called {', '.join(again)}; expected one of each name.")
            columns = {
                key: next(names.index(other) for other in others if other in names)
                for key, others in COLUMNS.items()
                if set(others) & set(names)
            }
            if "file" not in columns:
                raise DataError(
                    f"{where} has the columns {', '.join(names)[:200]}; expected a heading with one of "
                    f"{', '.join(COLUMNS['file'])}, and gloss, split, signer, start, end, fps where they are known."
                )
            findings += _unused(path, [name for place, name in enumerate(names) if place not in columns.values()])
            continue
        cells = {key: row[place].strip() for key, place in columns.items() if place < len(row) and row[place].strip()}
        if "file" not in cells:
            raise DataError(f"{where} names no file; expected one in column {columns['file'] + 1}.")
        yield _entry(cells, root, where)


def _unused(path: Path, names: Sequence[str]) -> list[Finding]:
    """Columns that nothing reads, with the name that was perhaps meant."""
    if not names:
        return []
    known = [name for others in COLUMNS.values() for name in others]
    near = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.7) for name in names}
    shown = [f"{name!r:.60} (did you mean {close[0]}?)" if close else f"{name!r:.60}" for name, close in near.items()]
    level = "warning" if any(near.values()) else "note"
    return [Finding(level, "columns-unused", f"columns of {path.name} that are not used: {shortened(shown)}")]


def _entry(cells: Mapping[str, Any], root: Path, where: str) -> Entry:
    """An entry of named values, each a text as it stands in the list."""
    name = str(cells["file"])
    gloss = (str(cells["gloss"]),) if "gloss" in cells else tuple(str(cells.get("glosses", "")).split())
    split = None
    if "split" in cells and (split := split_named(str(cells["split"]))) is None:
        raise DataError(f"{where} says split {str(cells['split'])!r:.60}; expected train, val or test.")
    return Entry(
        id=name if "member" not in cells else f"{name}:{cells['member']}",
        path=within(root, name, where),
        glosses=gloss,
        split=split,
        signer=metadata_text(cells.get("signer")),
        session=metadata_text(cells.get("session")),
        start=_number(cells, "start", 1, where),
        end=_number(cells, "end", -1, where),
        fps=_rate(cells, where),
        member=metadata_text(cells.get("member")),
        where=where,
    )


def _number(cells: Mapping[str, Any], key: str, default: int, where: str) -> int:
    if key not in cells:
        return default
    try:
        number = whole_number(cells[key])
    except ValueError:
        number = None
    if number is None or number < -1 or (key == "start" and number == 0):
        raise DataError(
            f"{where} says {key} {str(cells[key])!r:.40}; expected a frame counted from 1, or -1 for the last one."
        )
    return number or default


def _rate(cells: Mapping[str, Any], where: str) -> float | None:
    if "fps" not in cells:
        return None
    try:
        rate = float(cells["fps"])
    except (TypeError, ValueError):
        rate = 0.0
    if not 0 < rate <= 1000:
        raise DataError(f"{where} says fps {str(cells['fps'])!r:.40}; expected frames per second, such as 29.97.")
    return rate


def _json(text: str, path: Path, root: Path) -> list[Entry]:
    try:
        content = parse_json(text)
        reader: Callable[[Any, Path, Path], list[Entry]] = _nslt if isinstance(content, dict) else _wlasl
        return reader(content, path, root)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as fault:
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:200]
        raise DataError(
            f"{path} cannot be read as a list of recordings ({reason}); expected the layout of WLASL_v0.3.json, "
            f'[{{"gloss": …, "instances": [{{"video_id": …}}]}}], or of nslt_100.json, {{id: {{"subset", "action"}}}}.'
        ) from fault


def _wlasl(content: Sequence[Mapping[str, Any]], path: Path, root: Path) -> list[Entry]:
    entries = []
    for number, of_gloss in enumerate(content):
        for instance in of_gloss["instances"]:
            cells = {
                "file": instance["video_id"], "gloss": of_gloss["gloss"], "split": instance.get("split"),
                "signer": instance.get("signer_id"), "start": instance.get("frame_start"),
                "end": instance.get("frame_end"), "fps": instance.get("fps"),
            }  # fmt: skip
            one = _entry({k: v for k, v in cells.items() if v is not None}, root, f"{path}, entry {number}")
            entries.append(attrs.evolve(one, of_video=True))
    return entries


def _nslt(content: Mapping[str, Mapping[str, Any]], path: Path, root: Path) -> list[Entry]:
    """Ids with class numbers; their glosses stand in ``wlasl_class_list.txt`` beside the file."""
    names: dict[int, str] = {}
    classes = path.parent / "wlasl_class_list.txt"
    if classes.is_file():
        for line in classes.read_text(encoding=text_encoding(classes)).splitlines():
            number, _, gloss = line.strip().partition("\t")
            if number.isdecimal() and gloss.strip():
                names[int(number)] = gloss.strip()
    entries = []
    for clip, entry in content.items():
        label, start, end = (entry["action"] + [1, -1])[:3] if len(entry["action"]) < 3 else entry["action"]
        if names and label not in names:
            raise DataError(
                f"{path} gives {clip} the class {label}, which {classes.name} lacks; use the two of one release."
            )
        cells = {
            "file": clip,
            "gloss": names.get(label, f"#{label}"),
            "split": entry.get("subset"),
            "start": start,
            "end": end,
        }
        one = _entry({k: v for k, v in cells.items() if v is not None}, root, f"{path}, entry {clip}")
        entries.append(attrs.evolve(one, of_video=True))
    return entries
