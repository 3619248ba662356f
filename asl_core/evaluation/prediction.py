"""Predictions for clips in files: a .npy of one clip, or a file that the run's data set reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
import torch
from torch import Tensor

from asl_core.clips.clip import Clip
from asl_core.clips.store import SAME_RATE, ClipStore
from asl_core.compute.host import undisturbed
from asl_core.data.outliers import far_from_training
from asl_core.data.pipeline import Noticed, Pipeline
from asl_core.errors import DataError
from asl_core.evaluation.alignment import Alignment, align, frame_numbers
from asl_core.evaluation.ensemble import Member, average_members, naming, refuse_twice
from asl_core.evaluation.former_names import former_arguments
from asl_core.evaluation.inference import inference
from asl_core.evaluation.loading import LoadedRun, load, preprocessed
from asl_core.evaluation.reading import at_rate, clips_of, own_rate
from asl_core.registry.component import Registry
from asl_core.text import shortened

__all__ = ["ClipPrediction", "load_ensemble", "predict_clips", "predict_file"]

SCHEMA = 1  #: of an entry of ``asl predict --json``; another number where a key changes its meaning


@attrs.frozen
class ClipPrediction:
    """A model's predictions for one clip."""

    id: str
    glosses: tuple[str, ...]  #: the true ones, where the file has them
    top: tuple[tuple[str, float], ...]  #: the likeliest glosses and their probabilities, best first
    text: tuple[str, ...] | None = None  #: the glosses read in order, where the run was trained on sentences
    warnings: tuple[str, ...] = ()  #: why the prediction may be unreliable
    alignment: Alignment | None = None  #: of the glosses with the frames, where requested

    def to_json(self) -> dict[str, Any]:
        """For ``--json``, by ``asl_core/docs/predictions.schema.json``."""
        top = [{"gloss": g, "probability": p} for g, p in self.top]
        entry: dict[str, Any] = {"schema": SCHEMA, "clip": self.id, "glosses": list(self.glosses), "top": top}
        if self.text is not None:
            entry["text"] = list(self.text)
        if self.alignment is not None:
            entry["alignment"] = attrs.asdict(self.alignment)
        return entry | ({"warnings": list(self.warnings)} if self.warnings else {})


@former_arguments(average_views="tta", together_with="ensemble")
@undisturbed()
def predict_file(
    run: str | os.PathLike[str],
    file: str | os.PathLike[str],
    *,
    top: int = 5,
    weights: str = "final",
    device: str = "cpu",
    tta: Sequence[str] | None = None,
    alignment: bool = False,
    ensemble: Sequence[str | os.PathLike[str]] = (),
    fps: float | None = None,
    registry: Registry | None = None,
) -> list[ClipPrediction]:
    """Predictions for every clip in a file.

    Args:
        run: run directory or checkpoint, as for :func:`asl_core.load`.
        file: a .npy of one clip, a file that the run's data set reads, or a file or folder of any format
            (``asl ls format``).
        top: glosses for each clip.
        weights: as for :func:`asl_core.load`.
        device: as there.
        fps: frames per second of clips whose file does not say.
        tta: as there.
        registry: as there.
        alignment: whether to align glosses with frames (:class:`asl_core.Alignment`).
        ensemble: further runs, whose probabilities are averaged with this one's.

    Raises:
        DataError: the file cannot be read, or its clips have another number of features than the run's.
    """
    loaded, *others = load_ensemble((run, *ensemble), weights=weights, device=device, tta=tta, registry=registry)
    clips = at_rate(clips_of(loaded, Path(file)), fps or own_rate(loaded))
    return predict_clips(loaded, clips, top=top, alignment=alignment, ensemble=others)


def load_ensemble(runs: Sequence[str | os.PathLike[str]], **options: Any) -> list[LoadedRun]:
    """The models of several different runs, with the same options of :func:`asl_core.load`."""
    refuse_twice(runs)
    return [load(run, **options) for run in runs]


@former_arguments(together_with="ensemble")
@undisturbed()
def predict_clips(
    loaded: LoadedRun,
    clips: list[Clip],
    *,
    top: int = 5,
    alignment: bool = False,
    ensemble: Sequence[LoadedRun] = (),
) -> list[ClipPrediction]:
    """Predictions for clips in memory, through the same transforms and statistics as in training.

    Each further run of the ``ensemble`` applies its own transforms. Only probabilities are averaged; texts, alignments
    and warnings are those of the first.

    Raises:
        DataError: no clip, another number of features than a run's, or values that are not finite.
        UsageError: ``alignment``, and the run's head does not align glosses with frames; or the runs know different
            glosses.
    """
    pipeline, noticed = Pipeline.of(loaded.config), Noticed()
    files = [(len(c.features), frame_numbers(c, pipeline.clipwise)) for c in clips] if alignment else []
    runs = (loaded, *ensemble)
    with naming(loaded.path, runs):
        stored, store = preprocessed(loaded, clips, pipeline, noticed)
        members = [_member(loaded, store)]
    for run in ensemble:
        with naming(run.path, runs):
            members.append(_member(run, preprocessed(run, clips, Pipeline.of(run.config), Noticed())[1]))
    predictions = average_members(members)
    names = loaded.vocabulary.glosses
    values, classes = cast("Tensor", predictions.scores).exp().topk(min(top, len(names)), dim=1)
    # The run decides, not the clips: a new recording has no glosses.
    sentences = loaded.vocabulary.sentences or any(len(g) > 1 for g in store.glosses)
    texts = predictions.decoded if sentences else None
    alignments: list[Alignment | None] = [None] * len(store)
    if alignment:
        alignments[:] = align(loaded.model, store, texts or [[c] for c in classes[:, 0].tolist()], files)
    return [
        ClipPrediction(
            id=store.ids[n],
            glosses=store.glosses[n],
            top=tuple((names[c], v) for c, v in zip(classes[n].tolist(), values[n].tolist(), strict=True)),
            text=tuple(names[c] for c in texts[n]) if texts is not None else None,
            warnings=_warnings(loaded, stored[n], pipeline, noticed, _deviations(loaded, store, n)),
            alignment=alignments[n],
        )
        for n in range(len(store))
    ]


def _member(loaded: LoadedRun, store: ClipStore) -> Member:
    predictions = loaded.predict(store)
    if predictions.scores is None:
        raise DataError(f"{loaded.path} has no head that ranks glosses (a stage-1 run); predict with a later stage.")
    return Member(str(loaded.path), loaded.vocabulary, store.ids, predictions)


def _deviations(loaded: LoadedRun, store: ClipStore, place: int) -> np.ndarray | None:
    """(T, D) deviations of one clip from the training mean; None where features are not standardised."""
    if not loaded.config.train.standardise:
        return None
    standardiser = loaded.model.standardiser
    with inference(loaded.model):
        batch = store.batch(torch.tensor([place])).to(standardiser.mean.device)
        return np.asarray(standardiser.deviations(batch)[0].cpu().numpy())


def _warnings(
    loaded: LoadedRun, clip: Clip, pipeline: Pipeline, noticed: Noticed, deviations: np.ndarray | None = None
) -> tuple[str, ...]:
    """Why the prediction for a stored clip may be unreliable."""
    texts = [f.message for f in noticed.of_clip.get(clip.id, ()) if f.level != "note"]
    if (pipeline.unseen(clip) >= 1).all():
        texts.append("it shows nothing in any frame, only zeros or no hand; the prediction is a guess.")
    fps = loaded.fps
    if fps is not None and clip.fps is not None and abs(clip.fps / fps - 1) > SAME_RATE:
        texts.append(
            f"it has {clip.fps:g} frames per second, and the model was trained on {fps:g}: expect more errors. "
            f"Train with transform resample, or extract it at {fps:g}."
        )
    if loaded.detectors and clip.detector is not None and clip.detector not in loaded.detectors:
        texts.append(
            f"its landmarks are of {clip.detector}, and those of the training clips of "
            f"{shortened(loaded.detectors)}: expect more errors. Extract both with one detector."
        )
    if deviations is not None and (text := far_from_training(deviations)) is not None:
        texts.append(text)
    return tuple(texts)
