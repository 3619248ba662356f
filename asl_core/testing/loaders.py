"""What a checkpoint loader promises: its own files read, all others refused in words, nothing in any of them run."""

from __future__ import annotations

import pickle
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import torch

from asl_core.contracts import CheckpointLoader, Foreign
from asl_core.errors import CheckpointError
from asl_core.registry.component import Component
from asl_core.testing.checks import Bench, Checks, ContractError, SkippedCheck, hold, require
from asl_core.testing.components import COMPONENT_CHECKS

__all__ = ["LOADER_CHECKS", "LoaderBench", "check_checkpoint_loader"]

_SUFFIXES = (".pt", ".safetensors", ".npz", ".bin")


def check_checkpoint_loader(component: Component, *, sample: Path | None = None, **options: Any) -> None:
    """Every promise of a checkpoint loader; see :data:`LOADER_CHECKS`.

    Args:
        component: the loader.
        sample: a file that it reads; without one only refusals are tried.
        options: other than the defaults.

    Raises:
        ContractError: the first promise that is broken.
    """
    bench = LoaderBench(component, options, sample=sample)
    hold(COMPONENT_CHECKS, bench)
    hold(LOADER_CHECKS, bench)


@attrs.define(slots=False)
class LoaderBench(Bench):
    """A loader, built as ``factory(options)``."""

    sample: Path | None = attrs.field(default=None, kw_only=True)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings under which files of other kinds are offered to it."""
        own = (self.sample.suffix,) if self.sample is not None and self.sample.suffix else ()
        return tuple(dict.fromkeys((*own, *_SUFFIXES)))


def _builds(bench: LoaderBench) -> None:
    loader = bench.make()
    for name in ("recognises", "load"):
        require(callable(getattr(loader, name, None)), f"a {type(loader).__name__} has no method {name}")
    fallback = getattr(loader, "fallback", False)
    require(isinstance(fallback, bool), f"fallback is {fallback!r}; expected true or false")


def _strangers(bench: LoaderBench) -> str:
    """Files that are no checkpoints: recognised or not, never an exception but CheckpointError."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "folder.pt").mkdir()
        offered = [folder / "missing.pt", folder / "folder.pt"]
        contents = {"empty": b"", "text": b"epoch,loss\n1,0.5\n" * 40, "noise": bytes(range(7, 256, 3)) * 20}
        for suffix in bench.suffixes:
            for kind, content in contents.items():
                offered.append(folder / f"{kind}{suffix}")
                offered[-1].write_bytes(content)
            offered.append(folder / f"archive{suffix}")
            with zipfile.ZipFile(offered[-1], "w") as archive:
                archive.writestr("readme.txt", "nothing of use")
        for path in offered:
            _refused(bench.make(), path, path.name)
    return f"{len(offered)} files"


class _Marker:
    """When unpickled without care it makes a file, to show that code was run."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.path,)


def _hostile(bench: LoaderBench) -> None:
    """A pickle that calls a function: whatever the loader makes of it, the function is not called."""
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
                require(not marker.exists(), f"it ran code that a {suffix} file named: read pickles by an allow-list")


def _reads(bench: LoaderBench) -> str:
    if bench.sample is None:
        raise SkippedCheck(f"it needs a file of its own: give one with --sample {bench.component.name}=FILE")
    path = bench.sample
    require(bench.make().recognises(path) is True, f"it does not recognise {path.name}")
    one, two = bench.make().load(path), bench.make().load(path)
    require(isinstance(one, Foreign), f"load gives a {type(one).__name__}; expected a Foreign")
    require(one.tensors, f"{path.name} gives no tensor")
    odd = [k for k, v in one.tensors.items() if not isinstance(v, torch.Tensor)]
    require(not odd, f"{', '.join(map(str, odd))} of {path.name} is no tensor")
    require(one.source.strip(), "source is empty: the screen says what the file was taken for")
    same = list(one.tensors) == list(two.tensors)
    same = same and all(torch.equal(a, b) for a, b in zip(one.tensors.values(), two.tensors.values(), strict=True))
    require(same, f"{path.name} gives other tensors when read again")
    return f"{len(one.tensors)} tensors, {one.source}"


def _damaged(bench: LoaderBench) -> None:
    """Its own file, cut short."""
    if bench.sample is None or not bench.sample.is_file():
        raise SkippedCheck(f"it needs a file of its own: give one with --sample {bench.component.name}=FILE")
    content = bench.sample.read_bytes()
    with tempfile.TemporaryDirectory() as name:
        for share in (0.1, 0.5, 0.95):
            path = Path(name) / f"cut{bench.sample.suffix}"
            path.write_bytes(content[: int(share * len(content))])
            told = f"its own file cut to {share:.0%}"
            _refused(bench.make(), path, told)
            require(not _loaded(bench.make(), path), f"{told} is loaded as if it were whole")


def _refused(loader: CheckpointLoader, path: Path, told: str) -> None:
    """``recognises`` answers, and ``load`` ends in CheckpointError where it does not give tensors."""
    try:
        answer = loader.recognises(path)
    except Exception as fault:
        text = f"recognises({told}) raised {type(fault).__name__}: {fault}; it has to answer, whatever the file"
        raise ContractError(text) from fault
    require(isinstance(answer, bool), f"recognises({told}) gives {answer!r}; expected true or false")
    try:
        _loaded(loader, path)
    except Exception as fault:
        text = f"load({told}) raised {type(fault).__name__}: {fault}; expected CheckpointError, in words"
        raise ContractError(text) from fault


def _loaded(loader: CheckpointLoader, path: Path) -> bool:
    try:
        return bool(loader.load(path).tensors)
    except CheckpointError:
        return False


LOADER_CHECKS: Checks[LoaderBench] = {
    "builds": _builds,
    "strangers": _strangers,
    "hostile": _hostile,
    "reads": _reads,
    "damaged": _damaged,
}
