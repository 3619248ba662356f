"""Landmarks from videos: a detector behind a small interface, ``asl extract``, and videos as a format to predict."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_video.options import VideoOptions


@hookimpl
def asl_formats() -> list[Component]:
    """Videos, which are read by running a detector."""
    return [
        Component(
            name="video",
            factory="asl_video.video_format:VideoFormat",
            options=VideoOptions,
            summary="videos (.mp4, .mov, .avi, .mkv, .webm): a detector finds the hands (needs asl-core[video])",
        ),
    ]
