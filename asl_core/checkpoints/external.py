"""External checkpoints: choosing the loader for a file, and reading it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from torch import Tensor

from asl_core.checkpoints.transfer import Named, TransferPlan, rename
from asl_core.config.runs import nearest_run, out_folder
from asl_core.contracts import Foreign
from asl_core.errors import CheckpointError, ConfigError, nearest
from asl_core.files.paths import of_curriculum
from asl_core.registry.component import Offer, Registry
from asl_core.registry.installed import current_name

__all__ = ["Checkpoint", "best_reading", "encoder_flags", "named", "read_checkpoint"]

_SLOT = "checkpoint-loader"


@attrs.frozen(eq=False)
class Checkpoint:
    """The content of a file, and the loader that read it."""

    path: Path
    loader: str
    foreign: Foreign


def read_checkpoint(text: str, registry: Registry, folders: Sequence[str | os.PathLike[str]] = ()) -> Checkpoint:
    """Read ``PATH`` by the loader that recognises it, or ``LOADER:PATH`` by that one.

    Args:
        text: the path, or loader and path.
        registry: holds the loaders.
        folders: of runs, to look up a run by its name (default: ``run.out``).

    Raises:
        CheckpointError: the file is missing, or no loader reads it.
        ConfigError: the loader's name is unknown.
    """
    offer, path = _named_loader(text, registry)
    if offer is None or offer.component.name == "run":
        path = _among_runs(path, folders)
    if not os.path.exists(path):  # noqa: PTH110 - a name that no file can have does not raise here
        raise CheckpointError(
            f"checkpoint {path} does not exist; expected a file such as checkpoint_best.pt, or a run directory"
            f"{nearest_run(path, Path(folders[0]) if folders else out_folder()) or '.'}"
        )
    if (hint := of_curriculum(path, "asl inspect {}")) is not None:
        raise CheckpointError(hint)
    offer = offer or _recognising(path, registry)
    name = registry.name_of(offer)
    foreign: Foreign = offer.component.load()(offer.component.options()).load(path)
    return Checkpoint(path, name, foreign)


def _named_loader(text: str, registry: Registry) -> tuple[Offer | None, Path]:
    """``(loader or None, path)``.

    A Windows path such as ``C:/x.pt`` names no loader; ``dist:name:PATH`` names one of that distribution.
    """
    parts = text.split(":")
    for count in (2, 1):
        name, rest = ":".join(parts[:count]), ":".join(parts[count:])
        known = {n for o in registry.slot(_SLOT) for n in (o.component.name, o.qualified)}
        if rest and (name in known or current_name(name) in known):
            return registry.find(_SLOT, name), Path(rest)
    path = Path(text)
    if len(parts) > 1 and re.fullmatch(r"[A-Za-z0-9-]{2,}", parts[0]) and not os.path.exists(path):  # noqa: PTH110
        known = {registry.name_of(o) for o in registry.slot(_SLOT)}
        raise ConfigError(
            [f"--init {text}: neither a file nor a {_SLOT} {parts[0]!r} exists{nearest(parts[0], known)}"]
        )
    return None, path


def _among_runs(path: Path, folders: Sequence[str | os.PathLike[str]]) -> Path:
    """The run of this name, where no such path exists."""
    if path.is_absolute() or os.path.exists(path):  # noqa: PTH110
        return path
    runs = (Path(folder) / path for folder in folders or (out_folder(),))
    return next((run for run in runs if os.path.exists(run)), path)  # noqa: PTH110


def _recognising(path: Path, registry: Registry) -> Offer:
    """The only loader that recognises this file; fallback loaders, for files of any content, come last."""
    offers: dict[bool, list[Offer]] = {False: [], True: []}
    broken = []
    for offer in registry.slot(_SLOT):
        try:
            loader = offer.component.load()(offer.component.options())
            if loader.recognises(path):
                offers[getattr(loader, "fallback", False)].append(offer)
        except Exception as fault:  # a third-party loader: its fault must not hide the others
            broken.append(f"{offer.qualified} failed ({type(fault).__name__}: {fault})")
    takers = offers[False] or offers[True]
    names = [registry.name_of(o) for o in takers]
    if len(takers) > 1:
        raise CheckpointError(
            f"{path} is recognised by {len(takers)} loaders; say which: "
            + " or ".join(f"--init {n}:{path}" for n in names)
        )
    if not takers:
        loaders = ", ".join(registry.name_of(o) for o in registry.slot(_SLOT)) or "none is installed"
        raise CheckpointError(
            f"{path} is no checkpoint that a loader recognises ({loaders}){''.join(f'; {b}' for b in broken)}; "
            f"expected a .pt file of torch.save, a .safetensors file or a run directory. --init LOADER:PATH says what "
            f"is wrong."
        )
    return takers[0]


def best_reading(
    checkpoint: Checkpoint, encoder: Sequence[Named], rules: Sequence[str]
) -> tuple[Checkpoint, dict[str, Tensor]]:
    """The reading of a checkpoint that covers most of an encoder, with its renamed tensors; of equals the first.

    Args:
        checkpoint: as its loader read it.
        encoder: names and shapes of the encoder's tensors.
        rules: of ``--init.map``; a reading without a match for each is left out.

    Raises:
        CheckpointError: the rules fit no reading.
    """
    best: tuple[int, Foreign, dict[str, Tensor]] | None = None
    refused: CheckpointError | None = None
    for foreign in (checkpoint.foreign, *checkpoint.foreign.alternatives):
        try:
            tensors = rename(foreign.tensors, rules)
        except CheckpointError as fault:
            refused = refused or fault
            continue
        covered = TransferPlan.of(named(tensors), encoder).covered
        if best is None or covered > best[0]:
            best = (covered, foreign, tensors)
    if best is None:
        raise refused or CheckpointError(f"{checkpoint.path} holds no tensors.")
    return attrs.evolve(checkpoint, foreign=best[1]), best[2]


def named(tensors: Mapping[str, Tensor]) -> list[Named]:
    """Names and shapes."""
    return [(name, tuple(tensor.shape)) for name, tensor in tensors.items()]


def encoder_flags(foreign: Foreign) -> str | None:
    """Flags of the encoder that the weights fit, where the loader knows it."""
    if foreign.encoder is None:
        return None
    return " ".join(
        [f"--encoder {foreign.encoder}", *(f"--encoder.{k} {_text(v)}" for k, v in foreign.settings.items())]
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
