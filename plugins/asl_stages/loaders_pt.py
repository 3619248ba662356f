"""Reading a ``.pt`` file as data: tensors and plain containers, no code, no more memory than the file has.

``torch.load(weights_only=True)`` runs nothing that a file names, but it names one refused thing at a time, and a
small file may still ask it for a buffer of any size or hold compressed zeros. So the archive and the names in its
pickle are looked at first, and torch reads only what passed.
"""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from asl_core import CheckpointError

__all__ = ["is_pt", "plain_facts", "read_pt", "strings_in", "tensors_under"]

_STARTS = {
    b"<": "a web page (HTML or XML), as a failed download leaves behind: download the file itself",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with git lfs pull",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"\x93NUMPY": "a .npy array",
    b"\x89HDF": "an HDF5 file, which torch does not write",
    b"{": "JSON text",
}
_MOST_INSTRUCTIONS = 1_000_000  #: some 30 a tensor, read in a second or two
_PICKLE_LIMIT = 1 << 26  #: bytes of names and numbers beside the tensors; real checkpoints have some 100 kB
_PLAIN = {
    "collections.OrderedDict", "collections.Counter", "builtins.set", "__builtin__.set", "torch.Size", "torch.device",
    "torch.nn.parameter.Parameter", "torch._utils._rebuild_parameter", "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
}  # fmt: skip


@attrs.frozen
class _Names:
    """What a pickle mentions, found without running it."""

    strings: frozenset[str]
    globals: frozenset[str]

    @property
    def refused(self) -> list[str]:
        """Those of the globals that plain tensors do not need."""
        return sorted(g for g in self.globals if g not in _PLAIN and not _is_kind(g))


def _is_kind(name: str) -> bool:
    """``torch.float32`` or ``torch.FloatStorage``: a kind of number, which cannot be made to allocate."""
    module, _, last = name.rpartition(".")
    if module != "torch":
        return False
    return isinstance(getattr(torch, last, None), torch.dtype) or (
        last.endswith("Storage") and last != "UntypedStorage"
    )


def is_pt(path: Path) -> bool:
    """Whether a file is a zip archive with a pickle in it, as torch.save writes."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _pickle_entry(archive) is not None
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def strings_in(path: Path) -> frozenset[str]:
    """Every text in a ``.pt`` file's pickle, which names its keys; empty where it is no such file."""
    try:
        with zipfile.ZipFile(path) as archive:
            described = _pickle_bytes(archive, path)
        with _quiet():
            return _names(described).strings
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, CheckpointError, RuntimeError):
        return frozenset()


def read_pt(path: Path) -> Any:
    """The content of a ``.pt`` file, on the CPU.

    Raises:
        CheckpointError: missing, damaged, not written by torch.save, or asking for anything but plain tensors,
            containers, numbers and text. The message names what was refused; nothing of the file was run.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            described = _pickle_bytes(archive, path)
        with _quiet():
            names = _names(described)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as fault:
        raise CheckpointError(_not_an_archive(path, fault)) from fault
    except (ValueError, EOFError) as fault:
        raise CheckpointError(
            f"{path} is damaged: the list of its tensors cannot be read ({_first_line(fault)}); copy it again."
        ) from fault
    if names.refused:
        raise CheckpointError(_refusal(path, names.refused))
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
    for name, tensor in _walk(content):
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise CheckpointError(
                f"{path} claims {tensor.numel():,} numbers for {name} and stores fewer; it is damaged, or the tensor "
                f"was expanded: save it again after .contiguous()."
            )
    return content


def _pickle_entry(archive: zipfile.ZipFile) -> zipfile.ZipInfo | None:
    """torch.save's ``NAME/data.pkl``."""
    return next(
        (i for i in archive.infolist() if i.filename.count("/") == 1 and i.filename.endswith("/data.pkl")), None
    )


def _pickle_bytes(archive: zipfile.ZipFile, path: Path) -> bytes:
    entry = _pickle_entry(archive)
    inside = [i.filename for i in archive.infolist()]
    if entry is None or any(n.endswith("/constants.pkl") for n in inside):
        what = "a TorchScript archive" if any("/code/" in n for n in inside) else "a zip archive of something else"
        shown = ", ".join(inside[:4]) or "nothing"
        raise CheckpointError(
            f"{path} is {what} (it holds {shown}{' …' if len(inside) > 4 else ''}); expected a checkpoint of "
            f"torch.save: save the module's state_dict()."
        )
    _refuse_inflated(archive, path)
    if entry.file_size > _PICKLE_LIMIT:
        raise CheckpointError(
            f"{path} has {entry.file_size:,} bytes of names beside its tensors, more than any checkpoint needs; save "
            f"its state dict alone."
        )
    return archive.read(entry)


def _refuse_inflated(archive: zipfile.ZipFile, path: Path) -> None:
    """torch.save compresses nothing, so an archive's parts together are no larger than the file."""
    size = path.stat().st_size
    parts = archive.infolist()
    claimed = sum(max(i.file_size, i.compress_size) for i in parts)  # zipfile makes room for the latter
    if any(i.compress_type != zipfile.ZIP_STORED for i in parts) or claimed > size:
        raise CheckpointError(
            f"{path} has {size:,} bytes and claims to hold {claimed:,}, compressed or overlapping, which torch.save "
            f"does not write; save the checkpoint again with torch.save, and do not zip it anew."
        )


def _instructions(data: bytes) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    """Those of a pickle, none carried out; it is damaged where they do not end soon."""
    for number, instruction in enumerate(pickletools.genops(data)):
        if number > _MOST_INSTRUCTIONS:
            raise ValueError(f"it has more than {_MOST_INSTRUCTIONS:,} instructions")
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
    names = ", ".join(refused[:8]) + (f" and {len(refused) - 8} more" if len(refused) > 8 else "")
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
            stop = next(at for code, _, at in _instructions(data) if code.name == "STOP")
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


def _walk(content: Any) -> Iterator[tuple[str, Tensor]]:
    """Every tensor with its dotted name; each container is visited once, since a pickle may hold one in itself."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            pairs = list(value.items() if isinstance(value, Mapping) else enumerate(value))
            waiting += [(f"{name}.{k}" if name else str(k), v) for k, v in reversed(pairs)]


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
