"""More epochs for a run: a new run that starts where the old one stopped; the old one is not changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from asl_core.checkpoints.format import DamagedError, Saved, load_tensors, save_tensors
from asl_core.config.resuming import free_keys
from asl_core.config.run_config import RunConfig
from asl_core.errors import CheckpointError, RunError, UsageError, as_word
from asl_core.files.atomic import sync_folder, write_bytes, write_text
from asl_core.files.paths import is_folder_name
from asl_core.files.rundir import RunDir
from asl_core.training.trainer import Progress

__all__ = ["extended"]

#: what a run records of its data, its first weights and its environment
_KEPT = ("transfer.json", "trained-on.json", "audit.json", "environment.json")


def extended(before: RunDir, config: RunConfig, out: Path, name: str | None) -> RunDir:
    """The new run, ready to be resumed; it appears under its name when it is complete.

    Args:
        before: the run to start from.
        config: its settings with more epochs.
        out: the folder to make it in.
        name: of the new run (default: that of the old one with ``-to-N``).

    Raises:
        UsageError: the run has no state to start from or as many epochs already, or the name is taken.
        RunError: it cannot be written.
    """
    saved = _newest(before)
    progress = Progress.kept(saved.meta["progress"])
    _check(before, config, saved, progress)
    name = name or f"{before.path.name}-to-{config.train.epochs}"
    if not is_folder_name(name):
        raise UsageError(f"run name {name!r} cannot be a folder's; give a plain --name, and the place with --out.")
    run = RunDir(out / name)
    if run.path.exists():
        raise run.taken()
    part = RunDir(out / f".{name}.part")
    shutil.rmtree(part.path, ignore_errors=True)  # of a call that was killed
    try:
        part.last.parent.mkdir(parents=True)
        for file in (before.path / kept for kept in _KEPT):
            if file.is_file():
                write_bytes(part.path / file.name, file.read_bytes())
        if before.best.is_file():
            write_bytes(part.best, before.best.read_bytes())
        part.write_history(progress.history)
        part.write_json(
            part.continues,
            {"run": str(before.path.absolute()), "epoch": progress.epoch, "epochs": _epochs(saved)},
        )
        save_tensors(part.last, _tensors(saved, config), saved.meta | {"config": config.values()})
        write_text(part.config, config.to_toml())
        part.path.rename(run.path)
        sync_folder(out)
    except OSError as fault:
        shutil.rmtree(part.path, ignore_errors=True)
        raise RunError(
            f"{run.path} cannot be written ({fault.strerror or fault}); make room, or choose another folder with --out."
        ) from fault
    except BaseException:
        shutil.rmtree(part.path, ignore_errors=True)
        raise
    return run


def _newest(run: RunDir) -> Saved:
    """The state that a resume would go on from; the run is not changed."""
    for file in (run.next, run.last, run.previous):
        if file.is_file():
            try:
                return load_tensors(file)
            except DamagedError:
                continue  # the previous one serves
    raise CheckpointError(
        f"{run.path} has no whole state to start from (last/state.safetensors); put it back, or start a new run with "
        f"`asl run {as_word(run.config)}`, which may take its weights: --init run:{as_word(run.path)}."
    )


def _epochs(saved: Saved) -> Any:
    return saved.meta["config"].get("train.epochs")


def _check(before: RunDir, config: RunConfig, saved: Saved, progress: Progress) -> None:
    free = (*free_keys(config), "train.epochs", "train.patience")
    if changed := [k for k in config.changed(saved.meta["config"]) if k not in free]:
        raise CheckpointError(
            f"{before.config} was changed since run {before.path} was begun ({', '.join(changed[:5])}); put the "
            f"settings back."
        )
    epochs, patience = config.train.epochs, config.train.patience
    if epochs <= progress.epoch:
        raise UsageError(
            f"run {before.path} has trained {progress.epoch} epochs, and --epochs {epochs} asks for no more; give a "
            f"larger number."
        )
    if patience and progress.epoch - progress.best_epoch >= patience:
        raise UsageError(
            f"run {before.path} stopped after epoch {progress.epoch}, since none of the last {patience} was better, "
            f"and would stop again at once; give --patience too, 0 for never."
        )


def _tensors(saved: Saved, config: RunConfig) -> dict[str, torch.Tensor]:
    """The state, with the mean over the last epochs begun anew: other epochs are the last now."""
    count = "ema.n_averaged"
    fresh = {count: torch.zeros_like(saved.tensors[count])} if config.train.swa_epochs else {}
    return saved.tensors | fresh
