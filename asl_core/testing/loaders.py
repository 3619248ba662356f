"""Checks of checkpoint loaders: their own files read, others refused with CheckpointError, and no code in them run."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import torch

from asl_core.contracts import CheckpointLoader, Foreign
from asl_core.errors import CheckpointError
from asl_core.registry.component import Component
from asl_core.testing.checks import Checks, ContractError, SkippedCheck, require
from asl_core.testing.components import hold_all
from asl_core.testing.other_files import FileBench, cut_copies, other_files, recognised

__all__ = ["LOADER_CHECKS", "LoaderBench", "check_checkpoint_loader"]

_SUFFIXES = (".pt", ".safetensors", ".npz", ".bin")


def check_checkpoint_loader(component: Component, *, sample: Path | None = None, **options: Any) -> None:
    """Check a checkpoint loader against its contract.

    Args:
        component: the loader.
        sample: a file that it reads; without one only refusals are checked.
        options: other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold_all(LOADER_CHECKS, LoaderBench(component, options, sample=sample))


@attrs.define(slots=False)
class LoaderBench(FileBench):
    """A loader, built as ``factory(options)``."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of the files that it must refuse."""
        own = (self.sample.suffix,) if self.sample is not None and self.sample.suffix else ()
        return tuple(dict.fromkeys((*own, *_SUFFIXES)))


def _builds(bench: LoaderBench) -> None:
    """factory(options) returns an object with recognises(path) and load(path); fallback, if any, is a bool."""
    loader = bench.make()
    for name in ("recognises", "load"):
        require(callable(getattr(loader, name, None)), f"a {type(loader).__name__} has no method {name}")
    fallback = getattr(loader, "fallback", False)
    require(isinstance(fallback, bool), f"fallback is {fallback!r}; expected True or False")


def _other_files(bench: LoaderBench) -> str:
    """``recognises`` answers for any file, and ``load`` raises CheckpointError for one that is no checkpoint."""
    with other_files(bench.suffixes) as paths:
        for path in paths:
            recognised(bench.make(), path)
            _loads(bench.make(), path, path.name)
    return f"{len(paths)} files"


class _Marker:
    """Creates a file when it is unpickled without care, to show that code was run."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.path,)


def _hostile(bench: LoaderBench) -> None:
    """A function named in a pickle is never called, whatever the loader makes of the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        marker = folder / "was-run"
        content = {"state_dict": {"layer.weight": torch.zeros(2, 2)}, "epoch": _Marker(marker)}
        for suffix in bench.suffixes:
            plain, archive = folder / f"plain{suffix}", folder / f"archive{suffix}"
            plain.write_bytes(pickle.dumps(content))
            torch.save(content, archive)
            for path in (plain, archive):
                loader = bench.make()
                try:
                    if loader.recognises(path):
                        loader.load(path)
                except CheckpointError:
                    pass
                require(
                    not marker.exists(),
                    f"it ran code that a {suffix} file named: read with torch.load(weights_only=True) or read_pickle",
                )


def _reads(bench: LoaderBench) -> str:
    """Its own file is recognised and gives the same tensors each time, with a description of its source."""
    path = bench.path
    require(bench.make().recognises(path) is True, f"it does not recognise {path.name}")
    one, two = bench.make().load(path), bench.make().load(path)
    require(isinstance(one, Foreign), f"load gives a {type(one).__name__}; expected an asl_core.Foreign")
    require(one.tensors, f"{path.name} gives no tensor")
    others = [k for k, v in one.tensors.items() if not isinstance(v, torch.Tensor)]
    require(not others, f"{', '.join(map(str, others))} of {path.name} is no tensor")
    require(one.source.strip(), "source is empty: describe the kind of file, which is shown before a run")
    same = list(one.tensors) == list(two.tensors)
    same = same and all(torch.equal(a, b) for a, b in zip(one.tensors.values(), two.tensors.values(), strict=True))
    require(same, f"{path.name} gives other tensors when read again")
    return f"{len(one.tensors)} tensors, {one.source}"


def _damaged(bench: LoaderBench) -> None:
    """A copy of its own file that is cut short is refused with CheckpointError."""
    if not bench.path.is_file():
        raise SkippedCheck("its sample is no file; only files are cut short")
    with cut_copies(bench.path) as copies:
        for copy, description in copies:
            recognised(bench.make(), copy)
            loaded = _loads(bench.make(), copy, description)
            require(not loaded, f"{description} is loaded as if it were whole: check its size or a checksum")


def _loads(loader: CheckpointLoader, path: Path, description: str) -> bool:
    """Whether ``load`` gives tensors rather than CheckpointError."""
    try:
        return bool(loader.load(path).tensors)
    except CheckpointError:
        return False
    except Exception as fault:
        text = f"load({description}) raised {type(fault).__name__}: {fault}; expected CheckpointError with what to do"
        raise ContractError(text) from fault


LOADER_CHECKS: Checks[LoaderBench] = {
    "builds": _builds,
    "other files": _other_files,
    "hostile": _hostile,
    "reads": _reads,
    "damaged": _damaged,
}
