"""Error analysis of a run: its evaluation, and its errors by kinds of clips, signers and signs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from asl_core.clips.clip import Clip
from asl_core.clips.store import ClipStore
from asl_core.compute.host import undisturbed
from asl_core.config.run_config import RunConfig
from asl_core.data.pipeline import Pipeline
from asl_core.data.splits import load_split
from asl_core.errors import UsageError
from asl_core.evaluation.evaluating import evaluate_run, with_values
from asl_core.evaluation.former_names import former_arguments
from asl_core.evaluation.loading import load
from asl_core.evaluation.mistakes import Mistakes, explain
from asl_core.evaluation.scoring import Predictions, scored
from asl_core.registry.component import Registry

__all__ = ["Explained", "explain_run"]


@attrs.frozen(eq=False)
class Explained:
    """An evaluation with its error analysis."""

    report: Mapping[str, Any]  #: of :func:`asl_core.evaluation.scoring.report`
    predictions: Predictions
    store: ClipStore  #: the clips as input of the model
    mistakes: Mistakes


@former_arguments(average_views="tta", together_with="ensemble")
@undisturbed()
def explain_run(
    path: str | os.PathLike[str], *, split: str = "val", weights: str = "final", device: str = "auto",
    values: Mapping[str, Any] | None = None, tta: Sequence[str] | None = None,
    ensemble: Sequence[str | os.PathLike[str]] = (), registry: Registry | None = None,
) -> Explained:  # fmt: skip
    """Evaluate a run or an ensemble as :func:`asl_core.evaluate_run` does, and analyse its errors.

    The training clips are read too, for known signers, counts and examples of each sign; without them the rest is
    reported, with a note.

    Raises:
        UsageError: the run names no signs (stage 1), or no clip of the split can be scored.
    """
    report, predictions, store = evaluate_run(
        path, split=split, weights=weights, device=device, values=values, tta=tta, ensemble=ensemble,
        registry=registry,
    )  # fmt: skip
    if predictions.scores is None and predictions.decoded is None:
        raise UsageError(f"{path} has no head that names signs (a stage-1 run), so there are no errors to analyse.")
    if not scored(predictions, store).places:
        raise UsageError(f"no clip of {split} has a gloss to compare with, so there are no errors to analyse.")
    config = with_values(load(path, weights=weights, registry=registry).config, values, path, registry)
    train = store if split == "train" else _train(config, store)
    pipeline = Pipeline.of(config)
    stored = (Clip(id=name, features=store.clip(n).numpy()) for n, name in enumerate(store.ids))
    unseen = [pipeline.unseen(clip) for clip in stored]
    return Explained(report, predictions, store, explain(predictions, store, unseen, train))


def _train(config: RunConfig, store: ClipStore) -> ClipStore | None:
    if "train" not in config.dataset.build().splits():
        return None
    return load_split(config, "train", store.vocabulary)
