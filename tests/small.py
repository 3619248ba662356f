"""A run small enough for a test: few made-up signs, a tiny encoder, seconds to train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SMALL: dict[str, Any] = {
    "dataset": "demo",
    "dataset.glosses": 6,
    "dataset.train": 6,
    "dataset.val": 2,
    "encoder": "gru",
    "encoder.hidden-size": 8,
    "encoder.front-size": 8,
    "train.epochs": 3,
    "train.batch-size": 8,
    "run.device": "cpu",
    "run.threads": 1,
}


def small(out: Path, **more: Any) -> dict[str, Any]:
    """The settings with changes: ``train__epochs=5`` is ``train.epochs``, ``_`` is ``-``."""
    changed = {k.replace("__", ".").replace("_", "-"): v for k, v in more.items()}
    return {**SMALL, "run.out": str(out), **changed}


def flags(values: dict[str, Any]) -> list[str]:
    """The same settings as command-line words."""
    return [w for k, v in values.items() for w in (f"--{k}", str(v).lower() if isinstance(v, bool) else str(v))]


class StopAfter:
    """An observer that pulls the plug after some epochs."""

    def __init__(self, epochs: int):
        self.epochs = epochs

    def on_start(self, config: Any, summary: Any) -> None: ...

    def on_epoch(self, report: Any) -> None:
        if report.epoch == self.epochs:
            raise KeyboardInterrupt

    def on_end(self, summary: Any) -> None: ...
