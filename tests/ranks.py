"""``asl run`` as one of several processes, one of which comes to grief: started by test_distributed.py.

``python ranks.py WHAT FILE run …``: WHAT is ``kill`` or ``fail``, and happens to the second process in epoch 3. What
the encoder is shown of each clip, and the seed of dropout, are written to FILE with the rank's number behind it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch

from asl_core.cli import main
from asl_core.errors import RunError
from asl_core.model import objectives
from asl_core.training import loop as train

RANK = int(os.environ.get("RANK", "0"))


def fault(what: str) -> None:
    """Let the second process be killed or fail at the end of epoch 3."""
    whole = train.train_epoch

    def until_third(trainer: train.Trainer, epoch: int) -> dict[str, float]:
        found = whole(trainer, epoch)
        if epoch == 3 and RANK == 1:
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RunError("the loss is made of cheese")
        return found

    train.train_epoch = until_third


def record(file: Path) -> None:
    """Write down, clip by clip, what the augmented frames come to."""
    seen: dict[str, list[list[float]]] = {}
    whole = objectives._input

    def noted(model, batch, augments, random, view, aligned):
        found = whole(model, batch, augments, random, view, aligned)
        if augments:
            for place, clip in enumerate(found.ids):
                frames = found.features[place, : int(found.lengths[place])].double()
                sums = [len(frames), float(frames.sum()), float(frames.abs().sum()), float(frames[0].sum())]
                seen.setdefault(clip, []).append(sums)
            file.with_suffix(f".{RANK}").write_text(json.dumps({"seen": seen, "seed": torch.initial_seed()}))
        return found

    objectives._input = noted


if __name__ == "__main__":
    wanted, path = sys.argv[1:3]
    record(Path(path))
    fault(wanted)
    main(sys.argv[3:])
