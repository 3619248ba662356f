"""Fuzzing sessions, each a child of one process that has everything imported, instrumented and made already.

To import torch under atheris and to train the run that seeds are made of takes half a minute of the processor; a fork
takes none. libFuzzer, through atheris, drives one reader in each child.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]
import attrs

#: what is instrumented: all of asl's reading, and the parsers below it that are written in Python
_COVERED = [
    "asl_core",
    "asl_wlasl",
    "asl_stages",
    "asl_packed",
    "asl_formats",
    "tomllib",
    "torch._weights_only_unpickler",
    "fuzz.ways",
]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """atheris names every module that it instruments."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with warnings.catch_warnings(), _quiet():
    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=_COVERED, enable_loader_override=False):
        import torch

        from fuzz.readers import READERS, warm_up

        for _name in ("loaders", "loaders_pt", "loaders_run"):
            importlib.import_module(f"asl_stages.{_name}")

from fuzz.plain import bombs_of, grown  # noqa: E402
from fuzz.plants import PLANTS  # noqa: E402
from fuzz.session import Session  # noqa: E402

__all__ = ["Task", "prepare", "work"]


@attrs.frozen
class Task:
    """One session."""

    reader: str
    runs: int
    seed: int
    plant: str = ""
    seconds: float = float("inf")  #: of the processor, after which it ends
    bombs: float = 0.005  #: share of the inputs
    patience: int = 300  #: seconds of the clock for one input, for what never ends


def prepare(readers: Iterable[str]) -> None:
    """Make whatever is made on first use, for all children at once."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="asl-fuzz-") as folder:
        for name in readers:
            warm_up(READERS[name], Path(folder))


def work(
    tasks: list[Task], jobs: int, progress: Callable[[list[dict[str, Any]]], None]
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Each task with what came of it, in the order in which they end.

    Args:
        tasks: all of them.
        jobs: children at a time.
        progress: is given the figures of the running ones, every few seconds.
    """
    waiting, running = list(tasks), dict[int, tuple[Task, Path]]()
    told = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.pop(0)
                folder = Path(tempfile.mkdtemp(prefix=f"asl-fuzz-session-{task.reader}-"))
                running[_start(task, folder)] = task, folder
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended in running:
                task, folder = running.pop(ended)
                yield task, _figures(task, folder, status)
            else:
                time.sleep(0.1)
            if time.monotonic() - told > 5:
                told = time.monotonic()
                progress([_read(folder, task) for task, folder in running.values()])
    finally:
        for child in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _start(task: Task, folder: Path) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)  # what is typed at the keyboard is for the parent
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        atexit._clear()  # the parent's folders stay
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(folder)
        tempfile.tempdir = str(folder)
        _fuzz(task, folder)
    except BaseException as fault:
        print(f"{type(fault).__name__}: {fault}", file=sys.stderr, flush=True)
    finally:
        os._exit(3)


def _fuzz(task: Task, folder: Path) -> NoReturn:
    """Until so many inputs were read, the time is up, or a planted bug was found."""
    warnings.simplefilter("error")  # a warning on a user's screen is no message either
    reader = READERS[task.reader]
    pool = reader.seeds()
    session = Session(reader, folder / "found", warm=True)
    if task.plant:
        PLANTS[task.reader][task.plant]()
    (folder / "grown").mkdir()
    known = list(bombs_of(reader, 300_000, task.seed))
    if task.bombs > 0.005:
        known += bombs_of(reader, 7_000_000, task.seed, 8)
    for number, data in enumerate((*pool, *known)):
        (folder / "grown" / f"seed{number}").write_bytes(data)
    figures = folder / "figures.json"
    written = time.monotonic()

    def mutate(data: bytes, max_size: int, number: int) -> bytes:
        random = Random(number)
        made = grown(reader, data, random, pool, task.bombs)
        return made if len(made) <= max_size else random.choice(pool)

    def one(data: bytes) -> None:
        nonlocal written
        session.read(bytes(data))
        over = session.runs >= task.runs or time.process_time() - session.begun > task.seconds
        if over or (task.plant and session.found):
            session.write(figures)
            os._exit(0)
        if time.monotonic() - written > 2:
            session.write(figures)
            written = time.monotonic()

    session.write(figures)
    # More runs than asked for: libFuzzer reads the empty input and the valid files first.
    words = ["fuzz", str(folder / "grown"), f"-runs={task.runs + 1000}", f"-seed={task.seed}", "-max_len=16000000",
             f"-timeout={task.patience}", "-rss_limit_mb=6000", "-report_slow_units=100000", "-mutate_depth=2",
             "-len_control=0", f"-artifact_prefix={folder}/crash-", "-print_final_stats=1"]  # fmt: skip
    atheris.Setup(words, one, custom_mutator=mutate, internal_libfuzzer=True)
    atheris.Fuzz()
    os._exit(0)


def _read(folder: Path, task: Task) -> dict[str, Any]:
    file = folder / "figures.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"runs": 0, "found": {}}
    return found | {"reader": task.reader, "plant": task.plant, "seed": task.seed}


def _figures(task: Task, folder: Path, status: int) -> dict[str, Any]:
    """What a child that ended leaves; its folder stays where it found something."""
    found = _read(folder, task)
    log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    seen = re.findall(r"cov: (\d+)", log)
    found["coverage"] = int(seen[-1]) if seen else 0
    for crash in folder.glob("crash-*"):
        rule = crash.name.split("-")[1]
        found["found"][f"process: {rule}"] = {
            "run": found["runs"],
            "times": 1,
            "bytes": crash.stat().st_size,
            "detail": log[-1500:],
        }
    if status and not found["found"]:
        found["found"]["process: ended"] = {"run": found["runs"], "times": 1, "bytes": 0, "detail": log[-3000:]}
    found["kept"] = str(folder)
    for leftover in folder.glob("asl-fuzz-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if not found["found"]:
        shutil.rmtree(folder, ignore_errors=True)
    return found
