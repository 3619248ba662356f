"""What a process does that reads files for another: see :mod:`asl_formats.isolated`.

It limits itself: a timer ends it where a file takes too long, whatever code is at work then, and on Linux the operating
system refuses memory beyond a limit. macOS and Windows have no such limit that can be relied on.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from asl_core import AslError, Recording
from asl_formats.isolated import LENGTHS

__all__ = ["nothing", "serve"]

_IDLE = 60.0  #: seconds without a request after which the process ends
Answer = tuple[dict[str, Any], list[np.ndarray]]


def nothing(_: Path) -> Iterator[Recording]:
    """A reader of no recordings."""
    return iter(())


def serve() -> NoReturn:
    """Read files as requested on the standard input, until it is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who may go on for a while
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # where libraries print
    os.dup2(nowhere, 2)
    _send(answers, ({}, []))
    reading: Iterator[Recording] | None = None
    limits: dict[str, Any] = {}
    while True:
        _end_after(_IDLE if reading is None else 0)  # between two recordings a caller may take an hour
        line = sys.stdin.buffer.readline()
        if not line:
            os._exit(0)  # at once, whatever the libraries left
        request = json.loads(line)
        if "stop" in request:
            reading = None
            continue
        limits = request if "path" in request else limits
        _end_after(limits["seconds"])
        try:
            reading = _begun(request) if "path" in request else reading
            answer = _next(reading)
        except MemoryError:
            answer = {"memory": limits["memory"]}, []
        except AslError as fault:
            # Readers refuse whatever their library raises.
            short = isinstance(fault.__cause__, MemoryError)
            answer = {"memory": limits["memory"]} if short else {"refused": str(fault)}, []
        except Exception:
            answer = {"fault": traceback.format_exc(limit=-10)[-20_000:]}, []
        reading = reading if "layout" in answer[0] else None
        _send(answers, answer)


def _begun(request: dict[str, Any]) -> Iterator[Recording]:
    os.chdir(request["cwd"])
    importlib.import_module(request["library"])  # before its memory is limited
    module, _, name = request["reader"].partition(":")
    reader = getattr(importlib.import_module(module), name)
    _limit_memory(request["memory"])
    reading: Iterator[Recording] = reader(Path(request["path"]))
    return reading


def _next(reading: Iterator[Recording] | None) -> Answer:
    recording = None if reading is None else next(reading, None)
    if recording is None:
        return {"end": True}, []
    facts = {name: getattr(recording, name) for name in ("id", "signer", "split", "glosses", "notes", "fps", "size")}
    facts |= {"layout": recording.layout.to_json(), "shape": recording.points.shape, "times": 0}
    if recording.times is None:
        return facts, [recording.points]
    return {**facts, "times": len(recording.times)}, [recording.points, recording.times.astype(np.float64)]


def _send(stream: BinaryIO, answer: Answer) -> None:
    facts, arrays = answer
    text = json.dumps(facts).encode()
    stream.write(LENGTHS.pack(len(text), sum(array.nbytes for array in arrays)) + text)
    stream.writelines(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in arrays)
    stream.flush()


def _end_after(seconds: float) -> None:
    """Have this process ended in so many seconds, whatever code is at work then; 0 for not at all."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)  # SIGALRM, which nobody handles, ends a process
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True)  # by a thread that needs no lock of Python
    else:
        faulthandler.cancel_dump_traceback_later()


def _limit_memory(most: int) -> None:
    """Let private memory grow by so many bytes; addresses that allocators only reserve do not count."""
    if sys.platform != "linux":
        return
    import resource

    with open("/proc/self/status", "rb") as file:  # noqa: PTH123 - for every file
        line = next(line for line in file if line.startswith(b"VmData"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = int(line.split()[1]) * 1024 + most
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))
