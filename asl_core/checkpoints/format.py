"""Our checkpoints: safetensors files with a JSON text in the header, written atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from asl_core.errors import CheckpointError
from asl_core.files.atomic import write_bytes
from asl_core.files.bounded import open_tensors, parse_json

__all__ = ["FORMAT", "DamagedError", "Saved", "is_whole", "load_tensors", "read_tensors", "save_tensors"]

FORMAT = 1  #: version of the header's JSON
_KEY = "asl"
_SUM = "checksum"
_REMEDY = "Use another of the run's checkpoints (final, best), or start a new run from its config.toml"


class DamagedError(CheckpointError):
    """A checkpoint is cut short, or its bytes have changed."""


@attrs.frozen(eq=False)
class Saved:
    """A checkpoint read back."""

    path: Path
    tensors: dict[str, Tensor]
    meta: dict[str, Any]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors named ``prefix.…``, without the prefix."""
        return {k.removeprefix(f"{prefix}."): v for k, v in self.tensors.items() if k.startswith(f"{prefix}.")}


def save_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON as one file; equal input gives equal bytes.

    Raises:
        RunError: it cannot be written; the former file is untouched.
    """
    # Copies: safetensors refuses tensors that share memory, as tied or flattened RNN weights do.
    ready = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in sorted(tensors.items())}
    described = {"format": FORMAT, **meta}
    # All in one JSON text: safetensors writes several texts of a header in no fixed order.
    header = {_KEY: json.dumps(described | {_SUM: _checksum(ready, described)}, sort_keys=True)}
    write_bytes(path, safetensors.torch.save(ready, metadata=header))


def load_tensors(path: Path) -> Saved:
    """Read a file of :func:`save_tensors`, and verify its checksum (early files have none).

    Raises:
        DamagedError: the file is cut short, or its bytes have changed.
        CheckpointError: the file is missing, or not one of ours.
    """
    tensors, header = read_tensors(path)
    try:
        meta = parse_json(header[_KEY])
        version = meta["format"]
    except (KeyError, TypeError, ValueError, RecursionError) as fault:
        raise CheckpointError(
            f"{path} holds tensors without the header that asl writes; expected a checkpoint of a run."
        ) from fault
    if version != FORMAT:
        raise CheckpointError(
            f"{path} is of checkpoint format {str(version)[:40]}, this asl reads {FORMAT}; use the asl that wrote it."
        )
    checksum = meta.pop(_SUM, None)
    if checksum is not None and checksum != _checksum(tensors, meta):
        raise DamagedError(
            f"{path} is damaged: its bytes are not those that were written (the checksum differs). {_REMEDY}; check "
            f"the disk."
        )
    return Saved(path, tensors, meta)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of any safetensors file, and the texts of its header.

    Raises:
        DamagedError: the file is cut short, or of another kind.
        CheckpointError: the file is missing.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; expected a run directory, or a .safetensors file of a run.")
    if str(path).encode(errors="replace").decode() != str(path):
        raise CheckpointError(
            f"{path} has bytes in its name that are not UTF-8, and safetensors opens no such file; rename the folder."
        )
    try:
        with open_tensors(path) as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    # torch itself fails on the shape of an empty tensor that no integer can hold.
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, RuntimeError, OverflowError) as fault:
        reason = str(fault).partition("\n")[0][:300]
        raise DamagedError(
            f"{path} cannot be read as a checkpoint ({reason}); expected a whole .safetensors file. {_REMEDY}."
        ) from fault


def is_whole(path: Path) -> bool:
    """Whether a checkpoint exists and is undamaged."""
    try:
        load_tensors(path)
    except CheckpointError:
        return False
    return True


def _checksum(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> str:
    """Of the JSON, and of the names, types, shapes and bytes of all tensors."""
    digest = hashlib.blake2b(json.dumps(meta, sort_keys=True).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as named tensors; its groups come from the configuration."""
    return {
        f"{number}.{key}": value
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of :func:`flatten_optimizer` on an AdamW over the same parameters.

    Raises:
        ValueError: the state is not of these parameters; torch would only fail at the next step.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, entry in state.items():
        if not 0 <= number < len(parameters) or entry.keys() != {"step", "exp_avg", "exp_avg_sq"}:
            raise ValueError(f"the optimiser's state of parameter {number} is not AdamW's")
        shape = parameters[number].shape
        if entry["step"].shape != () or entry["exp_avg"].shape != shape or entry["exp_avg_sq"].shape != shape:
            raise ValueError(f"the optimiser's state of parameter {number} has other shapes than the parameter")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
