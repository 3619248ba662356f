"""Evaluating a finished run, or an ensemble of runs, on a split of its data set."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core.checkpoints.held_out import check_evaluated
from asl_core.clips.store import ClipStore
from asl_core.compute.host import undisturbed
from asl_core.config.resolve import resolve
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import value_layer
from asl_core.data.splits import load_named_split
from asl_core.errors import UsageError
from asl_core.evaluation.ensemble import Member, average_members, naming, refuse_twice
from asl_core.evaluation.former_names import former_arguments
from asl_core.evaluation.loading import LoadedRun, load
from asl_core.evaluation.metrics import WER
from asl_core.evaluation.scoring import Predictions, report
from asl_core.files.paths import refuse_links
from asl_core.files.rundir import RunDir
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover

__all__ = ["evaluate_run", "weights_used", "with_values"]


@former_arguments(average_views="tta", together_with="ensemble")
@undisturbed()
def evaluate_run(
    path: str | os.PathLike[str], *, split: str = "val", weights: str = "final", device: str = "auto",
    values: Mapping[str, Any] | None = None, tta: Sequence[str] | None = None,
    ensemble: Sequence[str | os.PathLike[str]] = (), registry: Registry | None = None,
) -> tuple[dict[str, Any], Predictions, ClipStore]:  # fmt: skip
    """Evaluate a run on a split of its data set.

    Training never looks at ``test``; an evaluation on it is noted in the run's log.

    Args:
        path: run directory or checkpoint file.
        split: ``val``, ``test`` or ``train``.
        weights: ``final`` or ``best``.
        device: where to compute.
        values: settings of the data set to change, ``{"dataset.root": "elsewhere"}``.
        tta: as for :func:`asl_core.load`.
        ensemble: further runs, whose probabilities are averaged with this one's; see
            :mod:`asl_core.evaluation.ensemble`.
        registry: components (default: those of the installed plugins).

    Returns:
        The report of :func:`asl_core.evaluation.scoring.report`, with ``average_views`` and ``together_with`` where
        predictions are averaged over views or runs, and ``text_of``, the run that read the sentences; the
        predictions; and the clips.

    Raises:
        UsageError: the runs do not know the same glosses and clips, one of them ranks none, or is named twice.
    """
    runs = (path, *ensemble)
    refuse_twice(runs)
    each = []
    for run in runs:
        with naming(run, runs):
            loaded = load(run, weights=weights, device=device, tta=tta, registry=registry)
            config = with_values(loaded.config, values, run, registry)
            each.append(_evaluated(loaded, config, Path(run), split, moved=bool(values) or len(runs) > 1))
    views, store = each[0].loaded.views, each[0].store
    predictions = average_members([Member(str(e.path), e.loaded.vocabulary, e.store.ids, e.predictions) for e in each])
    full = report(predictions, store)
    if notes := [note for e in each for note in e.notes]:
        full["notes"] = notes
    if views:
        full["average_views"] = [view.name for view in views]
    if ensemble:
        full["together_with"] = [str(run) for run in ensemble]
        if WER.name in full["metrics"]:
            full["text_of"] = str(path)  # a text has no mean
    if split == "test":
        for run in runs:
            _note_test(Path(run), weights, full["metrics"])
    return full, predictions, store


def with_values(
    config: RunConfig, values: Mapping[str, Any] | None, run: object, registry: Registry | None
) -> RunConfig:
    """A run's configuration with some settings changed."""
    if not values:
        return config
    layers = [value_layer(config.values(), str(run)), value_layer(values, "script")]
    return resolve(layers, registry or discover().registry, saved=True)


def weights_used(path: str | os.PathLike[str], weights: str) -> str:
    """Which weights are meant: those that are asked for of a run's folder, or the file that is named."""
    file = Path(path)
    if file.suffix != ".safetensors":
        return f"{weights} weights"
    return f"{file.stem} weights" if file.stem in ("final", "best") else f"weights of {file.name}"


@attrs.frozen(eq=False)
class _Evaluated:
    """A run with its predictions for a split."""

    path: Path
    loaded: LoadedRun
    store: ClipStore
    predictions: Predictions
    notes: Sequence[str]  #: on clips that it may have been trained on


def _evaluated(loaded: LoadedRun, config: RunConfig, path: Path, split: str, *, moved: bool) -> _Evaluated:
    """Apply a run to a split; ``moved`` where the clips may be others than the run's own."""
    store, clips = load_named_split(config, split, loaded.vocabulary, loaded.width)
    if store.width != loaded.width:
        raise UsageError(
            f"the clips of {split} have {store.width} features per frame, and {path} was trained on {loaded.width}; "
            f"name the files it was trained on."
        )
    notes = check_evaluated(config, path, split, clips, elsewhere=moved)
    return _Evaluated(path, loaded, store, loaded.predict(store, config.train.eval_batch_size), notes)


def _note_test(run: Path, weights: str, figures: Mapping[str, float]) -> None:
    """Write an evaluation on test into the run's log."""
    directory = run if run.is_dir() else run.parent
    if (directory / "config.toml").is_file():
        refuse_links(directory)
        text = json.dumps(figures, sort_keys=True)
        RunDir(directory).note(f"evaluated on test ({weights_used(run, weights).removesuffix(' weights')}): {text}")
