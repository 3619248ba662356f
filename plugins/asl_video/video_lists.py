"""Which videos there are and which sign each shows: folders named after signs, a CSV list, or WLASL's JSON."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core import (
    DataError,
    csv_delimiter,
    metadata_text,
    natural_order,
    parse_json,
    text_encoding,
    whole_number,
)  # fmt: skip
from asl_video.containers import SUFFIXES

__all__ = ["Entry", "VideoList", "list_videos"]

#: what is wanted -> names that columns have for it, in small letters
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "path", "filename", "file_name", "video", "video_path", "video_id", "name", "id", "clip"),
    "gloss": ("gloss", "sign", "label", "class", "word"),
    "split": ("split", "subset", "set"),
    "signer": ("signer", "signer_id", "participant_id", "speaker", "person", "participant"),
    "start": ("start", "frame_start", "start_frame"),
    "end": ("end", "frame_end", "end_frame"),
}
_LARGEST = 256 << 20  #: bytes of a list
_SPLITS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@attrs.frozen(kw_only=True)
class Entry:
    """A video, or a part of one, that shows a sign."""

    name: str  #: as the list or the folder has it
    video: Path | None  #: None where the file is missing
    gloss: str
    split: str | None = None
    signer: str | None = None
    start: int = 1  #: first frame, counted from 1
    end: int = -1  #: last frame; -1 is the last of the video


@attrs.frozen
class VideoList:
    """The videos to read, and how often an entry was listed twice."""

    entries: Sequence[Entry]
    repeated: Sequence[str] = ()


def list_videos(root: Path, listed: Path | None, *, whole: bool = False) -> VideoList:
    """The videos in a folder with their signs.

    Args:
        root: the folder.
        listed: file that lists them; None where folders are named after signs.
        whole: whether start and end in the list are passed over, since the videos are cut already.

    Raises:
        DataError: there is no video, or nothing says which sign one shows.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder; expected one of videos.")
    videos = sorted(_walk(root), key=lambda path: natural_order(str(path.relative_to(root))))
    if not videos:
        raise DataError(f"{root} holds no video; expected files that end in {', '.join(SUFFIXES)}.")
    entries = [_of_folder(root, path) for path in videos] if listed is None else list(_of_list(root, listed, videos))
    if whole:
        entries = [attrs.evolve(entry, start=1, end=-1) for entry in entries]
    unique = dict.fromkeys(entries)
    repeated, seen = [], set[Entry]()
    for entry in entries:
        if entry in seen:
            repeated.append(entry.name)
        seen.add(entry)
    return VideoList(list(unique), repeated)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            Path(folder, name) for name in files if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        )


def _of_folder(root: Path, path: Path) -> Entry:
    """``GLOSS/clip.mp4`` or ``SPLIT/GLOSS/clip.mp4``."""
    folders = path.relative_to(root).parts[:-1]
    split = _SPLITS.get(folders[0].lower()) if len(folders) > 1 else None
    if split is not None:
        folders = folders[1:]
    if not folders:
        raise DataError(
            f"nothing says which sign {path} shows; expected folders named after signs with videos in them, or a list "
            f"of the videos: --list FILE, a CSV with columns file and gloss, or WLASL's JSON."
        )
    return Entry(name=str(path.relative_to(root)), video=path, gloss=folders[0], split=split)


def _of_list(root: Path, listed: Path, videos: Sequence[Path]) -> Iterator[Entry]:
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in videos:
        relative = path.relative_to(root).as_posix()
        for name in {relative, relative.rpartition(".")[0], path.name, path.stem}:
            by_name[name].append(path)
    for where, cells in _rows(listed):
        name = str(cells["file"]).replace("\\", "/").removeprefix("./")
        if "gloss" not in cells:
            raise DataError(f"{where} says no gloss of {name!r:.100}; expected the sign that the video shows.")
        start, end = _frame(cells, "start", 1, where), _frame(cells, "end", -1, where)
        if end != -1 and end < start:
            raise DataError(
                f"{where} has start {start} after end {end}; expected frames counted from 1, end -1 for all."
            )
        split, paths = _split(cells, where), by_name.get(name, [])
        if len(paths) > 1:
            raise DataError(f"{where} names {name!r:.100}, which {len(paths)} videos in {root} are called.")
        yield Entry(
            name=name, video=paths[0] if paths else None, gloss=str(cells["gloss"]), split=split,
            signer=metadata_text(cells.get("signer")), start=start, end=end,
        )  # fmt: skip


def _rows(listed: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each row stands, and its values by the names of ``_COLUMNS``."""
    try:
        if listed.stat().st_size > _LARGEST:
            raise DataError(f"{listed} has {listed.stat().st_size >> 20} MiB; a list of videos has at most 256.")
        text = listed.read_text(encoding=text_encoding(listed))
    except (OSError, UnicodeError, LookupError) as fault:
        raise DataError(f"{listed} cannot be read ({fault}); expected a CSV or JSON file that lists videos.") from fault
    if text.lstrip()[:1] in ("[", "{"):
        yield from _wlasl(text, listed)
        return
    known = [name for names in _COLUMNS.values() for name in names]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=csv_delimiter(text[:65536], known))
    heading = [cell.strip().lower() for cell in next(rows, [])]
    columns = {
        key: next(heading.index(name) for name in names if name in heading)
        for key, names in _COLUMNS.items()
        if set(names) & set(heading)
    }
    if not {"file", "gloss"} <= columns.keys():
        raise DataError(
            f"{listed} has the columns {', '.join(heading)[:200]}; expected file and gloss, and split, signer, start, "
            f"end where they are known."
        )
    for number, row in enumerate(rows, start=2):
        cells = {key: row[n].strip() for key, n in columns.items() if n < len(row) and row[n].strip()}
        if cells:
            if "file" not in cells:
                raise DataError(f"{listed}, line {number} names no file.")
            yield f"{listed}, line {number}", cells


def _wlasl(text: str, listed: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        for sign in parse_json(text):
            for instance in sign["instances"]:
                cells = {
                    "file": instance["video_id"], "gloss": sign["gloss"], "split": instance.get("split"),
                    "signer": instance.get("signer_id"), "start": instance.get("frame_start"),
                    "end": instance.get("frame_end"),
                }  # fmt: skip
                yield f"{listed}, video {cells['file']}", {k: v for k, v in cells.items() if v is not None}
    except (KeyError, TypeError, ValueError, RecursionError) as fault:
        raise DataError(
            f"{listed} cannot be read as a list of videos ({type(fault).__name__}: {str(fault)[:200]}); expected the "
            f'layout of WLASL_v0.3.json, [{{"gloss": …, "instances": [{{"video_id": …}}]}}].'
        ) from fault


def _split(cells: Mapping[str, Any], where: str) -> str | None:
    if "split" not in cells:
        return None
    split = _SPLITS.get(str(cells["split"]).strip().lower())
    if split is None:
        raise DataError(f"{where} says split {str(cells['split'])!r:.60}; expected train, val or test.")
    return split


def _frame(cells: Mapping[str, Any], key: str, default: int, where: str) -> int:
    if key not in cells:
        return default
    try:
        number = whole_number(cells[key])
    except ValueError:
        number = None
    if number is None or number < -1:
        raise DataError(
            f"{where} says {key} {str(cells[key])!r:.40}; expected a frame counted from 1, or -1 for the last."
        )
    return number or default
