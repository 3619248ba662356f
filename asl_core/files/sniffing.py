"""The kind of a file by its first kilobytes, and how to convert it; for error messages."""

from __future__ import annotations

import bz2
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import attrs

from asl_core.errors import as_word
from asl_core.files.arrays import NpyHeader, array_remedy, read_npy_header
from asl_core.files.text_files import csv_delimiter, text_encoding
from asl_core.text import shortened

__all__ = ["FileKind", "recognise_file"]

_START = 4096  #: bytes of a file, and of the content of a compressed one, that are examined
_PICKLE_DUMP = "pickle.dump({}, open(sys.argv[2], 'wb'))"


@attrs.frozen
class FileKind:
    """The kind of a file."""

    code: str  #: short and stable: ``gzip``, ``npy``, ``pickle``, ``csv``
    what: str  #: with an article
    remedy: str  #: what to type or do; a full sentence
    text: bool = False  #: whether it is plain text


def recognise_file(path: Path) -> FileKind | None:
    """The kind of a file by its first bytes; None where unknown or unreadable."""
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError:
        return None
    return _binary(start, path) or _text(start, path)


def python_line(code: str, path: Path, result: str) -> str:
    """A command that converts ``path`` to the new file ``result`` beside it."""
    return f'python -c "{code}" {as_word(path)} {as_word(path.with_name(result))}'


def _binary(start: bytes, path: Path) -> FileKind | None:
    for begins, code, module in _COMPRESSED:
        if start.startswith(begins) and (code != "zlib" or _peek(code, start)):
            return _compressed(code, module, start, path)
    if start.startswith(b"\x93NUMPY"):
        return _npy(path)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    if start[:1] == b"\x80" and start[1:2] <= b"\x08":
        if b"joblib" in start[:512]:
            return _joblib("a file of joblib", path)
        return FileKind("pickle", "a pickle", "Give it to a data set that reads pickles (wlasl).")
    for pattern, code, what, remedy in _MAGIC:
        if re.match(pattern, start, re.DOTALL):
            return FileKind(code, what, remedy)
    return None


_LANDMARKS = (
    "Extract landmarks as for the training clips, and save their features as a .npy of shape (frames, features)."
)
_EXTRACT = "Extract the landmarks of videos first: asl extract FOLDER --out landmarks (`asl help video`)."
_CONVERT = "Convert it to a pickle {id: array (frames, features)} with the program that reads it."
_UNPACK = "Unpack it first."
#: pattern of the first bytes, code, name, remedy
_MAGIC = (
    (rb".{4}ftyp(?!avif|heic|mif1)", "video", "a video (MP4 or MOV)", _EXTRACT),
    (rb"\x1aE\xdf\xa3", "video", "a video (WebM or Matroska)", _EXTRACT),
    (rb"RIFF.{4}AVI ", "video", "a video (AVI)", _EXTRACT),
    (rb"FLV\x01", "video", "a video (FLV)", _LANDMARKS),
    (rb"\x00\x00\x01[\xba\xb3]", "video", "a video (MPEG)", _LANDMARKS),
    (rb"OggS", "video", "a video or sound (Ogg)", _LANDMARKS),
    (rb"GIF8[79]a", "image", "an image (GIF)", _LANDMARKS),
    (rb"\x89PNG\r\n|\xff\xd8\xff|RIFF.{4}WEBP|BM.{8}\x00\x00", "image", "an image", _LANDMARKS),
    (rb"RIFF.{4}WAVE|ID3|fLaC", "sound", "a sound file", _LANDMARKS),
    (rb"\x89HDF\r\n", "hdf5", "an HDF5 file", _CONVERT),
    (rb"PAR1", "parquet", "a parquet table", _CONVERT),
    (rb"ARROW1", "arrow", "an Arrow table", _CONVERT),
    (rb"MATLAB 5\.0", "mat", "a file of MATLAB", _CONVERT),
    (rb"SQLite format 3", "sqlite", "an SQLite database", _CONVERT),
    (rb"\xcd\xcc(?:\xcc\x3d|\x4c\x3e)", "pose", "a .pose file", _CONVERT),
    (rb"\xd0\xcf\x11\xe0", "office", "a document or workbook of an older Office", "Save it as CSV UTF-8."),
    (rb"%PDF", "pdf", "a PDF", "Give the data file itself."),
    (rb".{257}ustar", "tar", "a tar archive", _UNPACK),
    (rb"7z\xbc\xaf", "7z", "a 7z archive", _UNPACK),
    (rb"Rar!", "rar", "a RAR archive", _UNPACK),
    (rb".{3}\x00\x00\x00\x00\x00\{", "safetensors", "a safetensors file", "It holds weights or packed clips."),
    (rb"version https://git-lfs", "lfs", "a Git LFS pointer", "Fetch the file itself with git lfs pull."),
    (rb"\s*<", "html", "a web page (HTML or XML), as a failed download leaves behind", "Download the file itself."),
)

#: first bytes, short name, Python's module
_COMPRESSED = (
    (b"\x1f\x8b", "gzip", "gzip"),
    (b"BZh", "bzip2", "bz2"),
    (b"\xfd7zXZ\x00", "xz", "lzma"),
    (b"\x5d\x00\x00", "lzma", "lzma"),
    (b"x\x01", "zlib", "zlib"),
    (b"x\x5e", "zlib", "zlib"),
    (b"x\x9c", "zlib", "zlib"),
    (b"x\xda", "zlib", "zlib"),
    (b"\x28\xb5\x2f\xfd", "zstd", ""),
    (b"\x04\x22\x4d\x18", "lz4", ""),
)
_PEEKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.decompressobj(31).decompress(data, _START),
    "zlib": lambda data: zlib.decompressobj().decompress(data, _START),
    "bzip2": lambda data: bz2.BZ2Decompressor().decompress(data, _START),
    "xz": lambda data: lzma.LZMADecompressor(memlimit=1 << 26).decompress(data, _START),
    "lzma": lambda data: lzma.LZMADecompressor(memlimit=1 << 26).decompress(data, _START),
}


def _peek(code: str, start: bytes) -> bytes:
    """The first bytes of the compressed content; empty where it cannot be unpacked."""
    if code not in _PEEKS:
        return b""
    try:
        return _PEEKS[code](start)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, MemoryError):
        return b""


def _compressed(code: str, module: str, start: bytes, path: Path) -> FileKind:
    inside = _peek(code, start)
    kind = _binary(inside, path) if inside[:2] not in (b"PK", b"\x93N") else None
    if kind is not None and kind.code == "joblib":
        return _joblib(f"a file of joblib ({code})", path)
    what = f"{'an' if code[0] in 'xl' else 'a'} {code} archive{f' of {kind.what}' if kind is not None else ''}"
    result = path.stem if path.suffix.lower() in (".gz", ".bz2", ".xz", ".lzma", ".z", ".zst", ".lz4") else None
    result = result or f"{path.stem}-unpacked{path.suffix}"
    if code == "zlib":
        line = "import sys, zlib; open(sys.argv[2], 'wb').write(zlib.decompress(open(sys.argv[1], 'rb').read()))"
    elif module:
        line = f"import {module}, shutil, sys; shutil.copyfileobj({module}.open(sys.argv[1]), open(sys.argv[2], 'wb'))"
    else:
        return FileKind(code, what, f"Unpack it first: {code} -d {as_word(path)}")
    return FileKind(code, what, f"Unpack it first: {python_line(line, path, result)}")


def _joblib(what: str, path: Path) -> FileKind:
    line = f"import joblib, pickle, sys; {_PICKLE_DUMP.format('joblib.load(sys.argv[1])')}"
    result = f"{path.stem}-plain.pkl"
    return FileKind("joblib", what, f"If you trust it, write it as a pickle: {python_line(line, path, result)}")


def _npy(path: Path) -> FileKind:
    header = read_npy_header(path)
    if not isinstance(header, NpyHeader):
        return FileKind("npy", "a .npy file that is damaged", "Write it again with numpy.save.")
    return FileKind("npy", f"a single .npy array of {header}", array_remedy(header, path))


def _zip(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        names = []
    arrays = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
    if arrays:
        shown = shortened(map(repr, arrays), 4)
        if len(arrays) == 1:
            line = f"import numpy, sys; numpy.save(sys.argv[2], numpy.load(sys.argv[1])[{arrays[0][:60]!r}])"
            remedy = f"Take the array out: {python_line(line, path, f'{path.stem}.npy')}"
        else:
            line = f"import numpy, pickle, sys; {_PICKLE_DUMP.format('dict(numpy.load(sys.argv[1]))')}"
            remedy = f"If each is a clip, write them as a pickle: {python_line(line, path, f'{path.stem}.pkl')}"
        return FileKind(
            "npz", f"a .npz file with {len(arrays)} {'array' if len(arrays) == 1 else 'arrays'} ({shown})", remedy
        )
    if any(name.endswith("/data.pkl") for name in names):
        return FileKind("torch", "a checkpoint of torch.save", "It holds weights: give it to --init, or asl inspect.")
    if any(name.startswith(("xl/", "word/")) for name in names):
        return FileKind("office", "a workbook or document of Office", "Save it as CSV UTF-8.")
    what = "a zip archive (an .npz file, or a checkpoint written by torch.save)" if not names else "a zip archive"
    return FileKind("zip", what, _UNPACK)


def _text(start: bytes, path: Path) -> FileKind | None:
    """JSON, CSV or another text."""
    try:
        encoding = text_encoding(path)
        text = start.decode(encoding, errors="ignore" if len(start) == _START else "strict")
    except (OSError, UnicodeError):
        return None
    if not text.strip() or any(not c.isprintable() and c not in "\n\r\t" for c in text):
        return None
    if text.lstrip()[0] in "{[":
        line = "import json, numpy, sys; numpy.save(sys.argv[2], numpy.array(json.load(open(sys.argv[1])), 'f4'))"
        remedy = f"If it is a list of frames, write them as an array: {python_line(line, path, f'{path.stem}.npy')}"
        return FileKind("json", "JSON text", remedy, text=True)
    delimiter = csv_delimiter(text)
    rows = [row.split(delimiter) for row in text.splitlines() if row.strip()]
    if len(rows[0]) > 1:
        heading = not _is_number(rows[0][0]) and not _is_number(rows[0][-1])
        read = f"numpy.loadtxt(sys.argv[1], 'f4', delimiter={delimiter!r}{', skiprows=1' if heading else ''})"
        line = f"import numpy, sys; numpy.save(sys.argv[2], {read})"
        remedy = f"If each line is a frame, write them as an array: {python_line(line, path, f'{path.stem}.npy')}"
        return FileKind("csv", f"CSV text of {len(rows[0])} columns", remedy, text=True)
    return FileKind("text", "plain text", "Give the data file itself.", text=True)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
