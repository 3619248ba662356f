"""Strict reading of torch.save's zip archives, so that every reader of such a file sees the same bytes.

A zip archive may name an entry twice, hold another directory in a comment, give one size in its directory and another
at the entry, or begin in the middle of the file. Python and torch then read different content, and checking one does
not check the other. torch.save writes none of that, so it is refused.
"""

from __future__ import annotations

import os
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import attrs

__all__ = ["Archive", "ArchiveError", "Entry", "OddArchiveError", "open_archive"]

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL, _FULL16 = 0xFFFF_FFFF, 0xFFFF  #: the value is in the 64-bit record instead
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_MOST = 200_000  #: entries; torch.save writes one per tensor


class ArchiveError(ValueError):
    """The file is no complete zip archive; the text says where it ends early or contradicts itself."""


class OddArchiveError(ValueError):
    """An archive that torch.save does not write; the text says why."""


@attrs.frozen
class Entry:
    """An uncompressed part of the archive."""

    name: str
    start: int  #: byte of the file at which its content begins
    size: int
    crc: int


@attrs.frozen
class Archive:
    """A checked archive of torch.save: parts with unique names, without overlap or compression."""

    path: Path
    folder: str  #: the first part of every name
    entries: dict[str, Entry]  #: by what follows it, ``data.pkl`` or ``data/0``

    def read(self, name: str) -> bytes:
        """The content of a part.

        Raises:
            ArchiveError: its checksum is wrong.
        """
        entry = self.entries[name]
        with self.path.open("rb") as file:
            file.seek(entry.start)
            content = file.read(entry.size)
        if len(content) != entry.size or zlib.crc32(content) != entry.crc:
            raise ArchiveError(f"the checksum of its part {name} is wrong")
        return content


@attrs.frozen
class _Row:
    """An entry of the directory."""

    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    at: int  #: byte of its local header


def names_in(path: Path) -> list[str]:
    """The names in any zip archive's directory, for messages; empty without a directory."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return [row.raw.decode("utf-8", "replace") for row in _rows(file, size)]
    except (OSError, ValueError, struct.error):
        return []


def open_archive(path: Path) -> Archive:
    """Read the directory and every entry's own header, and compare them.

    Raises:
        ArchiveError: it is no zip archive, or damaged.
        OddArchiveError: torch.save does not write such archives.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            rows = list(_rows(file, size))
            _refuse_names([row.raw for row in rows])
            entries = [_entry(file, row, size) for row in rows]
    except struct.error as fault:
        raise ArchiveError(f"a part of its directory is cut short ({fault})") from fault
    end = 0
    for row, entry in sorted(zip(rows, entries, strict=True), key=lambda pair: pair[0].at):
        if row.at < end or (end == 0 and row.at != 0):
            raise OddArchiveError(f"its parts overlap, or something stands before the first ({entry.name[:80]})")
        end = entry.start + entry.size
    folder = entries[0].name.partition("/")[0] if entries else ""
    if any(not e.name.startswith(f"{folder}/") for e in entries):
        raise OddArchiveError("its parts are not all in one folder")
    return Archive(path, folder, {e.name.removeprefix(f"{folder}/"): e for e in entries})


def _rows(file: IO[bytes], size: int) -> Iterator[_Row]:
    """The directory, which has to be at the end of the file."""
    count, start, length = _directory(file, size)
    if count > _MOST:
        raise OddArchiveError(f"it has {count:,} parts")
    file.seek(start)
    table = file.read(length)
    at = 0
    for _ in range(count):
        (magic, _, _, flags, method, _, _, crc, packed, full, names, extras, comment, disk, _, _, place) = (
            _CENTRAL.unpack_from(table, at)
        )
        if magic != b"PK\x01\x02":
            raise ArchiveError("its directory is damaged")
        at += _CENTRAL.size
        raw, extra = table[at : at + names], table[at + names : at + names + extras]
        at += names + extras + comment
        if at > length or disk not in (0, _FULL16):
            raise ArchiveError("its directory is damaged")
        full, packed, place = _wide(extra, full, packed, place)
        yield _Row(raw, flags, method, crc, packed, full, place)
    if at != length:
        raise OddArchiveError("its directory lists other parts than it counts")


def _directory(file: IO[bytes], size: int) -> tuple[int, int, int]:
    """``(entries, first byte, bytes)`` of the directory.

    Readers search backwards for its end record, and find different ones where there are two; here it has to be the end
    of the file, with the 64-bit record right before it.
    """
    if size < _END.size:
        raise ArchiveError("its end is missing")
    file.seek(max(0, size - _END.size - _LOCATOR.size))
    tail = file.read(_END.size + _LOCATOR.size)
    magic, disk, first, here, count, length, start, comment = _END.unpack(tail[-_END.size :])
    if magic != b"PK\x05\x06" or comment:
        raise ArchiveError("the record that ends every zip archive is not at its end")
    end = size - _END.size
    if tail[: -_END.size][:4] == b"PK\x06\x07" and len(tail) == _END.size + _LOCATOR.size:
        end -= _LOCATOR.size + _END64.size
        if end < 0 or _LOCATOR.unpack(tail[: _LOCATOR.size])[1:] != (0, end, 1):
            raise OddArchiveError("its 64-bit directory is not where its end says")
        file.seek(end)
        magic, room, _, _, disk64, first64, here64, count64, length64, start64 = _END64.unpack(file.read(_END64.size))
        narrow = (
            (here, here64, _FULL16),
            (count, count64, _FULL16),
            (length, length64, _FULL),
            (start, start64, _FULL),
        )
        if magic != b"PK\x06\x06" or room != _END64.size - 12 or any(n not in (w, full) for n, w, full in narrow):
            raise OddArchiveError("its two directories contradict each other")
        disk, first, here, count, length, start = disk64, first64, here64, count64, length64, start64
    if disk or first or here != count or start + length != end:
        raise ArchiveError("its directory is not where its end says")
    return count, start, length


def _wide(extra: bytes, full: int, packed: int, place: int) -> tuple[int, int, int]:
    """Sizes and offset, 64-bit ones from the extra field."""
    values, fields = [full, packed, place], []
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if length > len(extra) - 4:
            raise ArchiveError("its directory is damaged")
        if kind == 1:
            fields.append(extra[4 : 4 + length])
        extra = extra[4 + length :]
    if len(fields) > 1:
        raise OddArchiveError("a part has two 64-bit sizes")
    rest = fields[0] if fields else b""
    for number, value in enumerate(values):
        if value == _FULL:
            values[number] = struct.unpack_from("<Q", rest)[0]
            rest = rest[8:]
    return values[0], values[1], values[2]


def _refuse_names(raws: list[bytes]) -> None:
    """Refuse names that occur twice, or that readers may understand differently; torch ignores case."""
    known: set[str] = set()
    for raw in raws:
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError as fault:
            raise OddArchiveError("a part has a name that is not UTF-8") from fault
        parts = name.split("/")
        if not name.isprintable() or "\\" in name or any(part in ("", ".", "..") for part in parts):
            raise OddArchiveError(f"a part has the name {name[:80]!a}")
        plain = unicodedata.normalize("NFC", name).casefold()
        if plain in known:
            raise OddArchiveError(
                f"it holds {name[:80]!a} twice, or names that differ from it only in case or separators, and readers "
                f"differ in which one they take"
            )
        known.add(plain)


def _entry(file: IO[bytes], row: _Row, size: int) -> Entry:
    """An entry, its own header compared with the directory."""
    name = row.raw.decode("utf-8")
    if row.method or row.packed != row.size:
        raise OddArchiveError(f"its part {name[:80]} is compressed")
    file.seek(row.at)
    magic, _, flags, method, _, _, crc, packed, full, names, extras = _LOCAL.unpack(file.read(_LOCAL.size))
    start = row.at + _LOCAL.size + names + extras
    if magic != b"PK\x03\x04" or start + row.size > size:
        raise ArchiveError(f"its part {name[:80]} is not where its directory says")
    # Sizes come after the content where it was written as a stream; 64-bit ones are in the extra field.
    matches = (crc in (0, row.crc), packed in (0, row.size, _FULL), full in (0, row.size, _FULL))
    if file.read(names) != row.raw or method or not all(matches) or (flags | row.flags) & _ENCRYPTED:
        raise OddArchiveError(f"its part {name[:80]} contradicts the directory")
    return Entry(name, start, row.size, row.crc)
