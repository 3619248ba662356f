"""Reading many inputs: each judged, what is found told apart, and the figures of it all."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz.guard import Verdict, judge, watch
from fuzz.readers import Reader, warm_up
from fuzz.ways import same_as_reference

__all__ = ["Session"]


class Session:
    """One reader at work.

    Args:
        reader: which.
        keep: folder for the inputs that break a rule, one for each cause.
        warm: whether whatever is made on first use is made already.
    """

    def __init__(self, reader: Reader, keep: Path | None = None, *, warm: bool = False):
        self.reader = reader
        self.keep = keep
        self.folder = Path(tempfile.mkdtemp(prefix=f"asl-fuzz-{reader.name}-"))
        self.inside = self.folder / "run" if reader.lay_out else self.folder
        self.runs = self.accepted = self.refused = self.beyond = 0
        self.slowest, self.memory, self.largest = 0.0, 0, 0
        self.found: dict[str, dict[str, Any]] = {}
        self._deep = False
        self._marks: list[tuple[Any, str, Callable[..., Any]]] = []
        if not warm:
            warm_up(reader, self.folder)
        for mark in reader.beyond:
            self._mark(mark)
        watch()
        self.begun = time.process_time()

    def _mark(self, mark: str) -> None:
        """Notice calls of a function."""
        module, _, name = mark.partition(":")
        owner: Any = importlib.import_module(module)
        *parts, last = name.split(".")
        for part in parts:
            owner = getattr(owner, part)
        function: Callable[..., Any] = getattr(owner, last)
        self._marks.append((owner, last, function))

        def noticed(*args: Any, **more: Any) -> Any:
            self._deep = True
            return function(*args, **more)

        setattr(owner, last, noticed)

    def read(self, data: bytes) -> Verdict:
        """Judge one input."""
        self.runs += 1
        self._deep = False
        path = self.reader.place(data, self.folder)
        if self.reader.ready is not None:
            self.reader.ready()
        size, reader = self.reader.size(data), self.reader
        verdict = judge(reader.ways, path, size, self.inside, every=reader.every, times=reader.times)
        if verdict.accepted and self.reader.name == "pickle":
            try:
                with contextlib.suppress(ValueError, RuntimeError, TypeError):  # numpy's own reading failed, not ours
                    same_as_reference(path)
            except AssertionError as fault:
                verdict = Verdict(False, "wrong", str(fault), "reference")
        self.accepted += verdict.accepted
        self.refused += not verdict.accepted and not verdict.rule
        self.beyond += self._deep or verdict.accepted
        self.slowest, self.memory = max(self.slowest, verdict.seconds), max(self.memory, verdict.memory)
        self.largest = max(self.largest, len(data))
        if verdict.rule:
            self._note(data, verdict)
        return verdict

    def _note(self, data: bytes, verdict: Verdict) -> None:
        cause = f"{verdict.rule}: {verdict.where}"
        known = self.found.get(cause)
        if known is not None:
            known["times"] += 1
            if len(data) >= known["bytes"]:
                return
        times = known["times"] if known else 1
        first = known["run"] if known else self.runs
        self.found[cause] = {"run": first, "times": times, "bytes": len(data), "detail": verdict.detail}
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{hashlib.sha256(cause.encode()).hexdigest()[:12]}.bin").write_bytes(data)

    def figures(self) -> dict[str, Any]:
        """All of it, for a table."""
        return {
            "reader": self.reader.name, "runs": self.runs, "accepted": self.accepted, "refused": self.refused,
            "beyond": self.beyond, "slowest": self.slowest, "memory": self.memory, "largest": self.largest,
            "seconds": time.process_time() - self.begun, "found": self.found,
        }  # fmt: skip

    def close(self) -> None:
        """Leave everything as it was; only the audit hook stays, and is idle."""
        for owner, name, function in self._marks:
            setattr(owner, name, function)
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, file: Path) -> None:
        """The figures so far, so that a crash of the process loses none."""
        part = file.with_suffix(".part")
        part.write_text(json.dumps(self.figures(), indent=1), encoding="utf-8")
        part.replace(file)
