"""Small videos that tests make: a bright square that walks to the right over a dark picture."""

from __future__ import annotations

import fractions
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed (extra video)")

WIDTH, HEIGHT = 96, 64


def film(
    path: Path, frames: int = 12, *, rate: int = 25, times: Sequence[float] | None = None, hand: bool = True,
    red: bool = False, audio: bool = False, faststart: bool = False,
) -> Path:  # fmt: skip
    """Write a video; ``times`` are seconds of the frames, where they are not even."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        base = fractions.Fraction(1, rate if path.suffix == ".avi" else 1000)
        stream.codec_context.time_base = base
        sound = container.add_stream("aac", rate=8000) if audio else None
        for number in range(frames):
            image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
            if hand:
                left = 4 + 4 * (number % 16)
                image[8:24, left : left + 16] = (255, 0, 0) if red else 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            seconds = number / rate if times is None else times[number]
            frame.pts, frame.time_base = round(seconds / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            _add_sound(container, sound)
    return path


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        _add_sound(container, container.add_stream("aac", rate=8000))
    return path


def _add_sound(container, stream) -> None:
    for number in range(8):
        silence = np.zeros((1, 1024), dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 1024 * number
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def turn(path: Path, degrees: int) -> Path:
    """Have an MP4 say that it is to be shown turned clockwise by 90, 180 or 270 degrees."""
    data = bytearray(path.read_bytes())
    a, b, c, d = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    plain = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    track = data.index(b"tkhd")
    place = data.index(plain, track)
    data[place : place + 36] = matrix
    path.write_bytes(data)
    return path
