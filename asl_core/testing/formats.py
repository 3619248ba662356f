"""What a format promises: its own files recognised and read alike each time, all others refused in words."""

from __future__ import annotations

import shutil
import tempfile
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
from asl_core.testing.checks import Bench, Checks, ContractError, SkippedCheck, hold, require
from asl_core.testing.components import COMPONENT_CHECKS

__all__ = ["FORMAT_CHECKS", "FormatBench", "check_format"]

_PATIENCE = 30  #: seconds for a damaged file, which is refused in milliseconds
_CONTENTS = {
    "empty": b"",
    "text": b"epoch,loss\n1,0.5\n" * 40,
    "noise": bytes(range(7, 256, 3)) * 20,
    "zeros": bytes(2048),
}


def check_format(component: Component, *, sample: Path | None = None, **options: Any) -> None:
    """Every promise of a format; see :data:`FORMAT_CHECKS`.

    Args:
        component: the format.
        sample: a file or folder of the format; without one only refusals are checked.
        options: other than the defaults.

    Raises:
        ContractError: the first promise that is broken.
    """
    bench = FormatBench(component, options, sample=sample)
    hold(COMPONENT_CHECKS, bench)
    hold(FORMAT_CHECKS, bench)


@attrs.define(slots=False)
class FormatBench(Bench):
    """A format, built as ``factory(options)``."""

    sample: Path | None = attrs.field(default=None, kw_only=True)

    @property
    def path(self) -> Path:
        """The sample.

        Raises:
            SkippedCheck: none was given.
        """
        if self.sample is None:
            raise SkippedCheck(f"it needs a file or folder of the format: --sample {self.component.name}=PATH")
        return self.sample

    def recordings(self) -> list[Recording]:
        """Those of the sample, by a new instance.

        Raises:
            SkippedCheck: there is no sample, or the library that reads it is not installed.
        """
        try:
            return list(self.make().read(self.path))
        except MissingExtraError as fault:
            raise SkippedCheck(str(fault)) from fault


def _builds(bench: FormatBench) -> str:
    made = bench.make()
    for name in ("recognises", "read"):
        require(callable(getattr(made, name, None)), f"a {type(made).__name__} has no method {name}")
    suffixes = getattr(made, "suffixes", ())
    valid = isinstance(suffixes, Sequence) and not isinstance(suffixes, str)
    valid = valid and all(isinstance(s, str) and s == s.lower() and s.startswith(".") for s in suffixes)
    require(valid, f"suffixes is {suffixes!r}; expected endings in small letters with their dot, such as ('.pose',)")
    return ", ".join(suffixes) or "any file name"


def _strangers(bench: FormatBench) -> str:
    """Files and folders that are not of the format: not recognised, and refused in words."""
    suffixes = [*getattr(bench.make(), "suffixes", ()), *([bench.sample.suffix] if bench.sample else []), ".bin"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "folder").mkdir()
        offered = [folder / "missing.bin", folder / "folder"]
        for suffix in dict.fromkeys(suffixes):
            for kind, content in _CONTENTS.items():
                offered.append(folder / f"{kind}{suffix}")
                offered[-1].write_bytes(content)
        for path in offered:
            require(not _recognised(bench.make(), path), f"it recognises {path.name}, which is not of the format")
            require(not _read(bench.make(), path, path.name), f"{path.name} is read as if it were of the format")
    return f"{len(offered)} paths"


def _recognises(bench: FormatBench) -> None:
    path = bench.path
    require(_recognised(bench.make(), path), f"it does not recognise {path.name}")
    suffixes = tuple(getattr(bench.make(), "suffixes", ()))
    asked = path.is_dir() or not suffixes or path.name.lower().endswith(suffixes)
    require(asked, f"{path.name} ends in none of its suffixes ({', '.join(suffixes)}): it would never be asked about")


def _reads(bench: FormatBench) -> str:
    recordings = bench.recordings()
    name = bench.path.name
    require(recordings, f"{name} gives no recording")
    for recording in recordings:
        require(isinstance(recording, Recording), f"read gives a {type(recording).__name__}; expected a Recording")
        where, points = f"recording {recording.id!r} of {name}", recording.points
        require(recording.id.strip(), f"a recording of {name} has an empty id")
        require(recording.source.strip(), f"{where} has no source: messages name the file by it")
        require(len(points) > 0, f"{where} has no frame")
        require(not np.isinf(points).any(), f"{where} holds infinite numbers")
        gaps = np.isnan(points)
        require((gaps.all(-1) == gaps.any(-1)).all(), f"{where} has points that are NaN on some axes and not on others")
        require(recording.to_clip().id == recording.id, f"{where} becomes a clip of another id")
    ids = [recording.id for recording in recordings]
    require(len(set(ids)) == len(ids), f"ids of the recordings of {name} are not unique")
    require(any(np.isfinite(r.points).any() for r in recordings), f"no point of {name} was seen: give another sample")
    return f"{len(recordings)} recordings; {recordings[0].layout}"


def _same_again(bench: FormatBench) -> None:
    first, second = bench.recordings(), bench.recordings()
    same = [r.id for r in first] == [r.id for r in second]
    require(same, f"{bench.path.name} gives other recordings, or another order, when read again")
    for one, two in zip(first, second, strict=True):
        same = one.layout == two.layout and np.array_equal(one.points, two.points, equal_nan=True)
        require(same, f"recording {one.id!r} of {bench.path.name} gives other points when read again")


def _damaged(bench: FormatBench) -> None:
    """Its own file, cut short; of a folder, its largest file."""
    path = bench.path
    bench.recordings()  # where its library is missing every file would be refused
    with tempfile.TemporaryDirectory() as name:
        for share in (0.0, 0.1, 0.5, 0.95):
            copy = Path(name) / f"{share:.0%}".rstrip("%") / path.name
            copy.parent.mkdir()
            target = copy
            if path.is_dir():
                shutil.copytree(path, copy)
                files = sorted(file for file in copy.rglob("*") if file.is_file())
                require(files, f"the folder {path.name} holds no file")
                target = max(files, key=lambda file: file.stat().st_size)
            content = (target if path.is_dir() else path).read_bytes()
            target.write_bytes(content[: int(share * len(content))])
            _recognised(bench.make(), copy)
            what = (
                f"{path.name} with {target.name} cut to {share:.0%}"
                if path.is_dir()
                else f"{path.name} cut to {share:.0%}"
            )
            require(not _read(bench.make(), copy, what), f"{what} is read as if it were whole")


def _recognised(made: Format, path: Path) -> bool:
    """What ``recognises`` answers; it may not raise."""
    try:
        answer = made.recognises(path)
    except Exception as fault:
        text = f"recognises({path.name}) raised {type(fault).__name__}: {fault}; it must answer, whatever the file is"
        raise ContractError(text) from fault
    require(isinstance(answer, bool), f"recognises({path.name}) gives {answer!r}; expected True or False")
    return answer


def _read(made: Format, path: Path, what: str) -> bool:
    """Whether ``read`` gives recordings rather than a DataError, within :data:`_PATIENCE` seconds."""
    outcome: list[bool | Exception] = []

    def read() -> None:
        try:
            outcome.append(bool(list(made.read(path))))
        except Exception as fault:
            outcome.append(fault)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(_PATIENCE)
    require(outcome, f"read({what}) was not done after {_PATIENCE} s")
    result = outcome[0]
    if isinstance(result, DataError):
        return False
    if isinstance(result, Exception):
        text = f"read({what}) raised {type(result).__name__}: {result}; expected a DataError that says what to do"
        raise ContractError(text) from result
    return result


FORMAT_CHECKS: Checks[FormatBench] = {
    "builds": _builds,
    "strangers": _strangers,
    "recognises": _recognises,
    "reads": _reads,
    "same again": _same_again,
    "damaged": _damaged,
}
