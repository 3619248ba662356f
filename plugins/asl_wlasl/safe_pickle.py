"""Reading a pickle as data: plain containers, numbers, text and numpy arrays, and nothing that runs."""

from __future__ import annotations

from pathlib import Path

from asl_core import DataError
from asl_wlasl.instructions import INSTRUCTIONS
from asl_wlasl.machine import Machine
from asl_wlasl.stand_ins import Refused

__all__ = ["read_pickle"]

_KNOWN_STARTS = {
    b"PK\x03\x04": "a zip archive (an .npz file, or a checkpoint written by torch.save)",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"\x93NUMPY": "a single .npy array",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with git lfs pull",
    b"<": "a web page (HTML or XML), as a failed download leaves behind",
    b"{": "JSON text",
}


def read_pickle(path: Path) -> object:
    """What a pickle holds, without running anything that is in it.

    Arrays come out as read-only views of the file's bytes, so reading needs little more memory than the file has;
    byte strings come out as memoryviews, and numpy scalars as Python's.

    Args:
        path: a pickle of protocol 0 to 5, written under numpy 1 or 2.

    Raises:
        DataError: the file cannot be read, is damaged or no pickle, or asks for more than plain data.
    """
    data = _bytes_of(path)
    machine = Machine(data)
    try:
        return machine.run(INSTRUCTIONS)
    except Refused as refused:
        raise DataError(
            f"{path} holds {refused} (near byte {machine.at}). Nothing in it was run. Expected a pickle of plain "
            "dicts, lists, text, numbers and numpy arrays of numbers: if you trust the file, load it where it was "
            "written and export it again with plain containers only."
        ) from refused
    except Exception as fault:  # whatever a damaged file leads to ends as the one error that callers know
        raise DataError(
            f"{path} is damaged or no pickle: reading stopped at byte {machine.at} of {len(data)} "
            f"({type(fault).__name__}: {str(fault)[:120]}). Expected a pickle of clips; copy or export it again."
        ) from fault


def _bytes_of(path: Path) -> bytes:
    """The whole file, where it may be a pickle at all."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path} cannot be read (it is no file); expected a pickle of clips. Check the path.")
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise DataError(
            f"{path} cannot be read ({fault.strerror or fault}); expected a pickle of clips. Check the path."
        ) from fault
    if not data:
        raise DataError(f"{path} is empty (0 bytes); expected a pickle of clips. Export or download it again.")
    for start, what in _KNOWN_STARTS.items():
        if data.startswith(start):
            raise DataError(f"{path} is not a pickle but {what}; expected a pickle of clips. Check the path.")
    return data
