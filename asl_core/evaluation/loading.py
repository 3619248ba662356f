"""Loading a trained model from its run, and preparing clips for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from asl_core.checkpoints.bounds import no_larger_than, on_meta
from asl_core.checkpoints.format import Saved, load_tensors
from asl_core.checkpoints.transfer import dtype_text
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
from asl_core.errors import CheckpointError, ConfigError, DataError, UsageError, as_word
from asl_core.evaluation.embedding import Embeddings, embed_store
from asl_core.evaluation.former_names import former_arguments
from asl_core.evaluation.inference import predict
from asl_core.evaluation.metrics import TOP1, WER
from asl_core.evaluation.scoring import Predictions
from asl_core.evaluation.tta import View, find_views
from asl_core.files.paths import of_curriculum
from asl_core.model.recogniser import Recognizer, build_model
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover

__all__ = ["LoadedRun", "load", "preprocessed"]


@attrs.frozen(eq=False)
class LoadedRun:
    """A trained model, ready to use."""

    path: Path
    config: RunConfig
    model: Recognizer
    vocabulary: Vocabulary
    width: int  #: features per frame of the clips as they are stored
    epoch: int  #: of its weights
    views: tuple[View, ...] = ()  #: that predictions are averaged over
    fps: float | None = None  #: frames per second of the clips it was trained on; None where unknown or uneven
    detectors: tuple[str, ...] = ()  #: programs that measured the points of those clips; empty where unknown

    @undisturbed()
    def predict(self, store: ClipStore, batch_size: int = 64) -> Predictions:
        """Scores of every clip of a store; see :func:`asl_core.evaluation.inference.predict`."""
        return predict(self.model, store, batch_size, device=self._device, views=self.views)

    @undisturbed()
    def embed(self, clips: Sequence[Clip], batch_size: int = 64) -> Embeddings:
        """Embeddings and log-probabilities of clips in memory, through the same transforms as in training.

        ``asl.load(run).embed(clips)`` has ``pooled`` (N, E), ``frames`` (N tensors (T', E)), ``log_probabilities``
        (N, classes) and ``frame_log_probabilities`` (N tensors (T', symbols)), in the order of ``clips``. T' is the
        number of frames that transforms and encoder leave of a clip.

        Raises:
            DataError: no clip, another number of features than the run's, or values that are not finite.
        """
        store = preprocessed(self, clips, Pipeline.of(self.config), Noticed())[1]
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
        CheckpointError: damaged, or of components that are not installed.
        ConfigError: the run has no augmentation with such a view.
    """
    path = Path(path)
    if (hint := of_curriculum(path, "asl eval {}")) is not None:
        raise UsageError(hint)
    if path.is_dir():
        file = path / f"{weights}.safetensors"
        if not file.is_file():
            names = ", ".join(sorted(p.name for p in path.glob("*.safetensors"))) or "none"
            raise UsageError(
                f"{path} has no {file.name} (only {names}); a run that was cut off has its final weights "
                f"after `asl run --resume {as_word(path)}`, and --weights best where an epoch is done."
            )
        path = file
    saved = load_tensors(path)
    try:
        values, glosses, width = saved.meta["config"], saved.meta["vocabulary"], saved.meta["width"]
        _check_kinds(glosses, width, saved.meta.get("epoch", 0))
        fps = _rate(saved.meta.get("fps"))
        detectors = tuple(map(str, saved.meta.get("detectors", ())))
        config = resolve([value_layer(values, str(path))], registry or discover().registry, saved=True)
        vocabulary = Vocabulary(tuple(glosses), _sentences(saved.meta, config))
        model = _model(config, width, vocabulary, fps, saved)
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
    return LoadedRun(path, config, model, vocabulary, width, saved.meta.get("epoch", 0), views, fps, detectors)


def preprocessed(
    loaded: LoadedRun, clips: Sequence[Clip], pipeline: Pipeline, noticed: Noticed
) -> tuple[list[Clip], ClipStore]:
    """The clips after the run's transforms, checked; as clips and as a store for its model.

    Raises:
        DataError: no clip, another number of features than the run's, or values that are not finite.
    """
    pipeline.expect(loaded.width)
    stored = [taken for c in clips if (taken := pipeline.take(c, noticed)) is not None]
    dataset: Dataset = loaded.config.dataset.build()
    width = clips[0].features.shape[-1] if clips else 0
    layout = clips[0].layout if clips else None
    bad = bad_findings("the input", noticed.bad, len(clips), width, loaded.config, dataset, layout)
    # Nothing is dropped here, whatever `bad-clips` says: each clip is to be predicted.
    Audit({}, tuple(attrs.evolve(f, level="error") for f in bad)).require_sound()
    audit_clips({"file": stored}, unseen=pipeline.unseen).require_sound()
    store = ClipStore(stored, loaded.vocabulary)
    if store.width != loaded.width:
        raise DataError(
            f"the clips of {stored[0].source or 'the input'} have {store.width} features per frame, and {loaded.path} "
            f"was trained on {loaded.width}; extract them in the way the training clips were."
            f"{_transposed(clips, loaded.width)}"
        )
    return stored, store


def _transposed(clips: Sequence[Clip], width: int) -> str:
    """A hint where clips are of shape (features, frames)."""
    if not all(clip.features.ndim == 2 and clip.features.shape[0] == width for clip in clips):
        return ""
    return f" They have {width} frames each, so they seem to be transposed: store x.T, of shape (frames, features)."


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
    """Whether the run was trained on sentences.

    Runs of 0.1 do not say. There the figures on val decide, or the metric of ``train.select``; without either, whether
    a loss of the run takes more than one gloss per clip.
    """
    if "sentences" in meta:
        if not isinstance(meta["sentences"], bool):
            raise TypeError(f"whether it reads sentences is {str(meta['sentences'])[:40]}")
        return meta["sentences"]
    figures = {"val": {}, **meta.get("metrics", {})}["val"]
    if config.train.select == WER.name or WER.name in figures:
        return True
    losses = (loss.choice.component.load() for head in config.heads.values() for loss in head.losses.values())
    return TOP1.name not in figures and any(getattr(loss, "labels", "one") == "any" for loss in losses)


def _model(config: RunConfig, width: int, vocabulary: Vocabulary, fps: float | None, saved: Saved) -> Recognizer:
    """The model that a checkpoint describes, with its weights; it takes no more memory than they account for."""
    classes, sentences = len(vocabulary), vocabulary.sentences
    with no_larger_than(saved.tensors.values(), saved.path):
        try:
            with on_meta():
                described = build_model(config, width, classes, sentences=sentences, fps=fps).state_dict()
        except NotImplementedError:  # by a plugin's module that needs values when it is made
            described = {}
        _check_tensors(described, saved)
        model = build_model(config, width, classes, sentences=sentences, fps=fps)
    _check_tensors(model.state_dict(), saved)
    model.load_state_dict(saved.tensors)
    return model


def _check_tensors(described: Mapping[str, Tensor], saved: Saved) -> None:
    """Refuse weights of other shapes or dtypes than the model's: torch would convert some without a word."""
    for name, tensor in described.items():
        stored = saved.tensors.get(name)
        if stored is None or (stored.shape, stored.dtype) != (tensor.shape, tensor.dtype):
            described_as = "missing" if stored is None else f"{dtype_text(stored)} {tuple(stored.shape)}"
            wanted = f"{dtype_text(tensor)} {tuple(tensor.shape)}"
            raise ValueError(f"{name[:100]} is {described_as}, and its model has {wanted}")
