"""Checkpoints: safetensors files with a JSON text in the header, written atomically."""

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

__all__ = ["FORMAT", "DamagedError", "Saved", "is_whole", "load_tensors", "save_tensors"]

FORMAT = 1  #: version of what the header's JSON holds
_KEY = "asl"
_SUM = "checksum"


class DamagedError(CheckpointError):
    """A checkpoint is not as it was written: cut short, or bytes of it changed."""


@attrs.frozen(eq=False)
class Saved:
    """A checkpoint read back."""

    path: Path
    tensors: dict[str, Tensor]
    meta: dict[str, Any]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with ``prefix.``, without it."""
        return {k.removeprefix(f"{prefix}."): v for k, v in self.tensors.items() if k.startswith(f"{prefix}.")}


def save_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON as one file; equal input gives equal bytes.

    Raises:
        RunError: it cannot be written; the file before it is untouched.
    """
    # Clones: safetensors refuses tensors that share memory, as tied or flattened RNN weights do.
    ready = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in sorted(tensors.items())}
    described = {"format": FORMAT, **meta}
    # Within the one JSON text: safetensors keeps several texts of a header in no order, and bytes would differ.
    header = {_KEY: json.dumps(described | {_SUM: _checksum(ready, described)}, sort_keys=True)}
    write_bytes(path, safetensors.torch.save(ready, metadata=header))


def load_tensors(path: Path) -> Saved:
    """Read what :func:`save_tensors` wrote, and hold it against its checksum (files of before there was one have none).

    Raises:
        DamagedError: the file is cut short, or bytes of it have changed.
        CheckpointError: the file is missing, or not one of ours.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; expected a run directory, or a .safetensors file of a run.")
    if str(path).encode(errors="replace").decode() != str(path):
        raise CheckpointError(
            f"{path} has bytes in its name that are not UTF-8, and safetensors opens no such file; rename the folder."
        )
    try:
        with open_tensors(path) as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    # torch itself fails on a shape of an empty tensor that no number can hold.
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, RuntimeError, OverflowError) as fault:
        reason = str(fault).partition("\n")[0][:300]
        raise DamagedError(
            f"{path} cannot be read as a checkpoint ({reason}); expected a .safetensors file of a run. If it was cut "
            f"short, use another of the run's checkpoints (final, best), or start a new run from its config.toml."
        ) from fault
    try:
        meta = parse_json(header[_KEY])
        version = meta["format"]
    except (KeyError, TypeError, ValueError, RecursionError) as fault:
        raise CheckpointError(
            f"{path} holds tensors but not what asl writes beside them; expected a checkpoint of a run."
        ) from fault
    if version != FORMAT:
        raise CheckpointError(
            f"{path} is of checkpoint format {str(version)[:40]}, this asl reads {FORMAT}; use the asl that wrote it."
        )
    found = meta.pop(_SUM, None)
    if found is not None and found != _checksum(tensors, meta):
        raise DamagedError(
            f"{path} is damaged: its bytes are not those that were written (the checksum differs). Use another of the "
            f"run's checkpoints (final, best), or start a new run from its config.toml; a disk that changes bytes "
            f"should be looked at."
        )
    return Saved(path, tensors, meta)


def is_whole(path: Path) -> bool:
    """Whether there is a checkpoint as it was written."""
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
    """An optimiser's state as named tensors; its groups are made anew from the configuration."""
    return {
        f"{number}.{key}": value
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of :func:`flatten_optimizer` on an AdamW over the same parameters.

    Raises:
        ValueError: the state is not of these parameters; torch would find out at the next step.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for place, found in state.items():
        if not 0 <= place < len(parameters) or found.keys() != {"step", "exp_avg", "exp_avg_sq"}:
            raise ValueError(f"the optimiser's state of parameter {place} is not AdamW's")
        shape = parameters[place].shape
        if found["step"].shape != () or found["exp_avg"].shape != shape or found["exp_avg_sq"].shape != shape:
            raise ValueError(f"the optimiser's state of parameter {place} has other shapes than the parameter")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
