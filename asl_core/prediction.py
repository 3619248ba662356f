"""Prediction on files: one .npy clip, or whatever the run's data set can read."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from asl_core.audit import audit_clips
from asl_core.component import Registry
from asl_core.contracts import Dataset
from asl_core.data import Clip, ClipStore
from asl_core.errors import DataError
from asl_core.fitting import Pipeline
from asl_core.loading import LoadedRun, load

__all__ = ["ClipPrediction", "predict_clips", "predict_file", "read_npy"]


@attrs.frozen
class ClipPrediction:
    """What a model says of one clip."""

    id: str
    glosses: tuple[str, ...]  #: the true ones, where the file tells them
    top: tuple[tuple[str, float], ...]  #: the likeliest glosses and their probabilities, best first
    text: tuple[str, ...] | None = None  #: the glosses read in order, where the run was trained on sentences

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        top = [{"gloss": g, "probability": p} for g, p in self.top]
        return {"clip": self.id, "glosses": list(self.glosses), "top": top} | (
            {} if self.text is None else {"text": list(self.text)}
        )


def predict_file(
    run: str | os.PathLike[str],
    file: str | os.PathLike[str],
    *,
    top: int = 5,
    weights: str = "final",
    device: str = "cpu",
    registry: Registry | None = None,
) -> list[ClipPrediction]:
    """Predictions for every clip in a file.

    Raises:
        DataError: the file cannot be read, or its clips are not as wide as the run's.
    """
    loaded = load(run, weights=weights, device=device, registry=registry)
    path = Path(file)
    if path.suffix.lower() == ".npy":
        clips = [Clip(id=path.stem, features=read_npy(path), source=str(path))]
    else:
        dataset: Dataset = loaded.config.dataset.build()
        clips = list(dataset.read(path))
    return predict_clips(loaded, clips, top=top)


def predict_clips(loaded: LoadedRun, clips: list[Clip], *, top: int = 5) -> list[ClipPrediction]:
    """Predictions for clips in memory, through the same transforms and statistics as in training.

    Raises:
        DataError: no clip, a width that is not the run's, or numbers that are not finite.
    """
    pipeline = Pipeline.of(loaded.config)
    clips = [pipeline.clip(c) for c in clips]
    audit_clips({"file": clips}).require_sound()
    store = ClipStore(clips, loaded.vocabulary)
    if store.width != loaded.width:
        raise DataError(
            f"the clips of {clips[0].source or 'the input'} have {store.width} numbers a frame, and {loaded.path} was "
            f"trained on {loaded.width}; extract them in the way the training clips were."
        )
    found = loaded.predict(store)
    if found.scores is None:
        raise DataError(f"{loaded.path} has no head that ranks glosses (a stage-1 run); predict with a later stage.")
    names = loaded.vocabulary.glosses
    values, places = found.scores.exp().topk(min(top, len(names)), dim=1)
    sentences = loaded.config.train.select == "wer" or any(len(g) > 1 for g in store.glosses)
    return [
        ClipPrediction(
            id=store.ids[n],
            glosses=store.glosses[n],
            top=tuple((names[p], v) for p, v in zip(places[n].tolist(), values[n].tolist(), strict=True)),
            text=tuple(names[c] for c in found.decoded[n]) if sentences and found.decoded is not None else None,
        )
        for n in range(len(store))
    ]


def read_npy(path: Path) -> np.ndarray:
    """A (T, D) array of numbers as float32.

    The header is read first and checked against the size of the file, since numpy would allocate what it claims.

    Raises:
        DataError: missing, damaged, of objects, or not two-dimensional.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a .npy file of one clip (frames × numbers a frame).")
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            size = path.stat().st_size - file.tell()
    except (OSError, ValueError, EOFError) as fault:
        raise DataError(f"{path} cannot be read as a .npy file ({fault}); expected what numpy.save writes.") from fault
    if dtype.kind not in "fiu" or len(shape) != 2 or 0 in shape:
        raise DataError(f"{path} holds {dtype} of shape {shape}; expected numbers of shape (frames, numbers a frame).")
    if math.prod(shape) * dtype.itemsize != size:
        raise DataError(
            f"{path} declares {shape} of {dtype} but holds {size} bytes; expected "
            f"{math.prod(shape) * dtype.itemsize}. It was cut short or damaged: write it again."
        )
    array: np.ndarray = np.load(path, allow_pickle=False)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and the audit refuses that
        return array.astype(np.float32, copy=False)
