"""Does a large data set cost more for each clip? Packs made-up clips and trains on them, at several sizes.

    python tests/studies/scale.py

For each size, in processes of their own: `asl pack`, then one epoch of a small encoder from the packed files, loading,
audit, standardiser, validation, report and predictions included. Times are of the processor, since the machine may
have other work. Memory is what is held beyond the interpreter with torch and asl imported: "own" without the pages of
mapped files (Linux tells the two apart), which the system takes back when it needs them, and "all" with them.

Exit code 1 if a clip of the largest set takes over 15 % more than one of the smallest, or own memory comes to 1 GB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from studies.measured import memory, own_memory

SIZES = (2_000, 20_000, 200_000)
GLOSSES = 100
VAL_SHARE = 0.1
GIGABYTE = 10**9


def settings(clips: int) -> dict[str, Any]:
    """Made-up clips, a tenth of them for val."""
    each = clips // GLOSSES
    val = max(1, round(VAL_SHARE * each))
    return {"dataset": "demo", "dataset.glosses": GLOSSES, "dataset.train": each - val, "dataset.val": val,
            "dataset.test": 0}  # fmt: skip


def now() -> dict[str, int]:
    """Bytes held at this moment."""
    return {"own": own_memory() or 0, "all": memory() or 0}


def watched(work: Callable[[], dict[str, Any]], before: dict[str, int]) -> dict[str, Any]:
    """What the work says, with its seconds and the most memory beyond what there was before."""
    most = {"own": 0, "all": 0}
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            for kind, size in now().items():
                most[kind] = max(most[kind], size)

    thread = threading.Thread(target=look)
    thread.start()
    clock, cpu = time.perf_counter(), time.process_time()
    try:
        found = work()
    finally:
        done.set()
        thread.join()
    seconds = {"wall": time.perf_counter() - clock, "cpu": time.process_time() - cpu}
    return {**found, **seconds, **{k: max(0, most[k] - before[k]) for k in most}}


def pack(clips: int, folder: Path) -> dict[str, Any]:
    """Pack the demo."""
    import torch

    import asl_core as asl
    from asl_core.data.packing import pack as pack_clips

    torch.set_num_threads(1)
    config = asl.configure(settings(clips), environ={}, project_file=False)

    def work() -> dict[str, Any]:
        written = pack_clips(config.dataset.build(), folder / "packed", {})
        return {"bytes": sum(one.size for one in written), "frames": sum(one.frames for one in written)}

    return watched(work, now())


class _Clock:
    """Notes when training begins and ends, as an observer of the run."""

    def on_start(self, config: Any, summary: Any) -> None:
        self.started = time.process_time()

    def on_epoch(self, report: Any) -> None:
        self.trained = time.process_time()

    def on_end(self, summary: Any) -> None:
        self.ended = time.process_time()


def load(clips: int, folder: Path) -> dict[str, Any]:
    """What was packed, loaded and audited."""
    import asl_core as asl
    from asl_core.data.splits import load_data

    before = now()
    load_data(asl.configure(settings(200), environ={}, project_file=False))
    values = {"dataset": "packed", "dataset.root": str(folder / "packed")}
    config = asl.configure(values, environ={}, project_file=False)
    return watched(lambda: {"clips": len(load_data(config).train)}, before)


def train(clips: int, folder: Path) -> dict[str, Any]:
    """One epoch on what was packed."""
    import torch

    import asl_core as asl

    torch.set_num_threads(1)
    before = now()
    small = {
        "encoder": "gru", "encoder.hidden-size": 16, "encoder.front-size": 16, "encoder.layers": 1, "train.epochs": 1,
        "train.batch-size": 64, "run.device": "cpu", "run.threads": 1, "run.out": str(folder),
    }  # fmt: skip
    # What is imported and set up once is no cost of the clips: a run on few comes first.
    asl.run(asl.configure({**settings(200), **small}, environ={}, project_file=False))
    values = {"dataset": "packed", "dataset.root": str(folder / "packed"), **small}
    config = asl.configure(values, environ={}, project_file=False)
    clock = _Clock()

    def work() -> dict[str, Any]:
        begun = time.process_time()
        asl.run(config, [clock])
        return {
            "load": clock.started - begun,
            "epoch": clock.trained - clock.started,
            "report": clock.ended - clock.trained,
        }

    return watched(work, before)


def measured(what: str, clips: int, folder: Path) -> dict[str, Any]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--only", what, "--sizes", str(clips), "--folder", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Print the table and say whether it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="clips, train and val together")
    parser.add_argument("--folder", type=Path, help="where to put the files (default: a temporary folder)")
    parser.add_argument("--only", choices=("pack", "load", "train"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps({"pack": pack, "load": load, "train": train}[options.only](options.sizes[0], options.folder)))
        return 0
    print("clips | MB | pack s (ms a clip) | load, epoch, report: ms a clip | together | own MB pack/train | all MB")
    rows = []
    for clips in options.sizes:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            packed = measured("pack", clips, Path(folder))
            trained = measured("train", clips, Path(folder))
        per = {k: 1000 * trained[k] / clips for k in ("load", "epoch", "report", "cpu")}
        rows.append((per["cpu"], 1000 * packed["cpu"] / clips, max(packed["own"], trained["own"])))
        print(
            f"{clips:,} | {packed['bytes'] / 1e6:.0f} | {packed['cpu']:.1f} ({1000 * packed['cpu'] / clips:.3f}) | "
            f"{per['load']:.3f} + {per['epoch']:.3f} + {per['report']:.3f} | {per['cpu']:.3f} | "
            f"{packed['own'] / 1e6:.0f} / {trained['own'] / 1e6:.0f} | {trained['all'] / 1e6:.0f}",
            flush=True,
        )
    dearer = rows[-1][0] / rows[0][0] - 1
    memory_too_large = any(own >= GIGABYTE for _, _, own in rows)
    print(f"a clip of {options.sizes[-1]:,} takes {dearer:+.1%} against one of {options.sizes[0]:,}")
    return 1 if dearer > 0.15 or memory_too_large else 0


if __name__ == "__main__":
    sys.exit(main())
