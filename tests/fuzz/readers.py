"""The readers that are fuzzed: their valid files, how these are changed, and the ways in which asl reads them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from random import Random

import attrs

from asl_core.evaluation.reading import read_npy
from asl_core.registry.component import SLOTS
from fuzz import bundle, formats, packs, seeds
from fuzz.guard import Way
from fuzz.mutate_pickle import mutate_pickle
from fuzz.mutate_tensors import mutate_npy, mutate_pt, mutate_safetensors
from fuzz.mutate_text import mutate_labels, mutate_toml
from fuzz.ways import (
    any_state_dict,
    best_model,
    clips,
    compared,
    curriculum_file,
    final_model,
    inspected,
    label_file,
    model,
    packed,
    plugins,
    read,
    recipe,
    resumed,
    settings,
    stage_of_curriculum,
    trainer,
    vocabulary,
)  # fmt: skip

__all__ = ["READERS", "Reader", "warm_up"]


def _write(name: str, data: bytes, folder: Path) -> Path:
    path = folder / name
    path.unlink(missing_ok=True)  # some file systems flush a file that is written over
    path.write_bytes(data)
    return path


@attrs.frozen(kw_only=True)
class Reader:
    """One reader under test."""

    name: str
    ways: tuple[Way, ...]
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[bytes, Random], bytes]
    beyond: tuple[str, ...]  #: ``module:name`` of functions that are called only when the header was read
    file: str = ""  #: the name under which an input is read
    lay_out: Callable[[bytes, Path], Path] | None = None  #: for inputs that are folders
    size: Callable[[bytes], int] = len
    every: bool = False  #: whether it is accepted only where all ways accept it
    times: int = 10  #: bytes of memory for each of the input, beyond 64 MB
    ready: Callable[[], None] | None = None  #: called before each input, outside the guard

    def place(self, data: bytes, folder: Path) -> Path:
        """Write an input where it is to be read."""
        return self.lay_out(data, folder) if self.lay_out else _write(self.file, data, folder)


READERS = {
    reader.name: reader
    for reader in (
        Reader(
            name="pickle", file="clips.pkl", ways=(clips, read), seeds=seeds.pickles, mutate=mutate_pickle,
            beyond=("asl_core.files.pickles.stand_ins:PickleStandIns.find",),
        ),
        Reader(
            name="labels", file="vocabulary.json", ways=(label_file, vocabulary), seeds=seeds.labels,
            mutate=mutate_labels,
            beyond=("asl_wlasl.label_files:_gloss", "asl_wlasl.class_numbers:StoredVocabulary.findings"),
        ),
        Reader(
            name="pt", file="checkpoint.pt", ways=(inspected, any_state_dict), seeds=seeds.pts, mutate=mutate_pt,
            beyond=("asl_stages.loaders_pt:check_pickle",),
        ),
        Reader(
            name="safetensors", file="x.safetensors", ways=(inspected, any_state_dict, model),
            seeds=seeds.safetensors_files,
            mutate=mutate_safetensors,
            beyond=("asl_core.checkpoints.external:Checkpoint.__init__", "asl_core.evaluation.loading:build_model"),
        ),
        Reader(
            name="toml", file="settings.toml", ways=(settings, curriculum_file, recipe), seeds=seeds.tomls,
            mutate=mutate_toml, every=True,
            beyond=("asl_core.config.resolve:_Resolver.config",),
        ),
        Reader(
            name="run", lay_out=bundle.lay_out, size=bundle.size_of, every=True, seeds=seeds.runs,
            mutate=bundle.mutate_run,
            ways=(final_model, best_model, inspected, compared, resumed, stage_of_curriculum),
            beyond=("asl_core.evaluation.loading:build_model", "asl_core.training.trainer:Trainer.restore",
        "asl_core.checkpoints.external:Checkpoint.__init__"),
        ),
        Reader(name="npy", file="clip.npy", ways=(read_npy,), seeds=seeds.npy, mutate=mutate_npy,
    beyond=("numpy:load",)),
        Reader(
            name="packed", file="train.safetensors", ways=(packed,), seeds=packs.packs, mutate=packs.mutate_packed,
            beyond=("asl_core.clips.packed:_columns",),
        ),
    )
}  # fmt: skip


def _format(name: str) -> Reader:
    ready = functools.partial(formats.ready, name) if name in formats.LIBRARIES else None
    folder = name in formats.FOLDERS
    return Reader(
        name=f"format-{name}", file=formats.FILES[name], ways=(formats.way(name),), ready=ready,
        seeds=functools.partial(formats.seeds, name), mutate=formats.mutator(name), times=formats.TIMES.get(name, 10),
        lay_out=bundle.lay_out if folder else None, size=bundle.size_of if folder else len, beyond=(),
    )  # fmt: skip


READERS |= {f"format-{name}": _format(name) for name in formats.FILES if formats.available(name)}


def warm_up(reader: Reader, folder: Path) -> None:
    """Import and make whatever is imported and made on first use, so that later it is the input's doing."""
    registry = plugins().registry
    for slot in SLOTS:
        for offer in registry.slot(slot):
            offer.component.load()
    trainer()
    for data in reader.seeds():
        path = reader.place(data, folder)
        for way in reader.ways:
            with contextlib.suppress(Exception):  # judged later
                if reader.ready is not None:
                    reader.ready()
                way(path)
