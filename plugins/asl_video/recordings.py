"""What a worker answers as a recording, with what a user should know of the video."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np

from asl_core import Layout, Recording

__all__ = ["ODD_RATES", "cut_short", "problems_of", "recording_of", "share_seen"]

ODD_RATES = (10.0, 120.0)  #: frames per second outside of which a video is reported
_EVEN = 0.1  #: share of a frame by which times may lie off an even grid, and be even


def recording_of(answer: dict[str, Any], video: Path, name: str) -> Recording:
    """The recording of a worker's answer."""
    layout = Layout.from_json(answer["layout"])
    points = np.frombuffer(base64.b64decode(answer["points"]), dtype="<f4").reshape(-1, layout.points, len(layout.axes))
    fps, times = _timing(np.asarray(answer["times"], dtype=np.float64))
    return Recording(
        id=name, layout=layout, points=points, fps=fps, times=times, size=tuple(answer["size"]), source=str(video),
        notes=tuple(problems_of(answer, fps, even=times is None).values()), detector=answer["detector"],
    )  # fmt: skip


def _timing(times: np.ndarray) -> tuple[float | None, np.ndarray | None]:
    """Frames per second, and the times from 0 where they are not even."""
    if len(times) < 2:
        return None, None
    times = times - times[0]
    rate = (len(times) - 1) / times[-1]
    even = np.abs(times * rate - np.arange(len(times))).max() <= _EVEN
    usual = 1 / float(np.median(np.diff(times)))
    fps = round(float(rate) if even else usual, 6)
    return (fps if fps <= 1000 else None), (None if even else times)


def cut_short(answer: dict[str, Any]) -> str | None:
    """How a video was cut short, or None."""
    if not answer["cut_short"]:
        return None
    declared, packets = answer["declared_frames"], answer["packets"]
    if declared > packets:
        return f"holds {packets} of the {declared} frames that it declares"
    if answer["missing_bytes"]:
        return f"lacks the last {answer['missing_bytes']:,} bytes"
    return f"holds {answer['read_seconds']:.1f} of the {answer['declared_seconds']:.1f} seconds that it declares"


def problems_of(answer: dict[str, Any], fps: float | None, *, even: bool) -> dict[str, str]:
    """Kind -> sentence, of what is odd about a video that was read."""
    problems = {}
    if answer["end"] > answer["frames"]:
        problems["short"] = f"it has {answer['frames']} frames, and the list names those up to {answer['end']}"
    if answer["damaged"]:
        problems["damaged"] = f"{answer['damaged']} packets cannot be decoded"
    if not even:
        problems["variable rate"] = "its frames are not evenly spaced; the time of each is kept"
    if fps is None or not ODD_RATES[0] <= fps <= ODD_RATES[1]:
        what = "its rate is not known" if fps is None else f"it has {fps:g} frames per second"
        problems["odd rate"] = f"{what}; expected {ODD_RATES[0]:g} to {ODD_RATES[1]:g} per second"
    if answer["unordered"]:
        problems["unordered"] = f"{answer['unordered']} frames that are not after the frame before are left out"
    if answer["resized"]:
        problems["resized"] = f"{answer['resized']} frames are of another size than the first"
    if answer["crowded"]:
        problems["several people"] = f"{answer['crowded']} frames show more than two hands; the likeliest two are kept"
    return problems


def share_seen(recording: Recording) -> float:
    """Share of the frames in which any hand was seen; any point, where the layout has no hands."""
    seen = ~np.isnan(recording.points[:, :, 0])
    layout = recording.layout
    parts = [layout.place(part.name) for part in layout.parts if "hand" in part.name] or [slice(None)]
    return float(np.any([seen[:, part].any(axis=1) for part in parts], axis=0).mean())
