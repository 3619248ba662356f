"""Every way in which asl reads the files of strangers, each a function of a path."""

from __future__ import annotations

import functools
import io
import json
import math
import pickle
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch

from asl_core import api
from asl_core.checkpoints.external import read_checkpoint
from asl_core.checkpoints.initialise import Transfer
from asl_core.cli import inspect as inspect_verb
from asl_core.clips.packed import read_packed
from asl_core.data.splits import load_data
from asl_core.errors import DataError
from asl_core.files.rundir import RunDir
from asl_core.model.objectives import build_objectives
from asl_core.model.recogniser import build_model
from asl_core.registry.discovery import PluginReport, discover
from asl_core.registry.recipes import recipes
from asl_core.studies import curriculum
from asl_core.studies.comparison import compare
from asl_core.studies.curriculum import is_curriculum, load_curriculum
from asl_core.training.trainer import Trainer
from asl_wlasl.class_numbers import read_vocabulary
from asl_wlasl.dataset import WlaslDataset
from asl_wlasl.label_files import read_labels
from asl_wlasl.labels import add_labels
from asl_wlasl.options import WlaslOptions
from asl_wlasl.records import Record
from fuzz import seeds

__all__ = [
    "any_state_dict", "best_model", "clips", "compared", "curriculum_file", "final_model", "inspected", "label_file",
    "model", "packed", "plugins", "read", "recipe", "resumed", "same_as_reference", "settings",
    "stage_of_curriculum", "trainer", "vocabulary",
]  # fmt: skip


@functools.cache
def plugins() -> PluginReport:
    """Those installed, found once."""
    return discover()


# ---- pickles ---------------------------------------------------------------------------------------------------------


def clips(path: Path) -> None:
    """The data set as a run reads it; what it gives is what Python's own unpickler gives."""
    data = WlaslDataset(WlaslOptions(root=str(path.parent), train=path.name, val="none", test="none"))
    found = data.clips("train")
    data.findings()
    assert all(clip.features.dtype == np.float32 for clip in found)  # NaN is judged after the transforms
    _SEEN[:] = found


_SEEN: list[Any] = []


class _Reference(pickle._Unpickler):  # the one in Python, whose memo is a dict
    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] not in ("numpy", "_codecs") and name != "bytes":
            raise pickle.UnpicklingError(name)
        return super().find_class(module, name)


def same_as_reference(path: Path) -> None:
    """Not a way of reading, but of checking what was read; run without the guard."""
    try:
        content = _Reference(io.BytesIO(path.read_bytes())).load()
    except Exception:
        return
    pairs = content.items() if isinstance(content, dict) else ((e["video_id"], e) for e in content)
    expected = {str(k): e["features"] if isinstance(e, dict) else e for k, e in pairs}
    assert list(expected) == [c.id for c in _SEEN], "other clips than Python's unpickler reads"
    for clip in _SEEN:
        with np.errstate(over="ignore"):
            assert np.array_equal(np.asarray(expected[clip.id]).astype("f4"), clip.features, equal_nan=True), (
                f"other numbers in {clip.id!r}"
            )


def read(path: Path) -> None:
    """Every clip of one pickle, as prediction reads them."""
    WlaslDataset(WlaslOptions()).read(path)


# ---- labels ----------------------------------------------------------------------------------------------------------

_RECORDS = [Record(id="1", features=np.zeros((1, 2), "f4"), file=Path("f"), gloss="book"),
            Record(id="2", features=np.zeros((1, 2), "f4"), file=Path("f"))]  # fmt: skip


def label_file(path: Path) -> None:
    """As ``--dataset.labels``."""
    add_labels(_RECORDS, read_labels(path))


def vocabulary(path: Path) -> None:
    """As the vocabulary.json beside pickles; what is wrong with it is told in a finding, so nothing is refused."""
    stored = read_vocabulary(path.parent)
    if stored is not None:
        told = stored.findings({"book": {1}})
        if any(len(f.message) > 4000 for f in told):
            raise AssertionError(f"a finding of {max(len(f.message) for f in told)} characters")
        if stored.faults:
            raise DataError("; ".join(f.message for f in told))


# ---- checkpoints -----------------------------------------------------------------------------------------------------


def inspected(path: Path) -> None:
    """As ``asl inspect`` shows it, in words and as JSON."""
    if path.is_dir() and _as_before(path, "final.safetensors"):
        return
    found = read_checkpoint(str(path), plugins().registry)
    _shown(found)


def _shown(found: Any) -> None:
    inspect_verb._lines(found, found.foreign.tensors)
    json.dumps(inspect_verb._to_json(found, found.foreign.tensors, None), default=str)


def any_state_dict(path: Path) -> None:
    """As ``--init torch:PATH``."""
    _shown(read_checkpoint(f"torch:{path}", plugins().registry))


def model(path: Path) -> None:
    """As ``asl predict`` and ``asl eval`` load a file of weights."""
    loaded = api.load(path, registry=plugins().registry)
    assert loaded.model.parameter_count() >= 0


def packed(path: Path) -> None:
    """As the data set ``packed`` reads one split."""
    clips = read_packed(path)
    assert all(len(clip.features) for clip in clips)


# ---- settings --------------------------------------------------------------------------------------------------------


def settings(path: Path) -> None:
    """As ``asl run FILE``; what is read is written and read again as the same."""
    if is_curriculum(path):
        return
    config = api.configure(file=path, environ={}, project_file=False, registry=plugins().registry)
    again = path.with_name("again.toml")
    again.unlink(missing_ok=True)
    again.write_text(config.to_toml(), encoding="utf-8", errors="strict")
    second = api.configure(file=again, environ={}, project_file=False, registry=plugins().registry)
    assert _plain(second.values()) == _plain(config.values()), "written and read again, it is another configuration"


def _plain(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=str)


def curriculum_file(path: Path) -> None:
    """As ``asl run FILE`` of a curriculum: the runs stay in the folder that the command line names."""
    if is_curriculum(path):
        found = load_curriculum(path, registry=plugins().registry, environ={})
        for stage in found.stages:
            place = found.path / str(stage.config.run.name)
            assert place.resolve().parent == found.path.resolve(), f"stage in {place}"


def recipe(path: Path) -> None:
    """As a file in a plugin's folder ``recipes``."""
    fake = types.ModuleType("fuzzed_plugin")
    fake.__path__ = [str(path.parent)]
    sys.modules["fuzzed_plugin"] = fake
    try:
        recipes(attrs.evolve(plugins(), records=(_record(),)))
    finally:
        del sys.modules["fuzzed_plugin"]


def _record() -> Any:
    return attrs.evolve(plugins().records[0], module="fuzzed_plugin")


# ---- run directories -------------------------------------------------------------------------------------------------


@functools.cache
def _original(name: str) -> bytes:
    return (seeds.run_folder() / name).read_bytes()


def _as_before(path: Path, *names: str) -> bool:
    """Whether files are those of the seed's run, so that nothing new can come of reading them."""
    return all((path / n).is_file() and (path / n).read_bytes() == _original(n) for n in names)


def final_model(path: Path) -> None:
    """The last weights."""
    if _as_before(path, "final.safetensors"):
        return
    api.load(path, registry=plugins().registry)


def best_model(path: Path) -> None:
    """The best weights."""
    if _as_before(path, "best.safetensors"):
        return
    api.load(path, weights="best", registry=plugins().registry)


def compared(path: Path) -> None:
    """As ``asl compare`` reads the answers of a run."""
    if _as_before(path, "predictions-val.csv"):
        return
    compare([path], [path], [0], samples=2)


@functools.cache
def trainer() -> Trainer:
    """That of the seed's run, which every resume of a changed one starts from."""
    run = RunDir(seeds.run_folder())
    config = api.configure(file=run.config, environ={}, project_file=False, registry=plugins().registry)
    data = load_data(config)
    made = build_model(data.config, data.train.width, len(data.vocabulary))
    objectives = build_objectives(data.config)
    for objective in objectives:
        objective.loss.prepare(data.train)
    return Trainer.new(data.config, data, made, objectives, torch.device("cpu"))


def resumed(path: Path) -> None:
    """As ``--resume`` does up to the first step, of the settings of the seed's run."""
    plain = {p.name for p in path.rglob("*")} <= _names() and not any(p.is_symlink() for p in path.rglob("*"))
    if plain and _as_before(path, "config.toml", "last/state.safetensors", "environment.json"):
        return
    run = RunDir.open(path)
    config = api.configure(file=run.config, environ={}, project_file=False, registry=plugins().registry)
    run.lock()
    try:
        run.note_processes(1)
        if run.transfer.exists():
            Transfer.read(run.transfer)
        going = trainer()
        if config == going.config and run.last.is_file():
            going.restore(run)
            run.write_history(going.progress.history)
            for parameter in going.parameters:
                parameter.grad = torch.zeros_like(parameter)
            going.optimizer.step()
            assert math.isfinite(going.progress.epoch)
            going.save(run)
        run.note("a line")
    finally:
        run.release()


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(p.name for p in seeds.run_folder().rglob("*"))


def stage_of_curriculum(path: Path) -> None:
    """As a curriculum finds the runs of its stages."""
    going = trainer()
    stage = curriculum.Stage("run", going.config, None)
    whole = curriculum.Curriculum(path, (stage,))
    curriculum._unchanged(whole)
    if (path / "summary.json").is_file() and not _as_before(path, "summary.json"):
        curriculum.summary_of(path)
