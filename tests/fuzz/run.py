"""Fuzz the readers of files.

    python tests/fuzz/run.py --short                  # no atheris, half a minute: bombs and some changes of each reader
    python tests/fuzz/run.py --reader pickle          # one reader, 10,000 inputs guided by coverage
    python tests/fuzz/run.py --all --plant            # bugs planted in every reader: each has to be found
    python tests/fuzz/run.py --all --runs 100000 --out FOLDER   # a long study; the same command goes on with it

All but --short need atheris (``pip install atheris``; the extra ``fuzz``). Prints for each reader the inputs read, the
largest, how many were accepted and refused, how many got past the header, the coverage, the slowest input in processor
time, the most memory that one took, and what was found; what is at work, every few seconds, on the standard error.
Exit code 0 where nothing was found (with ``--plant``: where all were), 1 else, 130 when interrupted, with the table so
far.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from fuzz.report import HEAD, Study, row, tell

NAMES = ("pickle", "labels", "pt", "safetensors", "toml", "run", "npy", "packed",
         *(f"format-{name}" for name in ("npy-frames", "npy", "npz", "pose", "kaggle-signs", "kaggle-fingerspelling",
                                         "openpose", "pickle", "sl-gcn", "spoter", "openhands")))  # fmt: skip
_PART = 10_000  #: inputs of one session of a study
_PLANT_SECONDS = 120.0  #: of the processor, within which a planted bug has to be found


def main() -> int:
    """Read the command line, fuzz, print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--reader", choices=NAMES, action="append", help="which; may be given several times")
    words.add_argument("--all", action="store_true", help="every reader")
    words.add_argument("--runs", type=int, help="inputs for each reader (default 10,000; with --short 150)")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--jobs", type=int, default=2, help="sessions at a time")
    words.add_argument("--plant", action="store_true", help="plant bugs and see that they are found")
    words.add_argument(
        "--short", action="store_true", help="bombs and some changes, in this process and without atheris"
    )
    words.add_argument("--out", type=Path, help="keep sessions and table in this folder, and go on with what is there")
    said = words.parse_args()
    names = list(NAMES) if said.all or not said.reader else list(dict.fromkeys(said.reader))
    if said.short:
        return short(names, said.runs or 150, said.seed)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (pip install atheris): nothing was fuzzed. --short needs none.")
        return 0
    runs = said.runs or 10_000
    try:
        return plants(names, runs, said.seed, said.jobs) if said.plant else study(names, runs, said)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def short(names: list[str], runs: int, seed: int) -> int:
    """Every bomb of every reader, what was found before, and some changes of the valid files."""
    import torch

    from fuzz.plain import bombs_of, changed, corpus
    from fuzz.readers import READERS
    from fuzz.session import Session

    torch.set_num_threads(1)
    warnings.simplefilter("error")  # a warning on a user's screen is no message either
    every = []
    print(HEAD, flush=True)
    for name in _installed(names):
        with tempfile.TemporaryDirectory(prefix="asl-fuzz-") as kept:
            session = Session(READERS[name], Path(kept))
            for data in (*session.reader.seeds(), *corpus(session.reader), *bombs_of(session.reader, 300_000, seed)):
                session.read(data)
            changed(session.reader, runs, seed, session.read)
            every.append(session.figures())
            session.close()
        print(row(every[-1]), flush=True)
    return _end(every)


def _installed(names: list[str]) -> list[str]:
    """Those whose library is installed; the others are named."""
    from fuzz.readers import READERS

    lacking = [name for name in names if name not in READERS]
    if lacking:
        print(f"left out, since pip install 'asl-core[formats]' was not run: {', '.join(lacking)}", file=sys.stderr)
    return [name for name in names if name in READERS]


def study(names: list[str], runs: int, said: argparse.Namespace) -> int:
    """Sessions of some thousand inputs, each from the valid files on, until each reader has had ``runs``."""
    from fuzz.server import Task, prepare, work

    names = _installed(names)
    kept = Study(said.out or Path(tempfile.mkdtemp(prefix="asl-fuzz-study-")))
    tasks = []
    for name in names:
        left, seed = runs - kept.done(name), said.seed
        while left > 0:
            while seed in kept.seeds(name):
                seed += 1
            tasks.append(Task(name, min(left, _PART), seed))
            left, seed = left - _PART, seed + 1
    tasks.sort(key=lambda task: task.seed)  # a part of every reader first
    prepare(names)
    try:
        for _, figures in work(tasks, said.jobs, _progress(len(tasks))):
            kept.add(figures)
    finally:
        every = [kept.whole(name) for name in names if kept.done(name)]
        print("\n".join([HEAD, *map(row, every)]), flush=True)
        print(f"kept in {kept.folder}", file=sys.stderr)
    return _end(every)


def plants(names: list[str], runs: int, seed: int, jobs: int) -> int:
    """Whether every planted bug is found."""
    from fuzz.plants import COSTLY, PLANTS
    from fuzz.server import Task, prepare, work

    names = _installed(names)
    tasks = [
        Task(name, runs, seed, plant, _PLANT_SECONDS, bombs=0.03 if plant in COSTLY else 0.005, patience=60)
        for name in names
        for plant in PLANTS[name]
    ]
    prepare(names)
    missed = 0
    print("| reader | planted | found after | as |\n|---|---|---|---|", flush=True)
    for task, figures in work(tasks, jobs, _progress(len(tasks))):
        real = {cause: facts for cause, facts in figures["found"].items() if cause != "process: ended"}
        first = min(real.items(), key=lambda one: one[1]["run"], default=None)
        missed += first is None
        said = f"{first[1]['run']:,} inputs | {first[0]}" if first else f"NOT in {figures['runs']:,} inputs | "
        print(f"| {task.reader} | {task.plant} | {said} |", flush=True)
    print(f"{len(tasks)} planted, {missed} not found")
    return int(missed > 0)


def _progress(total: int) -> Any:
    """Prints a line on the standard error for what is at work."""
    begun = time.monotonic()

    def say(running: list[dict[str, Any]]) -> None:
        parts = [
            f"{f['reader']}{':' + f['plant'] if f['plant'] else ''} {f['runs']:,} inputs"
            + (f", {len(f['found'])} found" if f["found"] else "")
            for f in running
        ]
        print(f"{time.monotonic() - begun:5.0f} s, {total} sessions: {'; '.join(parts)}", file=sys.stderr, flush=True)

    return say


def _end(every: list[dict[str, Any]]) -> int:
    for found in every:
        for line in tell(found):
            print(f"  {line}")
    return int(any(found["found"] for found in every))


if __name__ == "__main__":
    sys.exit(main())
