"""Clips written to disk: one ``.npz`` or ``.pose`` per clip with a list of them, or feature pickles by split."""

from __future__ import annotations

import csv
import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from asl_core import Clip, DataError, MissingExtraError, Recording
from asl_formats.layouts import layout_of

__all__ = ["WRITERS", "recording_of_clip", "write_listed", "write_pickles", "write_pose"]

#: features per frame -> layout, of clips whose data set does not say
_BY_WIDTH = {126: "detected", 225: "openhands", 63: "hand", 1629: "kaggle"}
_PIXELS = 1000  #: width and height of the picture in .pose files of clips that do not say; x and y are pixels there
_HEADING = ("file", "gloss", "glosses", "split", "signer", "session", "fps")


def recording_of_clip(clip: Clip) -> Recording:
    """The points of a clip.

    Raises:
        DataError: nobody says which of its features are which points.
    """
    width = clip.features.shape[1]
    layout = clip.layout
    if layout is None:
        if width not in _BY_WIDTH:
            raise DataError(
                f"clip {clip.id!r} ({clip.source or 'unknown source'}) has {width} features per frame, which are not "
                f"known to be landmarks; --to pickle and --to packed take features of any kind."
            )
        layout = layout_of(_BY_WIDTH[width])
    points = clip.features.reshape(len(clip.features), layout.points, len(layout.axes))
    if clip.layout is None:  # a detector's -1 or 0 stands for what was not seen
        unseen = (points == 0).all(-1) | (points == -1).all(-1) | np.isnan(points).any(-1)
        points = np.where(unseen[:, :, None], np.float32(np.nan), points)
    return Recording(
        id=clip.id, layout=layout, points=points, fps=clip.fps, times=clip.times, glosses=clip.glosses,
        signer=clip.signer, source=clip.source, detector=clip.detector,
    )  # fmt: skip


def write_listed(
    splits: Mapping[str, Iterable[Clip]], folder: Path, suffix: str, write: Callable[[Recording, Path], None]
) -> dict[str, int]:
    """A file for each clip in ``SPLIT/GLOSS/``, and ``list.csv`` that says gloss, split, signer and rate of each.

    Returns:
        The number of clips of each split.
    """
    counts: dict[str, int] = {}
    taken: set[str] = set()
    with (folder / "list.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_HEADING)
        for split, clips in splits.items():
            counts[split] = 0
            for clip in clips:
                name = _unused(f"{split}/{_plain(' '.join(clip.glosses) or 'unknown')}/{_plain(clip.id)}", taken)
                path = folder / f"{name}{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                write(recording_of_clip(clip), path)
                single = len(clip.glosses) == 1
                rows.writerow([
                    f"{name}{suffix}", clip.glosses[0] if single else "", "" if single else " ".join(clip.glosses),
                    split if len(splits) > 1 else "", clip.signer or "", _session(clip),
                    "" if clip.fps is None else repr(clip.fps),
                ])  # fmt: skip
                counts[split] += 1
    return counts


def write_pickles(splits: Mapping[str, Iterable[Clip]], folder: Path) -> dict[str, int]:
    """A pickle ``{id: {features, gloss, …}}`` for each split, as the reference extractor writes it.

    Raises:
        DataError: a clip has several glosses, for which that layout has no place.
    """
    counts = {}
    for split, clips in splits.items():
        content = {}
        for clip in clips:
            if len(clip.glosses) > 1:
                raise DataError(f"clip {clip.id!r} is a sentence; feature pickles hold one gloss a clip: use --to npz.")
            entry = {"features": np.array(clip.features), "video_id": clip.id, "split": split}
            known = {"gloss": clip.glosses[0] if clip.glosses else None, "signer_id": clip.signer, "fps": clip.fps}
            content[clip.id] = entry | {name: value for name, value in known.items() if value is not None}
        with (folder / f"features_{split}_converted.pkl").open("wb") as file:
            pickle.dump(content, file, protocol=4)
        counts[split] = len(content)
    return counts


def write_pose(recording: Recording, path: Path) -> None:
    """A ``.pose`` file of version 0.2; what was not seen has confidence 0, x and y are pixels.

    Raises:
        MissingExtraError: pose-format is not installed.
    """
    try:
        from pose_format import Pose
        from pose_format.numpy import NumPyPoseBody
        from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions
    except ImportError as fault:
        raise MissingExtraError("pose-format", "formats", f"writing {path}") from fault
    layout, size = recording.layout, recording.size or (_PIXELS, _PIXELS)
    axes = len(layout.axes)
    points = np.array(recording.points, dtype=np.float32)
    if layout.unit == "image":
        points[..., 0] *= size[0]
        points[..., 1] *= size[1]
    seen = np.asarray(~np.isnan(points).any(-1))
    form = "XYZC" if axes > 2 else "XYC"
    components = [
        PoseHeaderComponent(_component(part.name), [str(n) for n in range(part.points)], [], [], form)
        for part in layout.parts
    ]
    header = PoseHeader(0.2, PoseHeaderDimensions(*size, max(size)), components)
    values = np.where(seen[..., None], points, 0)[:, None, :, : 3 if axes > 2 else 2]
    body = NumPyPoseBody(recording.fps or 0, values, seen[:, None].astype(np.float32))
    with path.open("wb") as file:
        Pose(header, body).write(file)


def _session(clip: Clip) -> str:
    """The session of a clip whose data set keeps sessions together; blocks of neighbours are found again."""
    kind, _, name = (clip.group or "").partition(" ")
    return name if kind == "session" else ""


_COMPONENTS = {
    "pose": "POSE_LANDMARKS", "face": "FACE_LANDMARKS", "left-hand": "LEFT_HAND_LANDMARKS",
    "right-hand": "RIGHT_HAND_LANDMARKS", "pose-world": "POSE_WORLD_LANDMARKS",
}  # fmt: skip


def _component(part: str) -> str:
    """The name that MediaPipe's components have in .pose files."""
    return _COMPONENTS.get(part, part)


def _plain(name: str) -> str:
    """A name that can be that of a file on any system."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip(".")[:100] or "_"


def _unused(name: str, taken: set[str]) -> str:
    """A name that no file has yet, whatever the case of letters."""
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.lower())
    return free


def _npz(splits: Mapping[str, Iterable[Clip]], folder: Path) -> dict[str, int]:
    return write_listed(splits, folder, ".npz", Recording.save)


def _pose(splits: Mapping[str, Iterable[Clip]], folder: Path) -> dict[str, int]:
    return write_listed(splits, folder, ".pose", write_pose)


#: word after ``--to`` -> what writes the splits into a folder
WRITERS: Mapping[str, Callable[[Mapping[str, Iterable[Clip]], Path], dict[str, int]]] = {
    "npz": _npz, "pose": _pose, "pickle": write_pickles,
}  # fmt: skip
