"""Checks of formats: its own files recognised and read the same each time, all others refused with DataError."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from asl_core.clips.recording import Recording
from asl_core.contracts import Format
from asl_core.errors import DataError, MissingExtraError
from asl_core.registry.component import Component
from asl_core.testing.checks import Checks, ContractError, SkippedCheck, require
from asl_core.testing.components import hold_all
from asl_core.testing.other_files import FileBench, cut_copies, other_files, recognised

__all__ = ["FORMAT_CHECKS", "FormatBench", "check_format"]

_TIMEOUT = 30  #: seconds for a damaged file, which is refused in milliseconds


def check_format(component: Component, *, sample: Path | None = None, **options: Any) -> None:
    """Check a format against its contract.

    Args:
        component: the format.
        sample: a file or folder of the format; without one only refusals are checked.
        options: other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold_all(FORMAT_CHECKS, FormatBench(component, options, sample=sample))


@attrs.define(slots=False)
class FormatBench(FileBench):
    """A format, built as ``factory(options)``."""

    def recordings(self) -> list[Recording]:
        """The recordings of the sample, by a new instance.

        Raises:
            SkippedCheck: there is no sample, or the library that reads it is not installed.
        """
        try:
            return list(self.make().read(self.path))
        except MissingExtraError as fault:
            raise SkippedCheck(str(fault)) from fault


def _builds(bench: FormatBench) -> str:
    """factory(options) returns an object with recognises(path), read(path), and suffixes such as ('.pose',), if any."""
    made = bench.make()
    for name in ("recognises", "read"):
        require(callable(getattr(made, name, None)), f"a {type(made).__name__} has no method {name}")
    suffixes = getattr(made, "suffixes", ())
    valid = isinstance(suffixes, Sequence) and not isinstance(suffixes, str)
    valid = valid and all(isinstance(s, str) and s == s.lower() and s.startswith(".") for s in suffixes)
    require(valid, f"suffixes is {suffixes!r}; expected lower-case endings with their dot, such as ('.pose',)")
    return ", ".join(suffixes) or "any file name"


def _other_files(bench: FormatBench) -> str:
    """Files and folders of other formats are not recognised, and ``read`` raises DataError for them."""
    suffixes = [".bin", *getattr(bench.make(), "suffixes", ()), *([bench.sample.suffix] if bench.sample else [])]
    with other_files(suffixes) as paths:
        for path in paths:
            require(not recognised(bench.make(), path), f"it recognises {path.name}, which is not of the format")
            require(not _read(bench.make(), path, path.name), f"{path.name} is read as if it were of the format")
    return f"{len(paths)} paths"


def _recognises(bench: FormatBench) -> None:
    """Its own file is recognised, and its name ends in one of ``suffixes``, if any."""
    path = bench.path
    require(recognised(bench.make(), path), f"it does not recognise {path.name}")
    suffixes = tuple(getattr(bench.make(), "suffixes", ()))
    tried = not suffixes or path.name.lower().endswith(suffixes)
    require(tried, f"{path.name} ends in none of its suffixes ({', '.join(suffixes)}): it would never be tried on it")


def _reads(bench: FormatBench) -> str:
    """``read`` gives recordings with unique ids, a source, frames, and points that are finite or wholly NaN."""
    recordings = bench.recordings()
    name = bench.path.name
    require(recordings, f"{name} gives no recording")
    for recording in recordings:
        require(isinstance(recording, Recording), f"read gives a {type(recording).__name__}; expected a Recording")
        where, points = f"recording {recording.id!r} of {name}", recording.points
        require(recording.id.strip(), f"a recording of {name} has an empty id")
        require(recording.source.strip(), f"{where} has no source, by which messages name the file")
        require(len(points) > 0, f"{where} has no frame")
        require(not np.isinf(points).any(), f"{where} has infinite numbers")
        gaps = np.isnan(points)
        require((gaps.all(-1) == gaps.any(-1)).all(), f"{where} has points that are NaN on some axes and not on others")
        require(recording.to_clip().id == recording.id, f"{where} becomes a clip of another id")
    ids = [recording.id for recording in recordings]
    require(len(set(ids)) == len(ids), f"ids of the recordings of {name} are not unique")
    require(any(np.isfinite(r.points).any() for r in recordings), f"no point of {name} was seen: give another sample")
    return f"{len(recordings)} recordings; {recordings[0].layout}"


def _same_again(bench: FormatBench) -> None:
    """Its own file gives the same recordings, in the same order, each time."""
    first, second = bench.recordings(), bench.recordings()
    same = [r.id for r in first] == [r.id for r in second]
    require(same, f"{bench.path.name} gives other recordings, or another order, when read again")
    for one, two in zip(first, second, strict=True):
        same = one.layout == two.layout and np.array_equal(one.points, two.points, equal_nan=True)
        require(same, f"recording {one.id!r} of {bench.path.name} gives other points when read again")


def _damaged(bench: FormatBench) -> None:
    """A copy of its own file that is cut short (of a folder, its largest file) is refused with DataError."""
    bench.recordings()  # skips the check where the library is missing, since then every file is refused
    with cut_copies(bench.path) as copies:
        for copy, description in copies:
            recognised(bench.make(), copy)
            require(not _read(bench.make(), copy, description), f"{description} is read as if it were whole")


def _read(made: Format, path: Path, description: str) -> bool:
    """Whether ``read`` gives recordings rather than DataError, within :data:`_TIMEOUT` seconds."""
    outcome: list[bool | Exception] = []

    def read() -> None:
        try:
            outcome.append(bool(list(made.read(path))))
        except Exception as fault:
            outcome.append(fault)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(_TIMEOUT)
    require(outcome, f"read({description}) was not done after {_TIMEOUT} s")
    result = outcome[0]
    if isinstance(result, DataError):
        return False
    if isinstance(result, Exception):
        text = f"read({description}) raised {type(result).__name__}: {result}; expected a DataError with what to do"
        raise ContractError(text) from result
    return result


FORMAT_CHECKS: Checks[FormatBench] = {
    "builds": _builds,
    "other files": _other_files,
    "recognises": _recognises,
    "reads": _reads,
    "same again": _same_again,
    "damaged": _damaged,
}
