"""Trained models back from their runs: loaded, evaluated, and data audited as a run would see them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from asl_core.checkpoints.bounds import no_larger_than, on_meta
from asl_core.checkpoints.format import Saved, load_tensors
from asl_core.checkpoints.held_out import check_evaluated
from asl_core.clips.clip import Clip, Vocabulary
from asl_core.clips.store import ClipStore
from asl_core.compute.device import choose_device
from asl_core.compute.host import drawing, undisturbed
from asl_core.config.resolve import resolve
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import value_layer
from asl_core.contracts import Dataset
from asl_core.data.audit import Audit, audit_clips
from asl_core.data.pipeline import Noticed, Pipeline, bad_findings
from asl_core.data.splits import load_audit, load_named_split
from asl_core.errors import CheckpointError, ConfigError, DataError, UsageError, as_word
from asl_core.evaluation.embedding import Embeddings, embed_store
from asl_core.evaluation.ensemble import Answer, naming, refuse_twice, together
from asl_core.evaluation.former_names import former_arguments
from asl_core.evaluation.inference import Predictions, predict, report
from asl_core.evaluation.tta import View, find_views
from asl_core.files.curriculum_folder import of_curriculum
from asl_core.files.paths import refuse_links
from asl_core.files.rundir import RunDir
from asl_core.model.recogniser import Recognizer, build_model
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover

__all__ = ["LoadedRun", "audit_data", "evaluate_run", "load", "weights_used"]


@attrs.frozen(eq=False)
class LoadedRun:
    """A trained model with all it needs to be used."""

    path: Path
    config: RunConfig
    model: Recognizer
    vocabulary: Vocabulary
    width: int
    epoch: int
    views: tuple[View, ...] = ()  #: that predictions are averaged over
    fps: float | None = None  #: frames per second of the clips it was trained on; None where unknown or uneven

    @undisturbed()
    def predict(self, store: ClipStore, batch_size: int = 64) -> Predictions:
        """Scores of every clip of a store; see :func:`asl_core.evaluation.inference.predict`."""
        return predict(self.model, store, batch_size, device=self._device, views=self.views)

    @undisturbed()
    def embed(self, clips: Sequence[Clip], batch_size: int = 64) -> Embeddings:
        """Embeddings and log-probabilities of clips in memory, through the same transforms as in training.

        ``found = asl.load(run).embed(clips)`` has ``found.pooled`` (N, E), ``found.frames`` (N tensors (T', E)),
        ``found.log_probabilities`` (N, classes) and ``found.frame_log_probabilities`` (N tensors (T', symbols)), in
        the order of ``clips``. T' is the number of frames that transforms and encoder leave of a clip.

        Raises:
            DataError: no clip, a width that is not the run's, or numbers that are not finite.
        """
        store = as_run_takes(self, clips, Pipeline.of(self.config), Noticed())[1]
        return embed_store(self.model, store, batch_size, self._device, self.views)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device


@former_arguments(average_views="tta")
@drawing("loading a run")
def load(
    path: str | os.PathLike[str], *, weights: str = "final", device: str = "cpu",
    tta: Sequence[str] | None = None, registry: Registry | None = None,
) -> LoadedRun:  # fmt: skip
    """A trained model from a run directory or one of its .safetensors files.

    Args:
        path: run directory, or file.
        weights: which of a directory's: ``final`` (last epoch) or ``best``.
        device: where to put it.
        tta: views of each clip to average predictions over (default: the run's setting).
        registry: components (default: those of the installed plugins).

    Raises:
        CheckpointError: damaged, or of other components than are installed.
        ConfigError: the run has no augmentation with such a view.
    """
    path = Path(path)
    if (told := of_curriculum(path, "asl eval {}")) is not None:
        raise UsageError(told)
    if path.is_dir():
        file = path / f"{weights}.safetensors"
        if not file.is_file():
            there = ", ".join(sorted(p.name for p in path.glob("*.safetensors"))) or "none"
            raise UsageError(
                f"{path} has no {file.name} (checkpoints there: {there}); a run that was cut off has its final weights "
                f"after `asl run --resume {as_word(path)}`, and --weights best where an epoch is done."
            )
        path = file
    saved = load_tensors(path)
    try:
        values, glosses, width = saved.meta["config"], saved.meta["vocabulary"], saved.meta["width"]
        _check_kinds(glosses, width, saved.meta.get("epoch", 0))
        fps = _rate(saved.meta.get("fps"))
        config = resolve([value_layer(values, str(path))], registry or discover().registry, saved=True)
        vocabulary = Vocabulary(tuple(glosses), _sentences(saved.meta, config))
        model = _model(config, width, vocabulary, saved)
    except ConfigError as fault:  # of a component's own options, which it looks at when it is made
        raise ConfigError([p if str(path) in p else f"{path}: {p}" for p in fault.problems]) from fault
    except (LookupError, TypeError, AttributeError, RuntimeError, ValueError, ArithmeticError, AssertionError) as fault:
        reason = " ".join(str(fault).split())[:300]
        raise CheckpointError(
            f"{path} does not hold what a run saves ({type(fault).__name__}: {reason}); it was damaged or changed. Use "
            f"another checkpoint of the run."
        ) from fault
    model.to(choose_device(device)).eval()
    views = find_views(config, tta)
    return LoadedRun(path, config, model, vocabulary, width, saved.meta.get("epoch", 0), views, fps)


def as_run_takes(
    loaded: LoadedRun, clips: Sequence[Clip], pipeline: Pipeline, noticed: Noticed
) -> tuple[list[Clip], ClipStore]:
    """The clips behind the run's transforms, checked, and as its model is given them.

    Raises:
        DataError: no clip, a width that is not the run's, or numbers that are not finite.
    """
    pipeline.expect(loaded.width)
    stored = [taken for c in clips if (taken := pipeline.take(c, noticed)) is not None]
    dataset: Dataset = loaded.config.dataset.build()
    width = clips[0].features.shape[-1] if clips else 0
    bad = bad_findings("the input", noticed.bad, len(clips), width, loaded.config, dataset)
    # One clip is predicted for its own sake: none is left out here.
    Audit({}, tuple(attrs.evolve(f, level="error") for f in bad)).require_sound()
    audit_clips({"file": stored}, unseen=pipeline.unseen).require_sound()
    store = ClipStore(stored, loaded.vocabulary)
    if store.width != loaded.width:
        raise DataError(
            f"the clips of {stored[0].source or 'the input'} have {store.width} numbers a frame, and {loaded.path} was "
            f"trained on {loaded.width}; extract them in the way the training clips were.{_turned(clips, loaded.width)}"
        )
    return stored, store


def _turned(clips: Sequence[Clip], width: int) -> str:
    """A hint where clips have their frames in the place of their numbers."""
    if not all(clip.features.ndim == 2 and clip.features.shape[0] == width for clip in clips):
        return ""
    return f" They have {width} frames each, so they seem to be turned: store x.T, of shape (frames, numbers a frame)."


def _check_kinds(glosses: Any, width: Any, epoch: Any) -> None:
    """Refuse a vocabulary, a width or an epoch that no run writes."""
    if not isinstance(glosses, list) or not all(isinstance(g, str) for g in glosses):
        raise TypeError("its vocabulary is no list of glosses")
    for name, number, least in (("width", width, 1), ("epoch", epoch, 0)):
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise TypeError(f"its {name} is {str(number)[:40]}")


def _rate(value: Any) -> float | None:
    """Frames per second; runs of 0.1 do not say."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise TypeError(f"its frames per second are {str(value)[:40]}")
    return value


def _sentences(meta: Mapping[str, Any], config: RunConfig) -> bool:
    """Whether the run was trained on sentences, as it says itself.

    Runs of 0.1 do not: there the figures of val tell, or the metric that chose; and where neither does, whether a
    loss of the run takes more than one gloss a clip.
    """
    if "sentences" in meta:
        if not isinstance(meta["sentences"], bool):
            raise TypeError(f"whether it reads sentences is {str(meta['sentences'])[:40]}")
        return meta["sentences"]
    figures = {"val": {}, **meta.get("metrics", {})}["val"]
    if config.train.select == "wer" or "wer" in figures:
        return True
    losses = (loss.choice.component.load() for head in config.heads.values() for loss in head.losses.values())
    return "top1" not in figures and any(getattr(loss, "labels", "one") == "any" for loss in losses)


def _model(config: RunConfig, width: int, vocabulary: Vocabulary, saved: Saved) -> Recognizer:
    """The model that a checkpoint describes, with its weights; it never takes more memory than they account for."""
    classes, sentences = len(vocabulary), vocabulary.sentences
    with no_larger_than(saved.tensors.values(), saved.path):
        try:
            with on_meta():
                described = build_model(config, width, classes, sentences=sentences).state_dict()
        except NotImplementedError:  # of a plugin's module that needs numbers when it is made
            described = {}
        _check_tensors(described, saved)
        model = build_model(config, width, classes, sentences=sentences)
    _check_tensors(model.state_dict(), saved)
    model.load_state_dict(saved.tensors)
    return model


def _check_tensors(described: Mapping[str, Tensor], saved: Saved) -> None:
    """Refuse weights of other shapes or kinds than the model's: some would be converted in silence."""
    for name, tensor in described.items():
        stored = saved.tensors.get(name)
        if stored is None or (stored.shape, stored.dtype) != (tensor.shape, tensor.dtype):
            there = "missing" if stored is None else f"{str(stored.dtype)[6:]} {tuple(stored.shape)}"
            wanted = f"{str(tensor.dtype)[6:]} {tuple(tensor.shape)}"
            raise ValueError(f"{name[:100]} is {there}, and its model has {wanted}")


def weights_used(path: str | os.PathLike[str], weights: str) -> str:
    """Which weights are meant: those that are asked for of a run's folder, or the file that is named."""
    file = Path(path)
    if file.suffix != ".safetensors":
        return f"{weights} weights"
    return f"{file.stem} weights" if file.stem in ("final", "best") else f"weights of {file.name}"


@former_arguments(average_views="tta", together_with="ensemble")
@undisturbed()
def evaluate_run(
    path: str | os.PathLike[str], *, split: str = "val", weights: str = "final", device: str = "auto",
    values: Mapping[str, Any] | None = None, tta: Sequence[str] | None = None,
    ensemble: Sequence[str | os.PathLike[str]] = (), registry: Registry | None = None,
) -> tuple[dict[str, Any], Predictions, ClipStore]:  # fmt: skip
    """Evaluate a run on a split of its data set.

    ``test`` is never looked at by training; an evaluation on it is noted in the run's log.

    Args:
        path: run directory or checkpoint file.
        split: ``val``, ``test`` or ``train``.
        weights: ``final`` or ``best``.
        device: where to compute.
        values: settings of the data set to change, ``{"dataset.root": "elsewhere"}``.
        tta: as for :func:`load`.
        ensemble: further runs, whose probabilities are averaged with this one's; see
            :mod:`asl_core.evaluation.ensemble`.
        registry: components (default: those of the installed plugins).

    Returns:
        The report of :func:`asl_core.evaluation.inference.report`, with ``average_views`` and ``together_with``
        where predictions are averaged over any, and ``text_of``, the run that read the sentences; the predictions;
        and the clips.

    Raises:
        UsageError: the runs do not know the same glosses and clips, one of them ranks none, or is named twice.
    """
    runs = (path, *ensemble)
    refuse_twice(runs)
    asked = []
    for run in runs:
        with naming(run, runs):
            asked.append(_evaluated(run, split, weights, device, values, tta, registry, len(runs) > 1))
    loaded, store, found, _ = asked[0]
    if ensemble:
        found = together([Answer(str(one.path), one.vocabulary, clips.ids, said) for one, clips, said, _ in asked])
    full = report(found, store)
    if notes := [note for *_, said in asked for note in said]:
        full["notes"] = notes
    if loaded.views:
        full["average_views"] = [view.name for view in loaded.views]
    if ensemble:
        full["together_with"] = [str(run) for run in ensemble]
        if "wer" in full["metrics"]:
            full["text_of"] = str(path)  # a text has no mean
    for run in runs:
        directory = Path(run) if Path(run).is_dir() else Path(run).parent
        if split == "test" and (directory / "config.toml").is_file():
            refuse_links(directory)
            figures = json.dumps(full["metrics"], sort_keys=True)
            RunDir(directory).note(
                f"evaluated on test ({weights_used(run, weights).removesuffix(' weights')}): {figures}"
            )
    return full, found, store


def _evaluated(
    path: str | os.PathLike[str], split: str, weights: str, device: str, values: Mapping[str, Any] | None,
    tta: Sequence[str] | None, registry: Registry | None, elsewhere: bool,
) -> tuple[LoadedRun, ClipStore, Predictions, list[str]]:  # fmt: skip
    """A run, the clips as it takes them, what it says of them, and notes on whether it was trained on them."""
    loaded = load(path, weights=weights, device=device, tta=tta, registry=registry)
    config = loaded.config
    if values:
        config = resolve(
            [value_layer(config.values(), str(path)), value_layer(values, "script")],
            registry or discover().registry,
            saved=True,
        )
    store, clips = load_named_split(config, split, loaded.vocabulary, loaded.width)
    if store.width != loaded.width:
        raise UsageError(
            f"the clips of {split} have {store.width} numbers a frame, and {path} was trained on {loaded.width}; "
            f"name the files it was trained on."
        )
    notes = check_evaluated(config, Path(path), split, clips, elsewhere=elsewhere or bool(values))
    return loaded, store, loaded.predict(store, config.train.eval_batch_size), notes


@undisturbed()
def audit_data(config: RunConfig) -> Audit:
    """The audit alone: what a run on this configuration would find in its data."""
    return load_audit(config)[1]
