"""Trained models back from their runs: loaded, evaluated, and data audited as a run would see them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.audit import Audit
from asl_core.checkpoint import load_tensors
from asl_core.component import Registry
from asl_core.config import RunConfig
from asl_core.data import ClipStore, Vocabulary
from asl_core.device import choose_device
from asl_core.errors import CheckpointError, UsageError
from asl_core.evaluate import Predictions, predict, report
from asl_core.layers import value_layer
from asl_core.model import Recognizer, build_model
from asl_core.plugins import discover
from asl_core.resolve import resolve
from asl_core.rundir import RunDir
from asl_core.splits import load_audit, load_split

__all__ = ["LoadedRun", "audit_data", "evaluate_run", "load"]


@attrs.frozen(eq=False)
class LoadedRun:
    """A trained model with all it needs to be used."""

    path: Path
    config: RunConfig
    model: Recognizer
    vocabulary: Vocabulary
    width: int
    epoch: int

    def predict(self, store: ClipStore, batch_size: int = 64) -> Predictions:
        """Scores of every clip of a store; see :func:`asl_core.evaluate.predict`."""
        return predict(self.model, store, batch_size, device=next(self.model.parameters()).device)


def load(
    path: str | os.PathLike[str], *, weights: str = "final", device: str = "cpu", registry: Registry | None = None
) -> LoadedRun:
    """A trained model from a run directory or one of its .safetensors files.

    Args:
        path: run directory, or file.
        weights: which of a directory's: ``final`` (last epoch) or ``best``.
        device: where to put it.
        registry: components (default: those of the installed plugins).

    Raises:
        CheckpointError: damaged, or of other components than are installed.
    """
    path = Path(path)
    if path.is_dir():
        file = path / f"{weights}.safetensors"
        if not file.is_file():
            there = ", ".join(sorted(p.name for p in path.glob("*.safetensors"))) or "none"
            raise UsageError(
                f"{path} has no {file.name} (checkpoints there: {there}); a run that was cut off has its final weights "
                f"after `asl run --resume {path}`, and --weights best where an epoch is done."
            )
        path = file
    saved = load_tensors(path)
    try:
        values, glosses, width = saved.meta["config"], saved.meta["vocabulary"], saved.meta["width"]
        vocabulary = Vocabulary(tuple(glosses))
        config = resolve([value_layer(values, str(path))], registry or discover().registry)
        model = build_model(config, width, len(vocabulary))
        model.load_state_dict(saved.tensors)
    except (KeyError, TypeError, AttributeError, RuntimeError) as fault:
        raise CheckpointError(f"{path} does not hold what a run saves ({type(fault).__name__}: {fault}).") from fault
    model.to(choose_device(device)).eval()
    return LoadedRun(path, config, model, vocabulary, width, saved.meta.get("epoch", 0))


def evaluate_run(
    path: str | os.PathLike[str], *, split: str = "val", weights: str = "final", device: str = "auto",
    values: Mapping[str, Any] | None = None, registry: Registry | None = None,
) -> tuple[dict[str, Any], Predictions, ClipStore]:  # fmt: skip
    """Evaluate a run on a split of its data set.

    ``test`` is never looked at by training; an evaluation on it is noted in the run's log.

    Args:
        path: run directory or checkpoint file.
        split: ``val``, ``test`` or ``train``.
        weights: ``final`` or ``best``.
        device: where to compute.
        values: settings of the data set to change, ``{"dataset.root": "elsewhere"}``.
        registry: components (default: those of the installed plugins).

    Returns:
        The report of :func:`asl_core.evaluate.report`, the predictions, and the clips.
    """
    loaded = load(path, weights=weights, device=device, registry=registry)
    config = loaded.config
    if values:
        config = resolve(
            [value_layer(config.values(), str(path)), value_layer(values, "script")], registry or discover().registry
        )
    store = load_split(config, split, loaded.vocabulary)
    if store.width != loaded.width:
        raise UsageError(
            f"the clips of {split} have {store.width} numbers a frame, and {path} was trained on {loaded.width}; "
            f"name the files it was trained on."
        )
    found = loaded.predict(store, config.train.eval_batch_size)
    full = report(found, store)
    directory = Path(path) if Path(path).is_dir() else Path(path).parent
    if split == "test" and (directory / "config.toml").is_file():
        RunDir(directory).note(f"evaluated on test ({weights}): {json.dumps(full['metrics'], sort_keys=True)}")
    return full, found, store


def audit_data(config: RunConfig) -> Audit:
    """The audit alone: what a run on this configuration would find in its data."""
    return load_audit(config)[1]
