"""Checkpoints: safetensors files with a JSON text in the header, written atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from asl_core.atomic import write_bytes
from asl_core.errors import CheckpointError

__all__ = ["FORMAT", "Saved", "load_tensors", "save_tensors"]

FORMAT = 1  #: version of what the header's JSON holds
_KEY = "asl"


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
    header = {_KEY: json.dumps({"format": FORMAT, **meta}, sort_keys=True)}
    # Clones: safetensors refuses tensors that share memory, as tied or flattened RNN weights do.
    ready = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in sorted(tensors.items())}
    write_bytes(path, safetensors.torch.save(ready, metadata=header))


def load_tensors(path: Path) -> Saved:
    """Read what :func:`save_tensors` wrote.

    Raises:
        CheckpointError: the file is missing, damaged, or not one of ours.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; expected a run directory, or a .safetensors file of a run.")
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, safetensors.SafetensorError, ValueError) as fault:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({fault}); expected a .safetensors file of a run. If it was cut "
            f"short, use another of the run's checkpoints (final, best), or start a new run from its config.toml."
        ) from fault
    try:
        meta = json.loads(header[_KEY])
        version = meta["format"]
    except (KeyError, TypeError, ValueError, RecursionError) as fault:
        raise CheckpointError(
            f"{path} holds tensors but not what asl writes beside them; expected a checkpoint of a run."
        ) from fault
    if version != FORMAT:
        raise CheckpointError(
            f"{path} is of checkpoint format {version}, this asl reads {FORMAT}; use the asl that wrote it."
        )
    return Saved(path, tensors, meta)


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as named tensors; its groups are made anew from the configuration."""
    return {
        f"{number}.{key}": value
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of :func:`flatten_optimizer` on an optimiser over the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
