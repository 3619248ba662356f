"""One rule for what was not seen: NaN on every axis, whatever a file says.

MediaPipe finds a whole hand or pose or none, and programs write 0 or -1 for all of its points. Single points of it may
well be 0: the wrist, where a hand was moved to its wrist. OpenPose and its like judge every point, and write 0 for one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asl_core import DataError, Layout

__all__ = ["hide"]


def hide(
    points: np.ndarray, layout: Layout, path: Path, *, seen: np.ndarray | None = None, by_point: bool = False
) -> np.ndarray:
    """Points with NaN where nothing was seen.

    Args:
        points: (T, points, axes) float32; changed in place.
        layout: of the points; a part is hidden as a whole.
        path: of the file, for the message.
        seen: (T, points) bool, where the file says it of each point; what it hides is hidden beside the rest.
        by_point: whether a single point of zeros was not seen.

    Returns:
        ``points``.

    Raises:
        DataError: numbers of points that were seen are infinite, or larger than a float32 can be.
    """
    if seen is not None:
        points[~seen] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        total = points[..., 0] + points[..., 1]  # far faster than a look at each axis, and nearly always enough
        total += points[..., -1]
    if not np.isfinite(total).all():
        points[np.isnan(points).any(axis=-1)] = np.nan
        if np.isinf(points).any():
            raise DataError(
                f"{path} holds numbers that are infinite or larger than a float32 can be; expected coordinates, and "
                f"NaN or 0 where a point was not seen. Extract it again."
            )
    if by_point:
        points[(points == 0).all(axis=-1) | (points == -1).all(axis=-1)] = np.nan
        return points
    start = 0
    for part in layout.parts:
        values = points[:, start : start + part.points]
        start += part.points
        first = values[:, 0, 0]  # where it is another number, as in most frames, the others need not be looked at
        for frame in np.flatnonzero((first == 0) | (first == -1)):
            if (values[frame] == first[frame]).all():
                values[frame] = np.nan
    return points
