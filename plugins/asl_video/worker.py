"""The process in which videos are decoded and hands are found: ``python -m asl_video.worker``.

Jobs are lines of JSON on standard input, answers lines on standard output. It is a process of its own since what a
damaged file does to a decoder, and 20 lines of C++ on standard error, must not reach the program; it ends when its
input ends, so that none is left behind.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from asl_core import DataError, MissingExtraError
from asl_video.decoding import Video
from asl_video.detectors import Detector, DetectorOptions, Opener, find_detector

__all__ = ["main"]

_MEMORY = 8 << 30  #: bytes of addresses; MediaPipe and a video of 1080p take below 4 GiB
_EVERY = 0.5  #: seconds between two signs of life


class _UnusableError(DataError):
    """The detector cannot be used, so that no video can be read."""


Send = Callable[[dict[str, Any]], None]


def main() -> None:
    """Answer jobs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    _limit_memory()

    def send(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    send({"ready": os.getpid()})
    for line in sys.stdin:
        job = json.loads(line)
        try:
            send({"result": _answer(job, send)})
        except (MissingExtraError, _UnusableError) as fault:
            send({"unusable": str(fault)})
        except DataError as fault:
            send({"fault": str(fault)})
        except MemoryError:
            send({"fault": f"{job.get('video')} needs more than {_MEMORY >> 30} GiB of memory to decode."})
        except Exception as fault:
            reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
            send({"fault": f"{job.get('video')} cannot be read ({reason})."})


def _answer(job: dict[str, Any], send: Send) -> dict[str, Any]:
    """The landmarks of a video, or of its frames ``start`` to ``end``; without a video the detector's name."""
    try:
        opener = find_detector(job["detector"])
    except DataError as fault:
        raise _UnusableError(str(fault)) from fault
    options = DetectorOptions(model=Path(job["model"]) if job["model"] else None)
    if "video" not in job:
        tried = _opened(opener, options)
        tried.close()
        return {"detector": tried.identity}
    start, end = max(job["start"], 1), job["end"]
    video = Video(Path(job["video"]))
    detector: Detector | None = None
    points, times = [], []
    crowded, alive = 0, time.monotonic()
    try:
        for number, (image, seconds) in enumerate(video.frames(), start=1):
            if time.monotonic() - alive > _EVERY:
                alive = time.monotonic()
                send({"frames": number})
            if number < start:
                continue
            if end != -1 and number > end:
                break
            if detector is None:  # not before a frame is there: most damaged files have none
                detector = _opened(opener, options)
            landmarks, hands = detector.detect(image[:, ::-1] if job["mirror"] else image, seconds)
            points.append(landmarks)
            times.append(seconds)
            crowded += hands > 2
        if detector is None:
            raise DataError(f"{video.path} has {video.decoded} frames; expected frames {start} to {end}.")
        layout, identity = detector.layout, detector.identity
    finally:
        if detector is not None:
            detector.close()
    facts = {name: getattr(video, name) for name in ("size", "rotation", "damaged", "unordered", "resized")}
    facts |= {
        name: getattr(video, name)
        for name in ("packets", "declared_frames", "declared_seconds", "read_seconds", "missing_bytes")
    }
    facts |= {"cut_short": video.cut_short, "frames": video.decoded, "end": end}
    return facts | {
        "points": base64.b64encode(np.asarray(points, dtype="<f4").tobytes()).decode("ascii"),
        "times": times,
        "crowded": crowded,
        "layout": layout.to_json(),
        "detector": identity,
    }


def _opened(opener: Opener, options: DetectorOptions) -> Detector:
    try:
        return opener(options)
    except DataError as fault:
        raise _UnusableError(str(fault)) from fault


def _limit_memory() -> None:
    """No more addresses than a video takes, on systems that can limit them."""
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        wanted = _MEMORY if most == resource.RLIM_INFINITY else min(_MEMORY, most)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


if __name__ == "__main__":
    main()
