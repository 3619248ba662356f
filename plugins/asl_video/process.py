"""The worker as the program sees it: a video goes in, its landmarks come out, and it is ended where it stands still."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import attrs

from asl_core import DataError
from asl_video.detectors import DEFAULT_DETECTOR

__all__ = ["Job", "UnusableError", "Worker", "WorkerSettings", "worker"]


class UnusableError(DataError):
    """The detector or the decoder cannot be used, so that no video can be read."""


@attrs.frozen(kw_only=True)
class WorkerSettings:
    """How videos are read; the same for all of an extraction."""

    detector: str = DEFAULT_DETECTOR  #: name, or ``module:function``
    model: Path | None = None  #: model file of the detector
    mirror: bool = False  #: whether pictures are mirrored, as selfie cameras give them
    timeout: float = 60.0  #: seconds without a further frame after which a video is given up


@attrs.frozen(kw_only=True)
class Job:
    """A video, or frames ``start`` to ``end`` of it, counted from 1; -1 is the last."""

    video: Path
    start: int = 1
    end: int = -1


@attrs.frozen(eq=False)
class _Running:
    """A started process."""

    process: subprocess.Popen[str]
    questions: IO[str]
    errors: IO[bytes]  #: what it prints as errors
    answers: queue.Queue[str | None] = attrs.field(factory=queue.Queue)  #: its lines, and None at the end

    @classmethod
    def start(cls) -> _Running:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        process = subprocess.Popen(
            [sys.executable, "-m", "asl_video.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            text=True, encoding="utf-8", env=_environment(),
        )  # fmt: skip
        running = cls(process, cast("IO[str]", process.stdin), errors)
        threading.Thread(target=running.listen, daemon=True).start()
        return running

    def listen(self) -> None:
        """Hand on each line, and None at the end."""
        with contextlib.suppress(ValueError, OSError):  # closed while it was read
            for line in cast("IO[str]", self.process.stdout):
                self.answers.put(line)
        self.answers.put(None)

    def last_words(self) -> str:
        """The exit code, and the last line that it printed as an error."""
        code = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read()[-4096:].decode("utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"exit code {code}: {last[:200]}" if last else f"exit code {code}"

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        for stream in (self.questions, cast("IO[str]", self.process.stdout), self.errors):
            with contextlib.suppress(OSError):
                stream.close()


class Worker:
    """A process that reads one video after the other; it is started for the first one, and anew where one ended it."""

    def __init__(self, settings: WorkerSettings):
        self._settings = settings
        self._running: _Running | None = None
        self._closed = False
        self._lock = threading.Lock()

    def extract(self, job: Job) -> dict[str, Any]:
        """The answer of :mod:`asl_video.worker` for a video.

        Raises:
            DataError: the video cannot be read, or took too long.
            UnusableError: the detector cannot be used: a library or its model file is missing.
        """
        line = {"video": os.fspath(job.video.absolute()), "start": job.start, "end": job.end}
        return self._asked(line, os.fspath(job.video))

    def detector(self) -> str:
        """Name and version of the detector, once it was opened.

        Raises:
            UnusableError: it cannot be opened.
        """
        identity: str = self._asked({}, f"detector {self._settings.detector}")["detector"]
        return identity

    def close(self) -> None:
        """End the process, whatever it does; no further one is started."""
        with self._lock:
            self._closed = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.end()

    def _started(self) -> _Running:
        with self._lock:
            if self._closed:
                raise DataError("no video is read any more: the work was stopped.")
            if self._running is None:
                self._running = _Running.start()
            return self._running

    def _asked(self, question: dict[str, Any], what: str) -> dict[str, Any]:
        settings = self._settings
        line = question | {
            "detector": settings.detector, "mirror": settings.mirror,
            "model": None if settings.model is None else str(settings.model.absolute()),
        }  # fmt: skip
        running = self._started()
        with contextlib.suppress(OSError):  # it has ended, which the missing answer says
            running.questions.write(json.dumps(line) + "\n")
            running.questions.flush()
        while True:
            answer = self._answer(running, what)
            if "result" in answer:
                result: dict[str, Any] = answer["result"]
                return result
            if "fault" in answer:
                raise DataError(answer["fault"])
            if "unusable" in answer:
                raise UnusableError(answer["unusable"])

    def _answer(self, running: _Running, what: str) -> dict[str, Any]:
        try:
            line = running.answers.get(timeout=self._settings.timeout)
        except queue.Empty:
            self._end()
            raise DataError(
                f"{what} gave no further frame within {self._settings.timeout:g} seconds; it is damaged, or larger "
                f"than this machine can decode."
            ) from None
        if line is None:
            if self._closed:
                raise DataError(f"{what} was being read when the work was stopped.")
            said = running.last_words()
            self._end()
            raise DataError(f"{what} ended the process that read it ({said}); it is damaged.")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def worker(settings: WorkerSettings) -> Iterator[Worker]:
    """A worker that is ended with the block."""
    made = Worker(settings)
    try:
        yield made
    finally:
        made.close()


def _environment() -> dict[str, str]:
    """The environment of the worker: it imports what this program can, and prints little."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return os.environ | {"PYTHONPATH": path, "GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3"}
