"""Readers that do what a hostile file may make a native library do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from asl_core import DataError, Layout, Part, Recording

LAYOUT = Layout([Part("hand-1", 21, "hand21")])


def recording(frames: int = 2, **facts) -> Recording:
    return Recording(id="a", layout=LAYOUT, points=np.ones((frames, 21, 3)), **facts)


def three(path: Path) -> Iterator[Recording]:
    for number in range(3):
        yield recording(number + 1, fps=25, size=(640, 480), notes=(f"é {os.getpid()}",), signer="7", split="val")


def uneven(path: Path) -> Iterator[Recording]:
    yield recording(3, times=np.array([0, 0.5, 2]), glosses=("go", "book"))


def crash(path: Path) -> Iterator[Recording]:
    yield recording()
    os.kill(os.getpid(), signal.SIGSEGV) if sys.platform != "win32" else os.abort()


def crash_at_once(path: Path) -> Iterator[Recording]:
    os.abort()


def leave(path: Path) -> Iterator[Recording]:
    os._exit(7)


def endless(path: Path) -> Iterator[Recording]:
    """One call of C code that holds the interpreter's lock."""
    sum(range(10**15))
    yield recording()


def large(path: Path) -> Iterator[Recording]:
    np.ones(1 << 28)
    yield recording()


def large_refused(path: Path) -> Iterator[Recording]:
    try:
        np.ones(1 << 28)
    except MemoryError as fault:
        raise DataError(f"{path} cannot be read") from fault
    yield recording()


def faulty(path: Path) -> Iterator[Recording]:
    table: dict[str, Recording] = {}
    yield table["a key"]


def printing(path: Path) -> Iterator[Recording]:
    """What a library prints is no answer."""
    print("noise" * 100)
    os.write(1, b"noise" * 100)
    yield recording()


def _answering(data: bytes) -> Iterator[Recording]:
    """A process that was taken over writes to its pipe."""
    for number in range(3, 30):
        try:
            os.write(number, data)
        except OSError:
            continue
    yield recording()


def nonsense(path: Path) -> Iterator[Recording]:
    yield from _answering(b"\x80\x04" * 1000)


def other_numbers(path: Path) -> Iterator[Recording]:
    facts = (
        b'{"id": "a", "signer": null, "split": null, "glosses": [], "notes": [], "fps": null, "size": null, '
        b'"times": 0, "layout": {"parts": [["a", 1, ""]], "axes": ["x"], "unit": "image"}, "shape": [99999, 1, 1]}'
    )
    yield from _answering(len(facts).to_bytes(8, "little") + (4).to_bytes(8, "little") + facts + b"1234")
