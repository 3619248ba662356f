"""Frames of a video file with their true times, by PyAV; what is wrong with the file is counted, not passed over.

Only the file itself is opened: its container is chosen by its first bytes, and the decoder gets an open file, no path.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from asl_core import DataError, MissingExtraError, recognise_file
from asl_video.containers import container_of, missing_bytes

__all__ = ["MOST_FRAMES", "MOST_PIXELS", "Video"]

MOST_FRAMES = 100_000  #: an hour
MOST_PIXELS = 8192 * 4320
_SPARE = 0.5  #: seconds by which a container may declare more than its packets hold, besides 2 %


@attrs.define
class Video:
    """A video, read once from its first frame to its last.

    The fields after ``path`` are known when :meth:`frames` has ended.
    """

    path: Path
    size: tuple[int, int] | None = None  #: width and height as shown, after rotation
    rotation: int = 0  #: degrees against the clock that frames were turned by, as the file says
    decoded: int = 0  #: frames
    damaged: int = 0  #: packets that could not be decoded
    unordered: int = 0  #: frames that were left out, since their time was not after that of the frame before
    resized: int = 0  #: frames of another size than the first
    declared_frames: int = 0  #: 0 where the file does not say
    packets: int = 0  #: of the video stream
    declared_seconds: float = 0.0
    read_seconds: float = 0.0  #: end of the last packet of any stream
    missing_bytes: int = 0  #: that the container declares beyond the end of the file
    ended: bool = False  #: whether all was read

    @property
    def cut_short(self) -> bool:
        """Whether the file holds less than it declares."""
        if self.missing_bytes:
            return True
        if not self.ended:
            return False
        if self.packets < self.declared_frames:
            return True
        return self.declared_seconds > 1.02 * self.read_seconds + _SPARE

    def frames(self) -> Iterator[tuple[np.ndarray, float]]:
        """Each frame as (height, width, 3) uint8 RGB, turned as it is to be shown, and its time in seconds from 0.

        Raises:
            DataError: the file is no video, or too large.
            MissingExtraError: PyAV is not installed.
        """
        container_name = container_of(self.path)
        try:
            import av
        except ImportError as fault:
            raise MissingExtraError("av", "video", f"reading {self.path}") from fault
        av.logging.set_level(av.logging.PANIC)
        try:
            with (
                self.path.open("rb") as file,
                av.open(
                    file, format=container_name, options={"protocol_whitelist": "file"}, metadata_errors="replace"
                ) as container,
            ):
                yield from self._frames(container, container_name, av.FFmpegError)
        except av.FFmpegError as fault:
            kind = recognise_file(self.path)
            what = "a video" if kind is None else kind.what
            raise DataError(
                f"{self.path} is {what} that cannot be decoded ({fault.strerror}); it is damaged or was cut short. "
                f"Download it again."
            ) from fault
        except OSError as fault:
            raise DataError(f"{self.path} cannot be read ({fault.strerror or fault}).") from fault
        if not self.decoded:
            raise DataError(f"{self.path} holds no frame that can be decoded; it is damaged or was cut short.")

    def _frames(self, container: Any, container_name: str, errors: Any) -> Iterator[tuple[np.ndarray, float]]:
        if not container.streams.video:
            kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            raise DataError(f"{self.path} holds no video stream ({kinds} only); expected a video.")
        stream = container.streams.video[0]
        if stream.width * stream.height > MOST_PIXELS:
            raise DataError(
                f"{self.path} has frames of {stream.width}×{stream.height} pixels; expected at most 8192×4320."
            )
        self.missing_bytes = missing_bytes(self.path, container_name)
        self.declared_seconds = (container.duration or 0) / 1_000_000
        if (
            container_name == "avi"
        ):  # it declares slots, of which some hold no frame, and its duration is made of its size
            self.declared_seconds = max(self.declared_seconds, float(stream.frames * (stream.time_base or 0)))
        else:
            self.declared_frames = stream.frames
        began = (container.start_time or 0) / 1_000_000
        start = None
        last = -math.inf
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                self.read_seconds = max(self.read_seconds, end - began)
            if packet.stream.index != stream.index:
                continue
            self.packets += packet.size > 0
            try:
                decoded = packet.decode()
            except errors:
                self.damaged += 1
                continue
            for frame in decoded:
                if self.decoded >= MOST_FRAMES:
                    raise DataError(
                        f"{self.path} has more than {MOST_FRAMES:,} frames; cut it, or list the parts of it that are "
                        f"signs with their start and end."
                    )
                seconds = self.decoded / rate if frame.time is None else float(frame.time)
                if seconds <= last:
                    self.unordered += 1
                    continue
                last = seconds
                start = seconds if start is None else start
                self.decoded += 1
                yield self._image(frame), seconds - start
        self.ended = True

    def _image(self, frame: Any) -> np.ndarray:
        if frame.width * frame.height > MOST_PIXELS:
            raise DataError(
                f"{self.path} has a frame of {frame.width}×{frame.height} pixels; expected at most 8192×4320."
            )
        image: np.ndarray = frame.to_ndarray(format="rgb24")
        turns = round(frame.rotation / 90) % 4
        if turns:
            image = np.rot90(image, turns)
        size = (image.shape[1], image.shape[0])
        if self.size is None:
            self.size, self.rotation = size, 90 * turns
        self.resized += size != self.size
        return image
