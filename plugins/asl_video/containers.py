"""Which container a video file is, by its first bytes. Imports neither decoder nor detector."""

from __future__ import annotations

from pathlib import Path

from asl_core import DataError, recognise_file

__all__ = ["SUFFIXES", "container_of", "known_container", "missing_bytes"]

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def known_container(path: Path) -> str | None:
    """The decoder's name of a file's container, or None where it is none that is read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return None
    if start[4:8] in _ATOMS:
        return "mov"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "avi"
    return "matroska" if start[:4] == b"\x1a\x45\xdf\xa3" else None


def missing_bytes(path: Path, container: str) -> int:
    """Bytes that the boxes of an MP4, or the header of an AVI, declare beyond the end of the file."""
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        if container == "avi":
            return max(0, int.from_bytes(file.read(8)[4:], "little") + 8 - size)
        while container == "mov" and place + 8 <= size:
            file.seek(place)
            header = file.read(16)
            length = int.from_bytes(header[:4], "big")
            if length == 1:
                length = int.from_bytes(header[8:], "big")
            if length < 8:  # 0 is to the end; else it is no box, but something that was appended
                return 0
            place += length
    return max(0, place - size)


def container_of(path: Path) -> str:
    """The decoder's name of a file's container.

    Playlists and scripts, which make decoders open other files or the network, are none of them.

    Raises:
        DataError: it is missing, empty, or no video in a container that is read.
    """
    container = known_container(path)
    if container is not None:
        return container
    try:
        if not path.exists():
            raise DataError(f"{path} does not exist; expected a video file.")
        if not path.is_file():
            raise DataError(f"{path} is no regular file; expected a video file.")
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes); expected a video file. Download it again.")
        with path.open("rb") as file:
            file.read(1)
    except OSError as fault:
        raise DataError(f"{path} cannot be read ({fault.strerror or fault}); expected a video file.") from fault
    kind = recognise_file(path)
    what = "of an unknown kind" if kind is None else kind.what
    raise DataError(f"{path} is {what}; expected a video in an MP4, MOV, AVI, Matroska or WebM container.")
