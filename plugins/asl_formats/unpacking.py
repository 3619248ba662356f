"""Compressed files, unpacked as far as such a file may reach and no further."""

from __future__ import annotations

import zlib
from pathlib import Path

__all__ = ["GZIP", "peek", "unpacked"]

GZIP = b"\x1f\x8b"
_SPARE, _TIMES = 16 << 20, 20  #: bytes that a file may unpack to, and for each of its own
_PEEK = 1 << 16  #: bytes from the start that tell what a file is


def peek(path: Path) -> bytes:
    """The first bytes of what a file holds, unpacked where it is gzip; empty where they cannot be had."""
    try:
        with path.open("rb") as file:
            start = file.read(_PEEK)
        return zlib.decompressobj(31).decompress(start, _PEEK) if start.startswith(GZIP) else start
    except (OSError, zlib.error):
        return b""


def unpacked(path: Path) -> bytes:
    """All that a file holds, unpacked where it is gzip.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, cut short, or unpacks to far more than its size.
    """
    data = path.read_bytes()
    if not data.startswith(GZIP):
        return data
    limit = _SPARE + _TIMES * len(data)
    parts: list[bytes] = []
    size = 0
    try:
        while data:  # a file may be several archives one after the other
            reader = zlib.decompressobj(31)
            parts.append(reader.decompress(data, limit - size + 1))
            size += len(parts[-1])
            if size > limit:
                raise ValueError(f"it unpacks to more than {limit >> 20} MiB, which no such file does")
            if not reader.eof:
                raise ValueError("its archive ends before it should")
            data = reader.unused_data.lstrip(b"\0")
    except zlib.error as fault:
        raise ValueError(f"its archive is damaged ({fault})") from fault
    return b"".join(parts)
