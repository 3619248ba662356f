"""Reading a ``.pt`` file as data: tensors and plain containers, no code, no more memory than the file has.

``torch.load(weights_only=True)`` runs no code, but it reports one blocked global at a time, and a small file may still
cost it any time and memory. So the archive is read strictly (:mod:`asl_stages.archive`), the globals of its pickle are
collected, its instructions are counted (:mod:`asl_stages.pt_check`), and torch reads only what passed.
"""

from __future__ import annotations

import pickle
import pickletools
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import attrs
import torch

from asl_core import CheckpointError, PickleRefused, recognise_file, shortened
from asl_stages.archive import Archive, ArchiveError, OddArchiveError, names_in, open_archive
from asl_stages.content import TangledError, named_tensors
from asl_stages.pt_check import PLAIN, check_pickle, is_kind

__all__ = ["is_pt", "read_pt", "strings_in"]

_MOST_INSTRUCTIONS = 500_000  #: some 30 per tensor, read in a second or two
_PICKLE_LIMIT = 1 << 26  #: bytes of names and values besides the tensors; real checkpoints have some 100 kB
#: kinds of files whose remedy is not about clips: failed downloads and archives
_PACKED = ("html", "lfs", "gzip", "bzip2", "xz", "lzma", "zlib", "zstd", "lz4", "tar", "7z", "rar")


@attrs.frozen
class _Names:
    """Texts and globals of a pickle, collected without running it."""

    strings: frozenset[str]
    globals: frozenset[str]

    @property
    def refused(self) -> list[str]:
        """The globals that plain tensors do not need."""
        return sorted(g for g in self.globals if g not in PLAIN and not is_kind(g))


def is_pt(path: Path) -> bool:
    """Whether a file is an archive with a pickle in it, as torch.save writes."""
    try:
        return "data.pkl" in open_archive(path).entries
    except (OSError, ValueError):
        return False


def strings_in(path: Path) -> frozenset[str]:
    """Every text in a ``.pt`` file's pickle, among them its keys; empty where it is no such file."""
    try:
        described = _pickle_bytes(open_archive(path))
        with _quiet():
            return _names(described).strings
    except (OSError, ValueError, CheckpointError):
        return frozenset()


def read_pt(path: Path) -> Any:
    """The content of a ``.pt`` file, on the CPU.

    Raises:
        CheckpointError: missing, damaged, not written by torch.save, or asking for anything but plain tensors,
            containers, numbers and text. The message names it; nothing of the file was run.
    """
    archive = _archive(path)
    try:
        described = _pickle_bytes(archive)
        with _quiet():
            refused_names = _names(described).refused
    except (OSError, ValueError, EOFError) as fault:
        raise _damaged(path, fault) from fault
    if refused_names:
        raise CheckpointError(_refusal(path, refused_names))
    try:
        check_pickle(described, archive)
    except PickleRefused as refused:
        raise CheckpointError(
            f"{path} is damaged, or was made to harm: its list of tensors holds {refused}. Nothing in it was run; "
            f"expected tensors, containers, numbers and text as torch.save writes them by default."
        ) from refused
    except Exception as fault:  # a damaged pickle fails in many ways
        raise _damaged(path, fault) from fault
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as fault:
        raise CheckpointError(
            f"{path} is refused by torch's weights-only reader ({_first_line(fault)}), and nothing in it was run; "
            f"expected tensors, containers, numbers and text as torch.save writes them by default."
        ) from fault
    except Exception as fault:  # torch fails on damaged archives in many ways
        raise CheckpointError(
            f"{path} is damaged, or no checkpoint of torch.save ({_first_line(fault)}); copy or download it again."
        ) from fault
    _check_tensors(content, path)
    return content


def _check_tensors(content: Any, path: Path) -> None:
    """Refuse tensors larger than their storages, and names of an unbearable length."""
    try:
        for name, tensor in named_tensors(content):
            if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
                raise CheckpointError(
                    f"{path} claims {tensor.numel():,} values for {name} and stores fewer; it is damaged, or the "
                    f"tensor was expanded: save it again after .contiguous()."
                )
    except TangledError as fault:
        raise CheckpointError(f"{path} {fault}; save its state dict alone.") from fault


def _damaged(path: Path, fault: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged: the list of its tensors cannot be read ({_first_line(fault)}); copy it again."
    )


def _archive(path: Path) -> Archive:
    """Open the archive; a message says what any other file is."""
    try:
        archive = open_archive(path)
    except OddArchiveError as fault:
        # Compressed, or zipped anew: its names may still show that it is something else altogether.
        raise CheckpointError(
            _other_archive(path)
            or f"{path} is a zip archive that torch.save does not write: {_first_line(fault)}. Save the checkpoint "
            f"again with torch.save, and do not zip it anew."
        ) from fault
    except (OSError, ArchiveError) as fault:
        raise CheckpointError(_not_an_archive(path, fault)) from fault
    if other := _other_archive(path):
        raise CheckpointError(other)
    return archive


def _other_archive(path: Path) -> str:
    """What a zip archive is that is no checkpoint; empty for a checkpoint, or where the names cannot be read."""
    inside = names_in(path)
    if not inside:
        return ""
    is_checkpoint = any(n.count("/") == 1 and n.endswith("/data.pkl") for n in inside)
    if is_checkpoint and not any(n.endswith("/constants.pkl") for n in inside):
        return ""
    what = "a TorchScript archive" if any("/code/" in n for n in inside) else "a zip archive of something else"
    shown = ", ".join(ascii(n[:80])[1:-1] for n in inside[:4]) or "nothing"
    return (
        f"{path} is {what} (it holds {shown}{' …' if len(inside) > 4 else ''}); expected a checkpoint of torch.save: "
        f"save the module's state_dict()."
    )


def _pickle_bytes(archive: Archive) -> bytes:
    entry = archive.entries.get("data.pkl")
    if entry is None:
        raise ArchiveError("it holds no list of tensors, data.pkl")
    if entry.size > _PICKLE_LIMIT:
        raise CheckpointError(
            f"{archive.path} has {entry.size:,} bytes of names besides its tensors, more than any checkpoint needs; "
            f"save its state dict alone."
        )
    return archive.read("data.pkl")


def _instructions(data: bytes, most: int | None = None) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    """The instructions of a pickle, not executed; too many of them are an error."""
    most = _MOST_INSTRUCTIONS if most is None else most
    for number, instruction in enumerate(pickletools.genops(data)):
        if number > most:
            raise ValueError(f"it has more than {most:,} instructions")
        yield instruction


def _quiet() -> AbstractContextManager[Any]:
    """No warning about odd escapes in texts of Python 2."""
    return warnings.catch_warnings(action="ignore")


def _names(data: bytes) -> _Names:
    """Texts and globals of a pickle; newer protocols push a global's two names, here followed through the memo."""
    strings: set[str] = set()
    globals_: set[str] = set()
    memo: dict[int, str] = {}
    recent: list[str] = []
    memoized = 0
    for code, argument, _ in _instructions(data):
        if code.name in ("GLOBAL", "INST"):
            globals_.add(str(argument).replace(" ", "."))
        elif code.name == "STACK_GLOBAL":
            globals_.add(".".join(recent[-2:]) or "an unnamed global")
        elif code.name in ("EXT1", "EXT2", "EXT4"):
            globals_.add(f"extension {argument}")
        elif isinstance(argument, str):
            strings.add(argument)
            recent = [*recent[-1:], argument]
        elif code.name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            if recent:
                memo[memoized if argument is None else argument] = recent[-1]
            memoized += 1
        elif code.name in ("BINGET", "LONG_BINGET") and argument in memo:
            recent = [*recent[-1:], memo[argument]]
    return _Names(frozenset(strings), frozenset(globals_))


def _refusal(path: Path, refused: list[str]) -> str:
    names = shortened(refused, 8)
    return (
        f"{path} holds more than tensors and plain values: {names}. Nothing in it was run. If you trust its source, "
        f"save the weights alone where it was written: torch.save(model.state_dict(), FILE), with metrics as plain "
        f"numbers."
    )


def _not_an_archive(path: Path, fault: Exception) -> str:
    """What a file is that cannot be read as a zip archive."""
    try:
        with path.open("rb") as file:
            # At most the file's size: Python allocates the whole request.
            start = file.read(min(_PICKLE_LIMIT, path.stat().st_size))
    except OSError as broken:
        return f"{path} cannot be read ({broken.strerror or broken}); expected a checkpoint file of torch.save."
    if not start:
        return f"{path} is empty (0 bytes); expected a checkpoint of torch.save. Copy or download it again."
    if start.startswith(b"PK"):
        return (
            f"{path} is cut short or damaged: it begins as torch.save's archives do, and its end is missing "
            f"({_first_line(fault)}). Copy or download it again."
        )
    if start.startswith(b"\x80") or start[-1:] == b".":
        with _quiet():
            refused = sorted({g for names in _pickles(start) for g in names.refused})
        if refused:
            return _refusal(path, refused)
        return (
            f"{path} is a bare pickle, not an archive of torch.save from version 1.6 on. Nothing in it was run. Save "
            f"it again where it is trusted: torch.save(torch.load(FILE, weights_only=True), NEW)."
        )
    kind = recognise_file(path)
    if kind is None:
        return f"{path} is no checkpoint of torch.save, but of an unknown kind."
    remedy = f" {kind.remedy}" if kind.code in _PACKED else ""
    return f"{path} is no checkpoint of torch.save but {kind.what}.{remedy}"


def _pickles(data: bytes, most: int = 8) -> Iterator[_Names]:
    """The first pickles of a file that holds several."""
    for _ in range(most):
        try:
            stop = next(at for code, _, at in _instructions(data, _MOST_INSTRUCTIONS // most) if code.name == "STOP")
            yield _names(data[: (stop or 0) + 1])
        except (ValueError, StopIteration, IndexError):
            return
        data = data[(stop or 0) + 1 :]


def _first_line(fault: Exception) -> str:
    text = " ".join(str(fault).split()) or type(fault).__name__
    for noise in ("Weights only load failed.", "WeightsUnpickler error:"):
        text = text.rpartition(noise)[2].strip() or text
    return text[:160]
