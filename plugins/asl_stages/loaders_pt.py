"""Reading a ``.pt`` file as data: tensors and plain containers, no code, no more memory than the file has.

``torch.load(weights_only=True)`` runs nothing that a file names, but it names one refused thing at a time, and a
small file may still take it any time and memory. So the archive is read strictly (:mod:`asl_stages.archive`), the
names in its pickle are looked at, its instructions are counted (:mod:`asl_stages.pt_check`), and torch reads only what
passed.
"""

from __future__ import annotations

import pickle
import pickletools
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from asl_core import CheckpointError, PickleRefused, shortened
from asl_stages.archive import Archive, ArchiveError, OddArchiveError, names_in, open_archive
from asl_stages.pt_check import PLAIN, check_pickle, is_kind

__all__ = ["is_pt", "plain_facts", "read_pt", "strings_in", "tensors_under"]

_STARTS = {
    b"<": "a web page (HTML or XML), as a failed download leaves behind: download the file itself",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with git lfs pull",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"\x93NUMPY": "a .npy array",
    b"\x89HDF": "an HDF5 file, which torch does not write",
    b"{": "JSON text",
}
_MOST_INSTRUCTIONS = 500_000  #: some 30 a tensor, read in a second or two
_PICKLE_LIMIT = 1 << 26  #: bytes of names and numbers beside the tensors; real checkpoints have some 100 kB
_DEEPEST = 50  #: containers in containers
_LONGEST_KEY = 400  #: characters of a key, as a part of a name
_ROOM_FOR_NAMES = 24 << 20  #: bytes of the dotted names of all tensors


@attrs.frozen
class _Names:
    """What a pickle mentions, found without running it."""

    strings: frozenset[str]
    globals: frozenset[str]

    @property
    def refused(self) -> list[str]:
        """Those of the globals that plain tensors do not need."""
        return sorted(g for g in self.globals if g not in PLAIN and not is_kind(g))


def is_pt(path: Path) -> bool:
    """Whether a file is an archive with a pickle in it, as torch.save writes."""
    try:
        return "data.pkl" in open_archive(path).entries
    except (OSError, ValueError):
        return False


def strings_in(path: Path) -> frozenset[str]:
    """Every text in a ``.pt`` file's pickle, which names its keys; empty where it is no such file."""
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
            containers, numbers and text. The message names what was refused; nothing of the file was run.
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
    except Exception as fault:  # whatever a damaged archive leads torch to ends as the one error that callers know
        raise CheckpointError(
            f"{path} is damaged, or no checkpoint of torch.save ({_first_line(fault)}); copy or download it again."
        ) from fault
    _check_tensors(content, path)
    return content


def _check_tensors(content: Any, path: Path) -> None:
    """Each has its own numbers, and all have names of a bearable length."""
    try:
        for name, tensor in _walk(content):
            if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
                raise CheckpointError(
                    f"{path} claims {tensor.numel():,} numbers for {name} and stores fewer; it is damaged, or the "
                    f"tensor was expanded: save it again after .contiguous()."
                )
    except _TangledError as fault:
        raise CheckpointError(f"{path} {fault}; save its state dict alone.") from fault


def _damaged(path: Path, fault: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged: the list of its tensors cannot be read ({_first_line(fault)}); copy it again."
    )


def _archive(path: Path) -> Archive:
    """The archive, with a message for whatever else the file is."""
    try:
        archive = open_archive(path)
    except OddArchiveError as fault:
        # Compressed, or zipped anew: what it holds may still say that it is something else altogether.
        raise CheckpointError(
            _other_archive(path)
            or f"{path} is a zip archive that torch.save does not write: {_first_line(fault)}. Save the checkpoint "
            f"again with torch.save, and do not zip it anew."
        ) from fault
    except (OSError, ArchiveError) as fault:
        raise CheckpointError(_not_an_archive(path, fault)) from fault
    told = _other_archive(path)
    if told:
        raise CheckpointError(told)
    return archive


def _other_archive(path: Path) -> str:
    """What a zip archive is that is no checkpoint; nothing where it has the parts of one, or none can be told."""
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
            f"{archive.path} has {entry.size:,} bytes of names beside its tensors, more than any checkpoint needs; "
            f"save its state dict alone."
        )
    return archive.read("data.pkl")


def _instructions(data: bytes, most: int | None = None) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    """Those of a pickle, none carried out; it is damaged where they do not end soon."""
    most = _MOST_INSTRUCTIONS if most is None else most
    for number, instruction in enumerate(pickletools.genops(data)):
        if number > most:
            raise ValueError(f"it has more than {most:,} instructions")
        yield instruction


def _quiet() -> AbstractContextManager[Any]:
    """Texts of Python 2 with odd escapes are read without a warning."""
    return warnings.catch_warnings(action="ignore")


def _names(data: bytes) -> _Names:
    """Texts and globals of a pickle; newer ones push a global's two names, which are followed through the memo."""
    strings: set[str] = set()
    found: set[str] = set()
    memo: dict[int, str] = {}
    recent: list[str] = []
    memoized = 0
    for code, argument, _ in _instructions(data):
        if code.name in ("GLOBAL", "INST"):
            found.add(str(argument).replace(" ", "."))
        elif code.name == "STACK_GLOBAL":
            found.add(".".join(recent[-2:]) or "an unnamed global")
        elif code.name in ("EXT1", "EXT2", "EXT4"):
            found.add(f"extension {argument}")
        elif isinstance(argument, str):
            strings.add(argument)
            recent = [*recent[-1:], argument]
        elif code.name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            if recent:
                memo[memoized if argument is None else argument] = recent[-1]
            memoized += 1
        elif code.name in ("BINGET", "LONG_BINGET") and argument in memo:
            recent = [*recent[-1:], memo[argument]]
    return _Names(frozenset(strings), frozenset(found))


def _refusal(path: Path, refused: list[str]) -> str:
    names = shortened(refused, 8)
    return (
        f"{path} holds more than tensors and plain values: it asks for {names}. Nothing in it was run. If you trust "
        f"its source, save the weights alone where it was written: torch.save(model.state_dict(), FILE), with metrics "
        f"as plain numbers."
    )


def _not_an_archive(path: Path, fault: Exception) -> str:
    """What a file is that is not a readable zip archive."""
    try:
        with path.open("rb") as file:
            # No more than there is: Python makes room for all that is asked for.
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
    what = next((text for begin, text in _STARTS.items() if start.lstrip().startswith(begin)), "of an unknown kind")
    return f"{path} is no checkpoint of torch.save but {what}."


def _pickles(data: bytes, most: int = 8) -> Iterator[_Names]:
    """The first pickles of a file that holds several, one after another."""
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


def tensors_under(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """All tensors in nested dicts and lists under dotted names, without those of optimisers and schedules."""
    return dict(_walk({k: v for k, v in content.items() if not _is_state_of_training(k)}))


class _TangledError(Exception):
    """The names of a file's tensors would take far more room than any checkpoint's."""


def _walk(content: Any) -> Iterator[tuple[str, Tensor]]:
    """Every tensor with its dotted name; each container is visited once, since a pickle may hold one in itself.

    Raises:
        _TangledError: containers stand in containers very deep, or one tensor has very many names.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, int, Any]] = [("", 0, content)]
    room = _ROOM_FOR_NAMES
    while waiting:
        name, depth, value = waiting.pop()
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
            inner = [(k, v) for k, v in pairs if isinstance(v, Tensor | Mapping | list | tuple)]
            room -= len(inner) * (100 + len(name))
            if inner and (depth > _DEEPEST or room < 0):
                raise _TangledError("nests its contents deeper, or repeats them more often, than any checkpoint does")
            waiting += [(f"{name}.{_key(k)}" if name else _key(k), depth + 1, v) for k, v in reversed(inner)]


def _key(key: Any) -> str:
    text = str(key)
    return text if len(text) <= _LONGEST_KEY else f"{text[:_LONGEST_KEY]}…"


def _is_state_of_training(key: Any) -> bool:
    return isinstance(key, str) and ("optim" in key.lower() or "sched" in key.lower())


def plain_facts(content: Mapping[Any, Any]) -> dict[str, Any]:
    """The numbers and texts of a checkpoint's top level, with small tables and the last entry of long lists."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if _is_state_of_training(key) or key in ("gloss_to_id", "id_to_gloss"):
            continue
        if _is_plain(value):
            found[str(key)] = value
        elif isinstance(value, list) and value and (_is_plain(value[-1]) or _is_table(value[-1])):
            found[f"{key} (last of {len(value)})"] = value[-1]
        elif _is_table(value):
            found[str(key)] = {str(k): v if _is_plain(v) else str(v)[:80] for k, v in value.items()}
    return found


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200)


def _is_table(value: Any) -> bool:
    def leaf(v: Any) -> bool:
        return _is_plain(v) or (isinstance(v, list | tuple) and len(v) <= 8 and all(_is_plain(x) for x in v))

    return (
        isinstance(value, Mapping)
        and 0 < len(value) <= 64
        and all(isinstance(k, str) and leaf(v) for k, v in value.items())
    )
