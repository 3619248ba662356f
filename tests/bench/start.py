"""Time to start: ``python tests/bench/start.py``.

Prints seconds from ``import torch`` done to the first optimiser step on the WLASL100 pickles, how much memory the
stored training set takes, and the time of ``asl --help`` against ``python -c "import click"`` (medians, in turns).
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

SHARED = Path(os.environ.get("ASL_SHARED_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))

FIRST_STEP = """
import sys, time
import torch
started = time.perf_counter()
from asl_core import configure
from asl_core.model.recogniser import build_model
from asl_core.model.objectives import build_objectives
from asl_core.data.splits import load_data
from asl_core.training.loop import Trainer, backward
config = configure({"dataset": "wlasl", "dataset.root": sys.argv[1], "run.device": "cpu"}, environ={})
torch.set_num_threads(config.run.threads)
data = load_data(config)
model = build_model(config, data.train.width, len(data.vocabulary))
model.standardiser.fit(data.train.features)
trainer = Trainer.new(config, data, model, build_objectives(config), torch.device("cpu"))
backward(trainer, torch.arange(16), 1, 1.0)
trainer.precision.step(trainer.optimizer, 1.0)
print(time.perf_counter() - started, data.train.features.nbytes / 2**20, data.train.features.numel() * 4 / 2**20)
"""


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    first = []
    held = ""
    for _ in range(5):
        command = [sys.executable, "-c", FIRST_STEP, str(SHARED / "wlasl100")]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        first.append(float(said[0]))
        held = said[1]
    spread = f"{min(first):.2f} to {max(first):.2f}"
    print(f"torch imported to first optimiser step: {statistics.median(first):.2f} s (of 5: {spread})")
    print(f"training set held: {held[:5]} MiB, once")
    asl = shutil.which("asl", path=str(Path(sys.executable).parent)) or "asl"
    click, ours = [], []
    for _ in range(15):
        click.append(seconds([sys.executable, "-c", "import click"]))
        ours.append(seconds([asl, "--help"]))
    ratio = statistics.median(ours) / statistics.median(click)
    print(f"asl --help: {1000 * statistics.median(ours):.0f} ms, {ratio:.2f} times `import click`")


if __name__ == "__main__":
    main()
