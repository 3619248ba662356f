"""Does a long session grow? Trains, evaluates and predicts again and again in one process, and watches what it holds.

    python tests/studies/soak.py --minutes 60

Every cycle is other made-up signs, a run with checkpoints, its evaluation, the audit of its data and a prediction
from a file, after which its directory is removed. Memory and open files are sampled between cycles, once a minute.
Exit code 1 if after ``--settle`` minutes memory is ever more than 1 % above what it was then, or one more file is
open; 3 where this system tells neither.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import asl_core as asl
from studies.measured import MIB, memory, open_files

__all__ = ["CHOICES", "Sample", "cycle", "faults", "soak"]

CHOICES = (
    {"encoder": "gru", "encoder.hidden-size": 16, "encoder.front-size": 16},
    {"encoder": "transformer", "encoder.hidden-size": 16, "encoder.layers": 1, "encoder.heads": 2},
    {"encoder": "gru", "encoder.hidden-size": 16, "encoder.front-size": 16, "head": "mean", "train.mixup": 0.2},
)


@attrs.frozen
class Sample:
    """What the process held between two cycles."""

    seconds: float
    cycles: int
    memory: int | None
    files: int | None


def cycle(number: int, folder: Path) -> None:
    """One run from configuration to prediction, in a directory of its own that is removed."""
    out = folder / f"cycle-{number}"
    values: dict[str, Any] = {
        "dataset": "demo", "dataset.glosses": 8, "dataset.train": 8, "dataset.val": 4, "dataset.test": 0,
        "dataset.seed": number, "train.epochs": 2, "run.out": str(out), "run.device": "cpu", "run.threads": 1,
        **CHOICES[number % len(CHOICES)],
    }  # fmt: skip
    config = asl.configure(values, environ={}, project_file=False)
    run = asl.run(config)
    asl.audit_data(config)
    asl.evaluate_run(run.path, device="cpu")
    clip = out / "clip.npy"
    np.save(clip, np.random.default_rng(number).normal(size=(30, 36)).astype(np.float32))
    asl.predict_file(run.path, clip)
    shutil.rmtree(out)


def soak(minutes: float, every: float, folder: Path) -> Iterator[Sample]:
    """Cycles for so many minutes; a sample at the start and then every so many seconds, each after a collection."""
    started = time.monotonic()
    cycles = 0
    due = 0.0
    while (spent := time.monotonic() - started) < 60 * minutes:
        cycle(cycles, folder)
        cycles += 1
        if (spent := time.monotonic() - started) >= due:
            gc.collect()
            yield Sample(spent, cycles, memory(), open_files())
            due = spent + every


def faults(samples: list[Sample], settle: float, growth: float = 0.01) -> list[str]:
    """What grew after ``settle`` seconds, in words."""
    settled = [s for s in samples if s.seconds >= settle]
    if len(settled) < 2:
        return [f"only {len(settled)} samples after {settle:g} s; expected two or more: let it run for longer"]
    first, later = settled[0], settled[1:]
    found = []
    most = max(s.memory or 0 for s in later)
    if first.memory is not None and most > first.memory * (1 + growth):
        found.append(f"memory grew from {first.memory / MIB:.1f} to {most / MIB:.1f} MiB, by more than {growth:.0%}")
    opened = max(s.files or 0 for s in later)
    if first.files is not None and opened > first.files:
        found.append(f"open files grew from {first.files} to {opened}")
    return found


def main() -> int:
    """Print a line a sample and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--settle", type=float, default=10, help="minutes after which nothing may grow")
    parser.add_argument("--every", type=float, default=60, help="seconds between samples")
    options = parser.parse_args()
    if memory() is None and open_files() is None:
        print("this system tells neither memory nor open files to the standard library: nothing can be watched")
        return 3
    samples = []
    print(f"{'minutes':>8} {'cycles':>7} {'MiB':>8} {'files':>6}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for one in soak(options.minutes, options.every, Path(folder)):
            samples.append(one)
            held = "-" if one.memory is None else f"{one.memory / MIB:.1f}"
            files = "-" if one.files is None else one.files
            print(f"{one.seconds / 60:8.1f} {one.cycles:7d} {held:>8} {files!s:>6}", flush=True)
    found = faults(samples, 60 * options.settle)
    print("\n".join(found) or f"nothing grew in {samples[-1].cycles} cycles")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
