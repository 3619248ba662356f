"""Reading label files: CSV as spreadsheets write it, or JSON of three layouts, recognised by content."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core import DataError, csv_delimiter, metadata_text, parse_json, recognise_file, text_encoding
from asl_wlasl.fields import GLOSS_NAMES, ID_NAMES, SIGNER_NAMES, field_name
from asl_wlasl.labels import Labels

__all__ = ["parsed_json", "read_labels"]

_FORMS = (
    'Expected CSV lines "id,gloss" (commas, semicolons or tabs; a heading may name the columns), JSON {id: gloss}, or '
    'the layout of WLASL_v0.3.json: [{"gloss": …, "instances": [{"video_id": …}]}].'
)
_LONGEST_LINE = 1 << 20
_CELL_BYTES = 160  #: memory for a cell of the first line
_ROW_BYTES = 160  #: least memory for an id and its gloss


@attrs.frozen
class _Row:
    clip: str
    gloss: str | None
    signer: str | None
    where: str  #: "line 7", or the entry in JSON


def read_labels(path: Path, *, loose: bool = False) -> Labels:
    """A label file in any of its forms.

    Args:
        path: of the file.
        loose: whether ids that differ only in spelling are the same clip.

    Raises:
        DataError: not readable, none of the forms, or two glosses for one clip.
    """
    text, encoding = _text(path)
    notes = [] if encoding == "utf-8-sig" else [f"text in {encoding.upper()}"]
    json_text = text.lstrip()[:1] in ("{", "[")
    rows = _json_rows(text, path) if json_text else _csv_rows(text, path, notes)
    conflict, conflicts = "", 0
    signers: dict[str, str] = {}
    names: dict[str, str] = {}  # one string for all clips of a gloss
    glosses: dict[str, str] = {}
    blank: list[str] = []
    for row in rows:
        if row.gloss is None:
            blank.append(row.clip)
            continue
        gloss = glosses.setdefault(row.clip, names.setdefault(row.gloss, row.gloss))
        if gloss != row.gloss:
            both = f"{gloss!r:.80} and {row.gloss!r:.80}"
            conflict = conflict or f"clip {row.clip!r:.80} two glosses, {both} ({row.where:.80})"
            conflicts += 1
        if row.signer is not None:
            signers[row.clip] = row.signer
    if conflicts:
        more = f"; {conflicts - 1} more lines give another gloss than one before" if conflicts > 1 else ""
        raise DataError(f"{path} gives {conflict}{more}; expected one gloss for each. Remove the wrong lines.")
    blank = [clip for clip in dict.fromkeys(blank) if clip not in glosses]
    if not glosses:
        empty = f" Its {len(blank)} ids have an empty gloss (first {blank[0]!r:.80})." if blank else ""
        raise DataError(f"{path} labels no clip.{empty} {_FORMS}")
    return Labels(path, glosses, signers, tuple(blank), tuple(notes), loose)


def _text(path: Path) -> tuple[str, str]:
    try:
        if path.is_file() and (kind := recognise_file(path)) is not None and not kind.text:
            raise DataError(f"{path} is {kind.what}, and no label file. {kind.remedy} {_FORMS}")
        encoding = text_encoding(path)
        return path.read_text(encoding=encoding), encoding
    except (OSError, UnicodeError) as fault:
        raise DataError(
            f"{path} cannot be read as UTF-8 or UTF-16 text ({fault}): save it as UTF-8 (spreadsheets call it CSV "
            f"UTF-8). {_FORMS}"
        ) from fault


def parsed_json(text: str) -> Any:
    """Parsed JSON, unless it would take far more memory than the text.

    Raises:
        ValueError: not JSON, one key with two values, or millions of empty lists.
    """
    return parse_json(text, _unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        for key, value in pairs:
            if made[key] != value:
                raise ValueError(f"it gives {key!r} two values, {str(value)[:60]!r} and {str(made[key])[:60]!r}")
    return made


def _json_rows(text: str, path: Path) -> list[_Row]:
    try:
        content = parsed_json(text)
    except (ValueError, RecursionError) as fault:
        raise DataError(f"{path} is no valid JSON ({str(fault)[:300]}). {_FORMS}") from fault
    try:
        if isinstance(content, dict):
            return [_json_row(clip, value, f"{clip!r}") for clip, value in content.items()]
        return [row for index, entry in enumerate(content) for row in _json_entry(entry, index)]
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        reason = f"{type(fault).__name__}: {str(fault)[:300]}"
        raise DataError(f"{path} is JSON of another layout ({reason}). {_FORMS}") from fault


def _json_entry(entry: Mapping[str, Any], index: int) -> Iterator[_Row]:
    """Rows of an entry of a list: WLASL's of one gloss, or a flat one of one clip."""
    where = f"entry {index}"
    if "instances" not in entry:
        fields = {field_name(key): value for key, value in entry.items()}
        clip = next((fields[name] for name in ID_NAMES if name in fields), None)
        if clip is None:
            raise KeyError("instances")
        yield _json_row(str(clip), entry, where)
        return
    gloss = _gloss(entry["gloss"], where)
    for one in entry["instances"]:
        yield _Row(str(one["video_id"]), gloss, _signer(one.get("signer_id")), f"{where}, {one['video_id']!r}")


def _json_row(clip: str, value: object, where: str) -> _Row:
    """A row from the value of a clip's id: its gloss, or a table with its gloss."""
    if not isinstance(value, Mapping):
        return _Row(str(clip), _gloss(value, where), None, where)
    fields = {field_name(str(key)): inner for key, inner in value.items()}
    name = next((name for name in GLOSS_NAMES if isinstance(fields.get(name), str)), None)
    if name is None:
        raise TypeError(f"{where} has a table without a gloss: {', '.join(sorted(fields))[:200] or 'it is empty'}")
    signer = next((fields[name] for name in SIGNER_NAMES if name in fields), None)
    return _Row(str(clip), _gloss(fields[name], where), _signer(signer), where)


def _gloss(value: object, where: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{where} has a {type(value).__name__} where a gloss belongs")
    return (value or "").strip() or None


def _signer(value: object) -> str | None:
    """As text; None for a value of another type, since signers are only reported."""
    try:
        return metadata_text(value)
    except ValueError:
        return None


def _csv_rows(text: str, path: Path, notes: list[str]) -> Iterator[_Row]:
    if _ROW_BYTES * text.count("\n") > (48 << 20) + 7 * len(text):
        raise DataError(
            f"{path} has {text.count(chr(10)):,} lines of a few letters each, more than memory should hold."
        )
    delimiter = csv_delimiter(text[: 1 << 16], {*ID_NAMES, *GLOSS_NAMES})
    widest = max((line.count(delimiter) for line in io.StringIO(text)), default=0)
    if _CELL_BYTES * widest > 16 << 20:
        raise DataError(f"{path} has a line of {widest:,} columns, and no label file has as many. {_FORMS}")
    lines = _csv_lines(text, path, delimiter)
    if text[:4].lower() == "sep=":
        next(lines)
    columns: _Columns | None = None
    for number, row in lines:
        if not any(cell.strip() for cell in row):
            continue
        if columns is None:
            columns, heading = _Columns.of(row, path, number, text, delimiter)
            if delimiter != ",":
                notes.append(f"columns separated by {'tabs' if delimiter == chr(9) else repr(delimiter)}")
            notes += columns.notes
            if heading:
                continue
        if len(row) != columns.width or not row[columns.clip].strip():
            raise DataError(
                f"{path}, line {number}: {len(row)} columns, or an empty id; expected {columns.width} columns as in "
                f"the first line. {_FORMS}"
            )
        signer = row[columns.signer] if columns.signer is not None else None
        yield _Row(row[columns.clip].strip(), row[columns.gloss].strip() or None, _signer(signer), f"line {number}")


@attrs.frozen
class _Columns:
    """Which column holds what."""

    clip: int
    gloss: int
    signer: int | None
    width: int
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: Sequence[str], path: Path, line: int, text: str, delimiter: str) -> tuple[_Columns, bool]:
        """From the first line, and whether that is a heading."""
        names = [field_name(cell) for cell in row]
        ids = [names.index(name) for name in ID_NAMES if name in names]
        labels = [names.index(name) for name in GLOSS_NAMES if name in names]
        if len(names) == 2 and names[1] == "gloss" and not ids:
            ids = [0]
        if ids and (labels := [column for column in labels if column != ids[0]]):
            gloss = _fullest(labels, text, path, delimiter)
            signer = next((names.index(name) for name in SIGNER_NAMES if name in names), None)
            notes = []
            if names[gloss] != "gloss" or len(labels) > 1:
                others = ", ".join(repr(row[column].strip()) for column in labels if column != gloss)
                notes.append(f"glosses from column {row[gloss].strip()!r}{f', not {others}' if others else ''}")
            return cls(ids[0], gloss, signer, len(row), tuple(notes)), True
        if len(row) != 2:
            raise DataError(
                f"{path}, line {line}: {len(row)} columns{' and no heading that names them' if len(row) > 2 else ''}. "
                f"{'Put a line such as id,gloss,signer on top. ' if len(row) > 2 else ''}{_FORMS}"
            )
        return cls(0, 1, None, 2), False


def _fullest(columns: Sequence[int], text: str, path: Path, delimiter: str) -> int:
    """The column with the most words, of several that may hold glosses; the first of equals."""
    if len(columns) == 1:
        return columns[0]
    words = dict.fromkeys(columns, 0)
    for _, row in _csv_lines(text[: 1 << 20], path, delimiter):
        for column in columns:
            cell = row[column].strip() if column < len(row) else ""
            words[column] += bool(cell) and not cell.replace(".", "").isdigit()
    return max(columns, key=lambda column: words[column])


def _csv_lines(text: str, path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(text, path), delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as fault:
        raise DataError(f"{path} is no valid CSV ({fault}). {_FORMS}") from fault


def _lines(text: str, path: Path) -> Iterator[str]:
    """Lines of at most a megabyte: a longer one could hold a million cells."""
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > _LONGEST_LINE:
            raise DataError(f"{path}, line {number}: it has {len(line):,} characters, far more than a label. {_FORMS}")
        yield line
