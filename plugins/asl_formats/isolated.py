"""Readers that call native libraries run in a process of their own, which a hostile file can at worst end.

The process serves many files, so that it is started and its libraries are imported once; what it does stands in
:mod:`asl_formats.serving`. It limits its own time and memory, and ends with its caller, or when idle for a minute. It
is not trusted: what it answers is JSON and bare numbers, which are checked here. Generators that are read at the same
time, as by threads, have a process each.

Both sides speak in turn. A request is a line of JSON; an answer is two lengths, JSON, numbers: a recording, the end, or
what went wrong.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import math
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from asl_core import DataError, Layout, MissingExtraError, Recording, parse_json
from asl_formats.headers import refused

__all__ = ["LENGTHS", "memory_for", "ready", "recordings", "seconds_for"]

LENGTHS = struct.Struct("<QQ")  #: before an answer: bytes of its JSON and of its numbers
_LONGEST = 4 << 20  #: bytes of the JSON of an answer
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from asl_formats.serving import serve; serve()"
)


def seconds_for(size: int) -> float:
    """Seconds of the clock that each recording of a file of ``size`` bytes may take."""
    return 30 + 2 * size / 2**20


def memory_for(size: int) -> int:
    """Bytes that reading a file of ``size`` bytes may take; enforced on Linux."""
    return (768 << 20) + 64 * size


def recordings(reader: str, library: str, path: Path, expected: str) -> Iterator[Recording]:
    """What a reader gives for a file, which it reads in another process.

    Args:
        reader: ``module:function``, from a path to recordings.
        library: module that it calls.
        path: the file.
        expected: what the file should be, for messages.

    Raises:
        DataError: the reader's own, or the file took too much time or memory, or ended the process.
        MissingExtraError: the library is not installed.
        RuntimeError: the reader has a fault, or no process can be started.
    """
    top = library.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        raise MissingExtraError(top.replace("_", "-"), "formats", f"reading {path}")
    try:
        size = path.stat().st_size
    except OSError as fault:
        raise refused(path, fault, expected) from fault
    seconds, memory = seconds_for(size), memory_for(size)
    begin: dict[str, Any] = {"reader": reader, "library": library, "path": str(path), "cwd": str(Path.cwd())}
    request = begin = {**begin, "seconds": seconds, "memory": memory}
    used, process = _process()
    try:
        while True:
            begun = time.monotonic()
            try:
                recording = _decoded(path, *process.answer(request, memory))
            except (EOFError, OSError, ValueError, TypeError, KeyError, AttributeError) as fault:
                ended, late = process.end(), time.monotonic() - begun >= seconds
                if used and request is begin and not late:
                    # It may have been idle for too long, or harmed by an earlier file: this one is not to blame yet.
                    used, process = False, _Process()
                    continue
                ended = ended if isinstance(fault, EOFError | OSError) else "gave no sound answer"
                reason = f"it took longer than {seconds:.3g} s" if late else f"reading it {ended}"
                raise refused(path, ValueError(reason), expected) from fault
            if recording is None:
                return
            request = {"next": True}
            yield recording
    except GeneratorExit:
        if process.usable():
            process.send({"stop": True})
        raise
    finally:
        process.free()


def _decoded(path: Path, facts: dict[str, Any], numbers: np.ndarray) -> Recording | None:
    """The recording of an answer; None for the end.

    Raises:
        DataError: the reader's, or for memory.
        RuntimeError: the reader has a fault.
        ValueError, TypeError, KeyError, AttributeError: it is no answer.
    """
    if "end" in facts:
        return None
    if "refused" in facts:
        raise DataError(str(facts["refused"])[:4000])
    if "memory" in facts:
        raise DataError(
            f"{path} takes more than {int(facts['memory']) >> 20:,} MiB to read, far more than a file of its size "
            f"should. Export or download it again, or split it."
        )
    if "fault" in facts:
        raise RuntimeError(f"reading {path} failed:\n{str(facts['fault'])[:20_000]}")
    texts = {name: facts[name] for name in ("id", "signer", "split") if facts[name] is not None}
    glosses, notes = tuple(facts["glosses"]), tuple(facts["notes"])
    if not all(isinstance(text, str) for text in (*texts.values(), *glosses, *notes)):
        raise TypeError("texts that are none")
    shape, count = [int(n) for n in facts["shape"]], 8 * int(facts["times"])
    if min(*shape, count) < 0 or 4 * math.prod(shape) + count != len(numbers):
        raise ValueError("numbers of another size")
    end, size = len(numbers) - count, facts["size"]
    return Recording(
        **texts, glosses=glosses, notes=notes, source=str(path), layout=Layout.from_json(facts["layout"]),
        points=numbers[:end].view(np.float32).reshape(shape),
        times=numbers[end:].copy().view(np.float64) if count else None,
        fps=None if facts["fps"] is None else float(facts["fps"]),
        size=None if size is None else (int(size[0]), int(size[1])),
    )  # fmt: skip


class _Process:
    """The process, as its caller has it.

    Raises:
        RuntimeError: it does not start.
    """

    def __init__(self) -> None:
        self._caller = os.getpid()
        self._process: Any = subprocess.Popen(  # noqa: S603  # Python itself
            [sys.executable, "-P", "-c", _START], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        try:
            self.answer(sys.path, 0)
        except (EOFError, OSError) as fault:
            reason = self._last_words()
            raise RuntimeError(f"a process to read files in {self.end()} at its start: {reason}") from fault

    def _last_words(self) -> str:
        lines = self._process.stderr.read(1 << 16).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "without a message"

    def send(self, request: Any) -> None:
        """Send a line of JSON."""
        self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def answer(self, request: Any, most: int) -> tuple[dict[str, Any], np.ndarray]:
        """JSON and numbers of the answer to a request.

        Raises:
            EOFError, OSError: the process ended.
            ValueError, TypeError: it is no answer, or has more than ``most`` bytes of numbers.
        """
        self.send(request)
        length, size = LENGTHS.unpack(self._read(LENGTHS.size).tobytes())
        if length > _LONGEST or size > most:
            raise ValueError(f"an answer of {length + size:,} bytes")
        facts = parse_json(self._read(length).tobytes().decode())
        if not isinstance(facts, dict):
            raise TypeError("an answer that is no table")
        return facts, self._read(size)

    def _read(self, count: int) -> np.ndarray:
        data = np.empty(count, np.uint8)
        rest = data.data
        while rest:
            got = self._process.stdout.readinto(rest)
            if not got:
                raise EOFError("the process ended")
            rest = rest[got:]
        return data

    def usable(self) -> bool:
        """Whether it runs, as far as can be seen, and was not copied by a fork."""
        return self._caller == os.getpid() and not self._process.stdin.closed and self._process.poll() is None

    def free(self) -> None:
        """Keep it for the next file, or forget it where it has ended."""
        if self.usable():
            _IDLE.append(self)
        else:
            self.end()

    def end(self) -> str:
        """End the process, and say how it ended."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            stream.close()
        if self._caller != os.getpid():
            self._process.returncode = 0  # that of another process, which is not waited for here
            return ""
        try:
            code = self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = 0
        if not code:
            return "gave no sound answer"
        names = {-number: number.name for number in signal.Signals}
        return f"ended its process with {names.get(code, f'exit code {code}')}"


_IDLE: list[_Process] = []  #: append and pop are atomic


def _process() -> tuple[bool, _Process]:
    """A process, and whether it has read other files."""
    while _IDLE:
        process = _IDLE.pop()
        if process.usable():
            return True, process
        process.end()
    return False, _Process()


def ready(library: str) -> None:
    """Have a process started, where none is idle, that has imported a library."""
    for _ in recordings("asl_formats.serving:nothing", library, Path(os.devnull), "nothing"):
        pass


@atexit.register
def _end_all() -> None:
    while _IDLE:
        _IDLE.pop().end()
