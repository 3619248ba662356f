"""The clips of a file that a user names for prediction: as the run was trained on, an array, or of any known format."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from asl_core.clips.clip import Clip
from asl_core.clips.packed import MANIFEST, read_packed
from asl_core.contracts import Dataset
from asl_core.data.formats import find_format
from asl_core.errors import DataError, MissingExtraError
from asl_core.evaluation.loading import LoadedRun
from asl_core.files.arrays import array_remedy, read_npy_header
from asl_core.files.sniffing import recognise_file

__all__ = ["at_rate", "clips_of", "own_rate", "read_npy"]

_PICKLE_OR_ARRAY = re.compile(r"\.(npy|pkl|pickle|p|gz|bz2|xz|lzma)$", re.IGNORECASE)


def clips_of(loaded: LoadedRun, path: Path) -> list[Clip]:
    """The clips of a file or of a folder of frames, with the frames per second that the files state.

    A .npy array of frames × features is one clip; packed clips are read as such; other files are read by the run's data
    set, or else by the format that recognises them.

    Args:
        loaded: the run that is to predict them.
        path: of the file or folder.

    Raises:
        DataError: naming what the file is by its content, and what to type.
    """
    try:
        return _as_trained(loaded, path)
    except DataError as fault:
        if not path.exists() or (named := find_format(path)) is None:
            raise
        try:
            return [recording.to_clip() for recording in named[1].read(path)]
        except DataError as other:
            if _PICKLE_OR_ARRAY.search(path.name) and not isinstance(other, MissingExtraError):
                raise fault from other  # files of any kind end so: what the run's own data set says is nearer
            raise other from fault


def at_rate(clips: Sequence[Clip], fps: float | None) -> list[Clip]:
    """The clips, those of unknown frames per second with ``fps``."""
    return [clip if clip.fps is not None else attrs.evolve(clip, fps=fps) for clip in clips]


def own_rate(loaded: LoadedRun) -> float | None:
    """Frames per second that the run's ``dataset.fps`` gave to clips that do not say, None where it was not set."""
    options = loaded.config.dataset.options
    optional = any(field.name == "fps" and field.default is None for field in attrs.fields(type(options)))
    return options.fps if optional else None


def _as_trained(loaded: LoadedRun, path: Path) -> list[Clip]:
    """The clips of a file of the kind that the run was trained on, or of an array."""
    kind = recognise_file(path)
    if kind is not None and kind.code == "safetensors" and (path.parent / MANIFEST).is_file():
        return read_packed(path)
    choice = loaded.config.dataset
    if own_rate(loaded) is not None:  # what was set for the files of the run is not stated by this file
        choice = attrs.evolve(choice, options=attrs.evolve(choice.options, fps=None))
    dataset: Dataset = choice.build()
    if not getattr(dataset, "reads_formats", False):
        if kind is not None and kind.code == "npy":
            return [Clip(id=path.stem, features=read_npy(path, loaded.width), source=str(path))]
        if path.suffix.lower() == ".npy" and (kind is None or kind.code != "pickle"):
            return [Clip(id=path.stem, features=read_npy(path), source=str(path))]  # raises with what is wrong
    try:
        return list(dataset.read(path))
    except DataError as fault:
        if kind is None or kind.what in str(fault):
            raise
        raise DataError(
            f"{path} is {kind.what}, and no clip was read from it: {str(fault).rstrip('.')}. {kind.remedy}"
        ) from fault


def read_npy(path: Path, width: int | None = None) -> np.ndarray:
    """A (T, D) array as float32.

    The header is checked against the size of the file first, since numpy would allocate what it claims.

    Args:
        path: the file.
        width: expected features per frame, for the hint where the array has another shape.

    Raises:
        DataError: missing, damaged, of objects, or not two-dimensional; the message says what to type.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a .npy file of one clip (frames × features).")
    header = read_npy_header(path)
    if isinstance(header, Exception):
        kind = recognise_file(path)
        if kind is not None and kind.code != "npy":
            raise DataError(f"{path} is no .npy file but {kind.what}. {kind.remedy}") from header
        reason = " ".join(str(header).split())[:200]
        raise DataError(
            f"{path} cannot be read as a .npy file ({type(header).__name__}: {reason}); expected what numpy.save "
            f"writes."
        ) from header
    shape, dtype = header.shape, header.dtype
    if len(shape) == 2 and 0 in shape:
        raise DataError(f"{path} holds no number: its shape is {shape} (frames, features). Extract it again.")
    if dtype.kind not in "fiu" or len(shape) != 2 or any(type(n) is not int or n < 1 for n in shape):
        raise DataError(
            f"{path} holds {header}; expected numbers of shape (frames, features). {array_remedy(header, path, width)}"
        )
    if math.prod(shape) * dtype.itemsize != header.size:
        raise DataError(
            f"{path} declares {header} but holds {header.size} bytes; expected "
            f"{str(math.prod(shape) * dtype.itemsize)[:60]}. It was cut short or damaged: write it again."
        )
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("ignore")
        array: np.ndarray = np.load(path, allow_pickle=False)
        # What float32 cannot hold becomes infinite, and the audit refuses that.
        return array.astype(np.float32, copy=False)
