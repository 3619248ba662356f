"""Videos as a format: the detector runs when one is read, which takes about as long as the video."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from asl_core import DataError, Recording, phase
from asl_video.containers import SUFFIXES, container_of, known_container
from asl_video.detectors import DEFAULT_DETECTOR
from asl_video.options import VideoOptions
from asl_video.process import Job, WorkerSettings, worker
from asl_video.recordings import cut_short, recording_of, share_seen

__all__ = ["VideoFormat"]


class VideoFormat:
    """Videos of one signer. Folders are not searched for them: ``asl extract`` reads each once, not for each run."""

    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES
    on_request: ClassVar[bool] = True

    def __init__(self, options: VideoOptions):
        model = None if options.model is None else Path(options.model)
        detector = options.detector or os.environ.get("ASL_DETECTOR") or DEFAULT_DETECTOR
        self._settings = WorkerSettings(detector=detector, model=model, mirror=options.mirror)

    def recognises(self, path: Path) -> bool:
        """By the container's first bytes."""
        return known_container(path) is not None

    def read(self, path: Path) -> Iterator[Recording]:
        """The landmarks of a video.

        Raises:
            DataError: it is damaged or cut short, shows no hand, or the detector's model file is missing.
                Likewise where decoder or detector is not installed.
        """
        container_of(path)
        with phase(f"finding hands in {path.name}"), worker(self._settings) as process:
            answer = process.extract(Job(video=path))
        if (text := cut_short(answer)) is not None:
            raise DataError(f"{path} was cut short: it {text}. Download it again.")
        recording = recording_of(answer, path, path.name.rpartition(".")[0])
        if not share_seen(recording):
            raise DataError(f"{path} shows no hand in any of its {len(recording.points)} frames; nothing to recognise.")
        yield recording
