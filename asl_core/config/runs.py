"""Finding runs by name, and listing them with their figures. Imports no torch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import filelock

from asl_core.config.project_file import outside, project_layer
from asl_core.config.sources import Layer, env_layer, merge, toml_layer
from asl_core.errors import CheckpointError, ConfigError, UsageError, nearest
from asl_core.files.bounded import parse_json, read_json

__all__ = [
    "RunSummary",
    "find_run",
    "known_run",
    "list_runs",
    "nearest_run",
    "out_folder",
]

_DEPTH = 4  #: levels of folders that are listed; asl compare puts runs into OUT/NAME-seed0/run
_LARGEST = 64 << 20  #: bytes of a metrics.jsonl, which has some hundred per epoch
FIGURES = ("top1", "top5", "wer")


@attrs.frozen
class RunSummary:
    """A summary of a run directory, without its weights."""

    path: Path
    name: str  #: relative to the folder that was listed
    state: str  #: ``done``, ``cut off``, ``running``, ``not begun`` or ``damaged``
    epochs: int = 0  #: finished ones
    planned: int | None = None
    figures: Mapping[str, float] = attrs.field(factory=dict)  #: ``top1``, ``top5``, ``wer`` of val, where they exist
    dataset: str = ""
    encoder: str = ""
    heads: tuple[str, ...] = ()
    changed: float = 0.0  #: seconds since 1970 of its last file
    size: int = 0  #: bytes of all its files
    reason: str = ""  #: why it is damaged

    @property
    def date(self) -> str:
        """Local time of its last change."""
        return datetime.fromtimestamp(self.changed).strftime("%Y-%m-%d %H:%M") if self.changed else ""

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        fields = {**attrs.asdict(self), "path": str(self.path)}
        return {**fields, "changed": datetime.fromtimestamp(self.changed).astimezone().isoformat(timespec="seconds")}


def out_folder() -> Path:
    """The folder of runs: ``run.out`` of the environment or of ``asl.toml``, or ``runs``."""
    environment = env_layer(os.environ)
    project = project_layer()
    if problems := outside({k: s for k, s in project.items() if k == "run.out"}, [environment]):
        raise ConfigError(problems)
    settings, _ = merge([project, environment])
    out = settings.get("run.out")
    return Path(out.value) if out is not None and isinstance(out.value, str) else Path("runs")


def find_run(text: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> Path:
    """A run by its path or, where there is no such path, by its name in the folder of runs.

    Args:
        text: ``runs/NAME``, ``NAME``, ``CURRICULUM/STAGE``, or one of a run's files.
        out: the folder of runs (default: :func:`out_folder`).

    Raises:
        UsageError: there is neither; the message has the nearest name.
    """
    path = Path(text)
    if (run := known_run(path, out)) is not None:
        return run
    folder = Path(out) if out is not None else out_folder()
    hint = nearest_run(path, folder)
    raise UsageError(
        f"there is no run {os.fspath(text)!r}, neither here nor in {folder}{hint or '.'} `asl runs` lists all."
    )


def known_run(path: Path, out: str | os.PathLike[str] | None = None) -> Path | None:
    """The path itself, or else the run of that name in the folder of runs; None where there is neither."""
    if os.path.lexists(path):
        return path
    folder = Path(out) if out is not None else out_folder()
    return folder / path if not path.is_absolute() and os.path.lexists(folder / path) else None


def nearest_run(path: Path, folder: Path) -> str:
    """``; did you mean 'gru-2'?`` for a mistyped name of a run, or nothing."""
    known = [run.relative_to(folder).as_posix() for run, begun in _directories(folder) if begun]
    hint = nearest(path.as_posix().removeprefix(f"{folder.as_posix()}/"), known)
    return hint if hint.endswith("?") else ""


def list_runs(folder: Path) -> list[RunSummary]:
    """Every run below a folder, those of a curriculum together.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; expected a folder of runs, as --out names it, such as runs.")
    return [_summary(path, path.relative_to(folder).as_posix(), begun) for path, begun in _directories(folder)]


def _directories(folder: Path, depth: int = _DEPTH) -> Iterator[tuple[Path, bool]]:
    """Run directories and whether each began, by name; stages in the order of their plan."""
    try:
        children = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: _natural(p.name))
    except OSError:
        return  # not readable by this user
    stages = _stages(folder)
    for name in stages:
        if not (folder / name / "config.toml").is_file():
            yield folder / name, False
    for child in children:
        if (child / "config.toml").is_file():
            yield child, True
        elif child.name not in stages and depth > 1:
            yield from _directories(child, depth - 1)


def _stages(folder: Path) -> list[str]:
    """Stages that a curriculum plans in this folder."""
    with contextlib.suppress(CheckpointError):  # a damaged plan does not hide runs
        if (folder / "curriculum.json").is_file():
            return [name for name in read_json(folder / "curriculum.json", "") if Path(name).name == name]
    return []


def _natural(name: str) -> list[tuple[int, str]]:
    """``gru-2`` before ``gru-10``."""
    parts, number = [], ""
    for char in name:
        if char.isdecimal():
            number += char
            continue
        if number:
            parts.append((int(number[-18:]), ""))
            number = ""
        parts.append((-1, char.lower()))
    return [*parts, (int(number[-18:]), "")] if number else parts


def _summary(path: Path, name: str, begun: bool) -> RunSummary:
    if not begun:
        return RunSummary(path, name, "running" if _is_locked(path) else "not begun")
    size, changed = _files(path)
    summary = RunSummary(path, name, "cut off", size=size, changed=changed)
    try:
        summary = attrs.evolve(summary, **_choices(toml_layer(path / "config.toml")))
        done = (path / "summary.json").is_file()
        outcome = read_json(path / "summary.json", "") if done else {}
        history = _history(path / "metrics.jsonl")
        summary = attrs.evolve(summary, epochs=len(history), figures=_figures(outcome, history))
        if done and not (path / "final.safetensors").is_file():
            raise CheckpointError("final.safetensors is missing")
    except (CheckpointError, ConfigError, OSError, ValueError, RecursionError) as fault:
        return attrs.evolve(summary, state="damaged", reason=" ".join(str(fault).split())[:300])
    return attrs.evolve(summary, state="done" if done else "running" if _is_locked(path) else "cut off")


def _choices(settings: Layer) -> dict[str, Any]:
    """Components and epochs in a run's config.toml."""

    def text(key: str) -> str:
        value = settings[key].value if key in settings else ""
        return value if isinstance(value, str) else ""

    heads = [key.split(".")[1] for key in settings if key.startswith("heads.") and key.count(".") == 2]
    planned = settings["train.epochs"].value if "train.epochs" in settings else None
    return {
        "dataset": text("dataset.name"),
        "encoder": text("encoder.name"),
        "heads": tuple(text(f"heads.{name}.name") for name in dict.fromkeys(heads)),
        "planned": planned if isinstance(planned, int) and not isinstance(planned, bool) else None,
    }


def _history(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"{file.name} has {file.stat().st_size:,} bytes")
    lines = file.read_text(encoding="utf-8").splitlines()
    entries: list[dict[str, Any]] = parse_json(f"[{','.join(lines)}]")  # at once, so that the bound is on all lines
    if not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{file.name} has lines that no run writes")
    return entries


def _figures(outcome: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The figures of the last weights: of the final report, or of the last epoch so far."""
    report = outcome.get("report")
    whole = report.get("metrics") if isinstance(report, dict) else None
    last = history[-1].get("val") if history else None
    values = {**(last if isinstance(last, dict) else {}), **(whole if isinstance(whole, dict) else {})}
    return {k: float(v) for k in FIGURES if isinstance(v := values.get(k), int | float)}


def _files(path: Path) -> tuple[int, float]:
    """Bytes of all files of a run, and the time of the last change; does not follow links."""
    size, changed = 0, 0.0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):  # removed meanwhile
                stat = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - quicker for thousands
                size += stat.st_size
                if name != ".lock":
                    changed = max(changed, stat.st_mtime)
    return size, changed


def _is_locked(path: Path) -> bool:
    """Whether a process is writing the run."""
    lock = path / ".lock"
    if lock.is_symlink() or not lock.is_file():
        return False
    try:
        with filelock.FileLock(lock, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except (OSError, NotImplementedError):  # a read-only disk: no process writes the run
        return False
