"""Why a run errs: its evaluation with what the clips, the signers and the training clips tell about the mistakes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from asl_core.clips.clip import Clip
from asl_core.clips.store import ClipStore
from asl_core.compute.host import undisturbed
from asl_core.config.resolve import resolve
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import value_layer
from asl_core.data.pipeline import Pipeline
from asl_core.data.splits import load_split
from asl_core.errors import UsageError
from asl_core.evaluation.former_names import former_arguments
from asl_core.evaluation.inference import Predictions, scored
from asl_core.evaluation.loading import evaluate_run, load
from asl_core.evaluation.mistakes import Mistakes, explain
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover

__all__ = ["Explained", "explain_run"]


@attrs.frozen(eq=False)
class Explained:
    """An evaluation and what is behind its mistakes."""

    report: Mapping[str, Any]  #: of :func:`asl_core.evaluation.inference.report`
    predictions: Predictions
    store: ClipStore  #: the clips, as the model is given them
    mistakes: Mistakes


@former_arguments(average_views="tta", together_with="ensemble")
@undisturbed()
def explain_run(
    path: str | os.PathLike[str], *, split: str = "val", weights: str = "final", device: str = "auto",
    values: Mapping[str, Any] | None = None, tta: Sequence[str] | None = None,
    ensemble: Sequence[str | os.PathLike[str]] = (), registry: Registry | None = None,
) -> Explained:  # fmt: skip
    """Evaluate a run as :func:`asl_core.evaluate_run` does, alone or with others, and find out where its mistakes are.

    The training clips are read too: they tell signers that the model knows from new ones and show each sign. Where
    the data set has none any more, the rest is told without them.

    Raises:
        UsageError: the run names no signs (stage 1), or no clip of the split can be scored.
    """
    report, predictions, store = evaluate_run(
        path, split=split, weights=weights, device=device, values=values, tta=tta, ensemble=ensemble,
        registry=registry,
    )  # fmt: skip
    if predictions.scores is None and predictions.decoded is None:
        raise UsageError(f"{path} has no head that names signs (a stage-1 run), so it makes no mistakes to explain.")
    if not scored(predictions, store).places:
        raise UsageError(f"no clip of {split} has a gloss to compare with, so nothing tells which answers are wrong.")
    config = _config(path, weights, values, registry)
    train = store if split == "train" else _train(config, store)
    pipeline = Pipeline.of(config)
    stored = (Clip(id=name, features=store.clip(n).numpy()) for n, name in enumerate(store.ids))
    unseen = [pipeline.unseen(clip) for clip in stored]
    return Explained(report, predictions, store, explain(predictions, store, unseen, train))


def _config(
    path: str | os.PathLike[str], weights: str, values: Mapping[str, Any] | None, registry: Registry | None
) -> RunConfig:
    config = load(path, weights=weights, registry=registry).config
    if not values:
        return config
    layers = [value_layer(config.values(), str(path)), value_layer(values, "script")]
    return resolve(layers, registry or discover().registry, saved=True)


def _train(config: RunConfig, store: ClipStore) -> ClipStore | None:
    if "train" not in config.dataset.build().splits():
        return None
    return load_split(config, "train", store.vocabulary)
